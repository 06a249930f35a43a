#include "train/job.h"

#include <stdlib.h>

rk_status rk_train_step(rk_train_job *job,
                        rk_status (*step)(rk_work *work, void *context, rk_error *error),
                        void *context, rk_error *error) {
    rk_work dry, wet;
    rk_work_init_dry(&dry);
    rk_status status = step(&dry, context, error);
    dry.progress = job->hears;
    dry.progress_context = job->context;
    if (status == RK_OK && job->memory_limit && dry.peak > job->memory_limit)
        status = rk_fail(error, RK_ERROR_TOO_LARGE,
                         "a training step needs %zu bytes, more than the %llu there are", dry.peak,
                         (unsigned long long)job->memory_limit);
    if (status == RK_OK) status = rk_work_init_wet(&wet, &dry, job->pool, error);
    if (status == RK_OK) {
        rk_work_listen(&wet, true);
        status = step(&wet, context, error);
        job->flops += wet.flops;
        job->interrupted |= wet.interrupted;
        if (dry.peak > job->bytes) job->bytes = dry.peak;
        rk_work_finish(&wet);
    }
    free(dry.steps);
    return status;
}

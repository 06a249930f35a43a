#include "train/run.h"

#include "base/size.h"
#include "estimate/context.h"
#include "linalg/blas.h"

#include <stdlib.h>

rk_options rk_train_options(int threads, uint64_t memory_limit, rk_context *context) {
    rk_options options = {.threads = threads, .memory_limit = memory_limit, .context = context};
    rk_context_settle(&options);
    if (options.threads == 0) options.threads = rk_pool_default_threads();
    return options;
}

static rk_status check_memory(const rk_train_run *r, const rk_work *dry, rk_error *error) {
    const uint64_t limit = r->options.memory_limit ? r->options.memory_limit : rk_usable_memory();
    if (!dry->overflow && dry->peak <= limit) return RK_OK;
    return rk_fail(error, RK_ERROR_TOO_LARGE, "%s needs %zu bytes; the limit is %llu", r->name,
                   dry->peak, (unsigned long long)limit);
}

rk_status rk_train_run_do(rk_train_run *r, rk_error *error) {
    rk_work dry, wet = {.dry = false};
    rk_pool *pool = NULL;
    rk_work_init_dry(&dry);
    rk_status status = rk_blas_check_room(r->options.threads, error);
    if (status == RK_OK) status = r->run(r->context, &dry, error);
    if (status == RK_OK) status = check_memory(r, &dry, error);
    if (status == RK_OK) status = rk_context_pool(&pool, &r->options, error);
    if (status == RK_OK) status = rk_context_claim(&r->options, dry.peak, error);
    const bool is_claimed = status == RK_OK;
    if (status == RK_OK) status = rk_work_init_wet(&wet, &dry, pool, error);
    if (status == RK_OK) {
        rk_blas_make_serial();
        status = r->run(r->context, &wet, error);
        rk_blas_restore();
        r->bytes = dry.peak;
        r->threads = rk_pool_threads(pool);
    }
    rk_work_finish(&wet);
    if (is_claimed) rk_context_release(&r->options, dry.peak);
    free(dry.steps);
    rk_pool_destroy(pool);
    return status;
}

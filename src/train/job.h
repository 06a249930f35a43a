/* Steps of a training run: each is planned and done by itself, for what it takes depends on what
 * the steps before have found; the ledger is of all. */
#ifndef RK_TRAIN_JOB_H
#define RK_TRAIN_JOB_H

#include "base/work.h"

typedef struct rk_train_job {
    rk_pool *pool;
    uint64_t memory_limit; /**< bytes a step may take; 0: any number */
    uint64_t flops, bytes; /**< all so far; of the step that took most */
    bool interrupted;      /**< a step was cut short: by rk_train_job.hears */
    rk_progress hears;     /**< asked within steps; NULL: nobody */
    void *context;
} rk_train_job;

/** Runs `step` dry and, if there is memory for it, wet. Counts what it executed. */
rk_status rk_train_step(rk_train_job *job,
                        rk_status (*step)(rk_work *work, void *context, rk_error *error),
                        void *context, rk_error *error);

#endif

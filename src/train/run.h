/* A training run as a whole: planned, its memory claimed, done. */
#ifndef RK_TRAIN_RUN_H
#define RK_TRAIN_RUN_H

#include "base/work.h"

typedef struct rk_train_run {
    const char *name;   /**< "the distillation", for people */
    rk_options options; /**< threads, memory_limit, context; settled */
    rk_status (*run)(void *context, rk_work *work, rk_error *error); /**< dry, then wet */
    void *context;
    uint64_t bytes; /**< made by rk_train_run_do: what it took */
    int threads;    /**< likewise: that took part */
} rk_train_run;

/** `context` NULL: means of its own. */
rk_options rk_train_options(int threads, uint64_t memory_limit, rk_context *context);

/** RK_ERROR_TOO_LARGE, naming bytes, if it does not fit. */
rk_status rk_train_run_do(rk_train_run *run, rk_error *error);

#endif

/* The means of a computation: memory, threads, a FLOP ledger, and a way to be interrupted.
 *
 * A method is one function, run twice. The *dry* run does no arithmetic and touches no memory: it
 * only takes memory and charges FLOPs, so that its ledger *is* the plan, exact by construction.
 * The *wet* run does the same with a real arena of the size the dry run found. Code written for
 * this keeps one rule: every kernel begins with
 *
 *     if (!rk_work_charge(work, flops)) return;
 *
 * and nothing outside a kernel dereferences memory taken from `work`. */
#ifndef RK_BASE_WORK_H
#define RK_BASE_WORK_H

#include "base/pool.h"
#include "base/status.h"

typedef struct rk_work {
    bool dry;
    unsigned char *arena;
    size_t capacity; /* wet: bytes of the arena */
    size_t used, peak;
    bool overflow; /* dry: the sizes do not fit into size_t */
    rk_pool *pool;
    uint64_t flops;
    rk_step *steps; /* one per rk_work_step; grown by the dry run, whose owner frees them */
    size_t n_steps, n_steps_done;
    uint64_t flops_total; /* wet: of the plan, for the progress report */
    double step_started;
    rk_progress progress;
    void *progress_context;
    bool interrupted;
    bool abandoned;      /* kernels do nothing any more: what they made is not delivered */
    double last_heard;   /* when progress was last reported within a step */
    size_t clamped;      /* variances that were negative: reported as a warning */
    uint64_t overflowed; /**< passes whose outputs single precision could not hold */
} rk_work;

/** An empty dry run. */
void rk_work_init_dry(rk_work *work);
/** Prepares a wet run after the dry run `plan`, which does not change: allocates arena and steps.
 */
rk_status rk_work_init_wet(rk_work *work, const rk_work *plan, rk_pool *pool, rk_error *error);
/** Frees arena and steps; fine after a failure, too. */
void rk_work_finish(rk_work *work);

/** `count` entries of `size` bytes, 64-byte aligned, uninitialised. Never NULL: the dry run answers
 *  with an address that must not be touched. */
void *rk_work_take(rk_work *work, size_t count, size_t size);
double *rk_work_doubles(rk_work *work, size_t rows, size_t cols);
float *rk_work_floats(rk_work *work, size_t rows, size_t cols);

/** Stack discipline: what was taken after the mark is given back. */
size_t rk_work_mark(const rk_work *work);
void rk_work_release(rk_work *work, size_t mark);

/** Enters `flops` in the ledger. True if the arithmetic is to be done now. */
bool rk_work_charge(rk_work *work, uint64_t flops);

/** Begins a step of the plan. False if the run was interrupted: return at once. */
bool rk_work_step(rk_work *work, const char *format, ...) RK_PRINTF(2, 3);
/** Reports progress within a step. False if the run was interrupted: finish with what there is. */
bool rk_work_continue(rk_work *work);
/** From now on (or not any more) an interrupt is heard within kernels, too, between the blocks of
 *  the pool: it cuts them short, and none after them does anything, so there is no answer at all.
 *  For closures, whose half-done layers are worth nothing; samplers keep what they have. */
void rk_work_listen(rk_work *work, bool listens);
/** Closes the last step. */
void rk_work_end(rk_work *work);

/** Does `n_tasks` independent tasks over the pool, a few at a time, each with memory of its own
 *  that is given back when it ends. A task is written like a method: `work` is its own, dry when
 *  this one asks what the task costs. Tasks must not spread further. */
void rk_work_spread(rk_work *work, size_t n_tasks,
                    void (*task)(rk_work *work, void *context, size_t index), void *context);

/** Monotonic seconds. */
double rk_seconds(void);

#endif

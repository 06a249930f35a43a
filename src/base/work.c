#include "base/work.h"

#include "base/size.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ALIGNMENT = 64 };

double rk_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void rk_work_init_dry(rk_work *work) {
    *work = (rk_work){.dry = true};
}

rk_status rk_work_init_wet(rk_work *work, const rk_work *plan, rk_pool *pool, rk_error *error) {
    *work = (rk_work){.pool = pool,
                      .capacity = plan->peak,
                      .n_steps = plan->n_steps,
                      .flops_total = plan->flops,
                      .progress = plan->progress,
                      .progress_context = plan->progress_context};
    if (plan->overflow) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the plan");
    work->arena = aligned_alloc(ALIGNMENT, plan->peak ? plan->peak : ALIGNMENT);
    work->steps = rk_alloc(plan->n_steps, 1, sizeof *work->steps);
    if (work->arena && work->steps) return RK_OK;
    rk_work_finish(work);
    return rk_fail(error, RK_ERROR_MEMORY, "no memory for the %zu bytes the method needs",
                   plan->peak);
}

void rk_work_finish(rk_work *work) {
    rk_work_listen(work, false);
    free(work->steps);
    free(work->arena);
    work->steps = NULL;
    work->arena = NULL;
}

void *rk_work_take(rk_work *work, size_t count, size_t size) {
    size_t bytes, end;
    if (!rk_size_mul(count, size, &bytes) || !rk_size_add(bytes, ALIGNMENT - 1, &bytes) ||
        !rk_size_add(work->used, bytes &= ~(size_t)(ALIGNMENT - 1), &end)) {
        work->overflow = true;
        end = work->used;
    }
    /* The dry run's answer is only an address: nothing lives there. */
    void *memory = work->dry ? (void *)(uintptr_t)ALIGNMENT : work->arena + work->used;
    assert(work->dry || end <= work->capacity); /* else wet and dry run took different paths */
    work->used = end;
    if (work->used > work->peak) work->peak = work->used;
    return memory;
}

static size_t checked_count(rk_work *work, size_t rows, size_t cols) {
    size_t count = 0;
    if (!rk_size_mul(rows, cols, &count)) work->overflow = true;
    return count;
}

double *rk_work_doubles(rk_work *work, size_t rows, size_t cols) {
    return rk_work_take(work, checked_count(work, rows, cols), sizeof(double));
}

float *rk_work_floats(rk_work *work, size_t rows, size_t cols) {
    return rk_work_take(work, checked_count(work, rows, cols), sizeof(float));
}

size_t rk_work_mark(const rk_work *work) {
    return work->used;
}

void rk_work_release(rk_work *work, size_t mark) {
    work->used = mark;
}

bool rk_work_charge(rk_work *work, uint64_t flops) {
    if (work->abandoned) return false;
    work->flops += flops;
    if (work->n_steps_done > 0) work->steps[work->n_steps_done - 1].flops += flops;
    return !work->dry;
}

void rk_work_end(rk_work *work) {
    if (work->dry || work->n_steps_done == 0) return;
    double now = rk_seconds();
    work->steps[work->n_steps_done - 1].seconds = now - work->step_started;
}

bool rk_work_continue(rk_work *work) {
    if (work->progress && work->flops_total > 0 && !work->interrupted &&
        !work->progress(work->progress_context, (double)work->flops / (double)work->flops_total))
        work->interrupted = true;
    return !work->interrupted;
}

/* Often enough for a person, too seldom to cost anything. */
static const double LISTEN_SECONDS = 0.25;

static bool hear(void *context) {
    rk_work *work = context;
    double now = rk_seconds();
    if (now - work->last_heard < LISTEN_SECONDS) return true;
    work->last_heard = now;
    work->abandoned = !rk_work_continue(work);
    return !work->abandoned;
}

void rk_work_listen(rk_work *work, bool listens) {
    rk_pool_listen(work->pool, listens ? hear : NULL, work);
}

bool rk_work_step(rk_work *work, const char *format, ...) {
    rk_work_end(work);
    if (work->dry) {
        size_t n = work->n_steps;
        if ((n & (n - 1)) == 0) { /* grow at powers of two */
            rk_step *grown = realloc(work->steps, (n ? 2 * n : 1) * sizeof *grown);
            if (!grown) {
                work->overflow = true;
                return false;
            }
            work->steps = grown;
        }
        work->n_steps++;
    }
    rk_step *step = &work->steps[work->n_steps_done++];
    *step = (rk_step){.flops = 0};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(step->label, sizeof step->label, format, arguments);
    va_end(arguments);
    if (work->dry) return true;
    work->step_started = work->last_heard = rk_seconds();
    return rk_work_continue(work);
}

/* At most so many tasks hold memory at a time: a fixed number, for the plan knows no threads. */
enum { MAX_TASKS_AT_ONCE = 8 };

typedef struct spread {
    void (*task)(rk_work *work, void *context, size_t index);
    void *context;
    unsigned char *arena;
    size_t bytes, first; /* of one task's arena; the first task of this round */
} spread;

static void spread_block(void *context, size_t block) {
    const spread *s = context;
    rk_work own = {.arena = s->arena + block * s->bytes, .capacity = s->bytes};
    s->task(&own, s->context, s->first + block);
}

void rk_work_spread(rk_work *work, size_t n_tasks,
                    void (*task)(rk_work *work, void *context, size_t index), void *context) {
    rk_work probe;
    rk_work_init_dry(&probe);
    for (size_t i = 0; i < n_tasks; i++) {
        probe.used = 0;
        task(&probe, context, i);
    }
    work->overflow |= probe.overflow;
    size_t mark = rk_work_mark(work);
    size_t at_once = n_tasks < MAX_TASKS_AT_ONCE ? n_tasks : MAX_TASKS_AT_ONCE;
    spread s = {.task = task, .context = context, .bytes = probe.peak};
    s.arena = rk_work_take(work, at_once, s.bytes);
    if (rk_work_charge(work, probe.flops))
        for (; s.first < n_tasks; s.first += at_once) {
            size_t left = n_tasks - s.first;
            rk_pool_run(work->pool, left < at_once ? left : at_once, spread_block, &s);
        }
    rk_work_release(work, mark);
}

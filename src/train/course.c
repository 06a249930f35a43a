#include "train/course.h"

#include <math.h>
#include <stdlib.h>

double rk_course_flops(const rk_course *course) {
    return (double)course->work->flops - course->flops_before;
}

double rk_course_seconds(const rk_course *course) {
    return rk_seconds() - course->started;
}

/* Of the budgets, what so much is: 1 is all of them. */
static double part(const rk_course *c, double flops, double seconds) {
    double most = 0;
    if (c->budget_flops > 0) most = flops / c->budget_flops;
    if (c->budget_seconds > 0) most = fmax(most, seconds / c->budget_seconds);
    return most;
}

static double spent(const rk_course *c) {
    return part(c, rk_course_flops(c), rk_course_seconds(c));
}

static double fraction(const rk_course *c) {
    if (c->now.phase == RK_PHASE_RECEIPT) return 1;
    const double steps = (double)c->now.step / (double)c->usual_steps;
    const bool bounded = c->budget_flops > 0 || c->budget_seconds > 0;
    return fmin(1, bounded ? spent(c) : fmin(1, steps) * c->share);
}

static bool report(void *context, double ignored) {
    rk_course *c = context;
    (void)ignored;
    rk_train_point now = c->now;
    now.flops = rk_course_flops(c);
    now.seconds = rk_course_seconds(c);
    if (c->progress && !c->progress(c->context, &now, fraction(c))) c->stopped = true;
    return !c->stopped;
}

void rk_course_start(rk_course *course, rk_work *work) {
    course->work = work;
    course->started = course->saved = rk_seconds();
    course->flops_before = (double)work->flops;
    course->now = (rk_train_point){.loss = (double)NAN};
    course->usual_steps = 1;
    work->progress = report;
    work->progress_context = course;
}

void rk_course_free(rk_course *course) {
    free(course->curve);
    course->curve = NULL;
}

void rk_course_phase(rk_course *course, rk_train_phase phase, double share, uint64_t usual_steps) {
    course->now.phase = phase;
    course->now.step = 0;
    course->share = share;
    course->usual_steps = usual_steps ? usual_steps : 1;
    course->work->interrupted = course->work->abandoned = false;
}

static bool keep(rk_course *c) {
    if (c->n_curve == c->room) {
        const size_t room = c->room ? 2 * c->room : 64;
        rk_train_point *grown = realloc(c->curve, room * sizeof *grown);
        if (!grown) return false;
        c->curve = grown;
        c->room = room;
    }
    c->curve[c->n_curve++] = c->now;
    return true;
}

bool rk_course_point(rk_course *course, uint64_t step, double loss) {
    const rk_train_point before = course->now;
    course->now.step = step;
    course->now.loss = loss;
    course->now.flops = rk_course_flops(course);
    course->now.seconds = rk_course_seconds(course);
    if (!course->work->dry && !keep(course)) course->lost = true;
    if (course->work->dry) return true;
    const bool first = step == 0; /* then nothing is known of the next one */
    const double flops = first ? 0 : course->now.flops - before.flops;
    const double seconds = first ? 0 : course->now.seconds - before.seconds;
    return report(course, 0) && spent(course) + part(course, flops, seconds) < course->share;
}

static void save(rk_course *c) {
    if (!c->save || c->work->dry) return;
    c->save(c->save_context, &c->now);
    c->saved = rk_seconds();
}

void rk_course_best(rk_course *course) {
    if (rk_seconds() - course->saved >= course->save_seconds) save(course);
}

rk_course_end rk_course_finish(rk_course *course) {
    const rk_course_end end = {rk_course_flops(course), rk_course_seconds(course), course->stopped};
    save(course);
    course->stopped = false;
    rk_course_phase(course, RK_PHASE_RECEIPT, 1, 1);
    return end;
}

bool rk_course_affords(const rk_course *course, double flops) {
    const double then = rk_course_flops(course) + flops;
    return !course->stopped && part(course, then, rk_course_seconds(course)) <= course->share;
}

double rk_course_left(const rk_course *course) {
    if (!(course->budget_flops > 0)) return (double)INFINITY;
    return fmax(0, course->share * course->budget_flops - rk_course_flops(course));
}

#include "train/sampled_steps.h"

#include "base/size.h"
#include "gradient/sampled_loss.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How much of the loss that is shown is that of the last batch. */
static const double MEMORY = 0.05;

/* Of the first batch's loss: what is no way to anything, and what is no result. */
static const double DIVERGED = 1e3, DONE_HARM = 2;

typedef struct steps {
    rk_work *work;
    rk_parameters *student;
    const rk_sampled_steps_spec *spec;
    rk_sampled_loss loss;
    size_t rows;
} steps;

static rk_status take(steps *s, rk_work *work, const rk_network *teacher, rk_parameters *student,
                      const rk_input *input, const rk_sampled_steps_spec *spec, rk_error *error) {
    const rk_examples examples = {.teacher = teacher,
                                  .input = input,
                                  .points = spec->points,
                                  .stream = {spec->seed, RK_STREAM_TRAINING}};
    *s = (steps){.work = work,
                 .student = student,
                 .spec = spec,
                 .rows = rk_sampled_loss_rows(&examples, student->net, spec->batch)};
    return rk_sampled_loss_take(work, &examples, student->net, s->rows, true, &s->loss, error);
}

/* The direction of step `index`, in student->gradient. */
static rk_status look(steps *s, uint64_t index, rk_loss_value *value, rk_error *error) {
    rk_parameter_vector *bar = &s->student->gradient;
    const rk_adjoint to = {.weight = bar->weight, .bias = bar->bias};
    memset(bar->x, 0, bar->n * sizeof *bar->x);
    rk_status status =
        rk_sampled_loss_run(s->work, &s->loss, index * s->rows, s->rows, &to, value, error);
    if (status == RK_OK && s->spec->kfac) rk_kfac_apply(s->work, s->spec->kfac, bar->x, bar->x);
    return status;
}

double rk_sampled_steps_flops(const rk_network *teacher, const rk_parameters *student,
                              const rk_input *input, const rk_sampled_steps_spec *spec) {
    rk_work dry;
    rk_parameters same = *student;
    rk_loss_value value;
    steps s;
    rk_work_init_dry(&dry);
    rk_status status = take(&s, &dry, teacher, &same, input, spec, NULL);
    const uint64_t once = dry.flops;
    if (status == RK_OK) look(&s, 0, &value, NULL);
    free(dry.steps);
    return (double)(dry.flops - once);
}

/* As many as there is time and work for. */
static uint64_t count(const steps *s, const rk_course *course, double flops, double seconds) {
    double n = rk_course_left(course) / flops;
    const double time = course->share * course->budget_seconds - rk_course_seconds(course);
    if (course->budget_seconds > 0) n = fmin(n, time / seconds);
    if (isinf(n)) n = s->spec->flops / flops;
    return n < 1 ? 0 : n > 1e15 ? (uint64_t)1e15 : (uint64_t)n;
}

static rk_status move(steps *s, rk_course *course, uint64_t n_steps, uint64_t *done,
                      rk_error *error) {
    rk_first_order optimiser;
    rk_first_order_spec spec = rk_first_order_default(s->spec->kind, s->spec->rate, n_steps);
    spec.schedule = s->spec->schedule;
    rk_status status = rk_first_order_create(&optimiser, &spec, s->student->theta.n, error);
    if (status != RK_OK) return status;
    double first = 0, shown = 0, least = 0;
    bool on = true;
    for (*done = 0; status == RK_OK && on && *done < n_steps; (*done)++) {
        rk_loss_value value;
        status = look(s, *done, &value, error);
        if (status != RK_OK || s->work->interrupted) break;
        rk_first_order_step(&optimiser, s->student->gradient.x, s->student->theta.x);
        if (*done == 0) first = shown = least = value.mean;
        shown += MEMORY * (value.mean - shown);
        on = rk_course_point(course, *done + 1, shown);
        if (!rk_parameters_moved(s->student) || !(shown <= DIVERGED * first))
            status = rk_fail(error, RK_ERROR_NUMERIC,
                             "steps on samples diverged at step %llu: a rate below %g, or larger "
                             "batches, may not",
                             (unsigned long long)*done + 1, s->spec->rate);
        else if (shown <= least) {
            least = shown;
            rk_course_best(course);
        }
    }
    if (status == RK_OK && !(shown <= DONE_HARM * first))
        status = rk_fail(error, RK_ERROR_NUMERIC,
                         "steps on samples made the loss larger: a rate below %g, or larger "
                         "batches, may not",
                         s->spec->rate);
    rk_first_order_finish(&optimiser, s->student->theta.x);
    rk_first_order_free(&optimiser);
    return status;
}

rk_status rk_sampled_steps_run(rk_course *course, const rk_network *teacher, rk_parameters *student,
                               const rk_input *input, const rk_sampled_steps_spec *spec,
                               uint64_t *n_done, rk_error *error) {
    rk_work *work = course->work;
    const size_t mark = rk_work_mark(work), n = student->theta.n;
    steps s;
    rk_loss_value value;
    double *before = rk_alloc(n, 1, sizeof *before);
    if (!before) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the parameters");
    memcpy(before, student->theta.x, n * sizeof *before);
    *n_done = 0;
    rk_status status = take(&s, work, teacher, student, input, spec, error);
    const double start = rk_seconds(); /* roots of covariances are taken once, not in each step */
    const uint64_t flops = work->flops;
    if (status == RK_OK) status = look(&s, 0, &value, error); /* what a step takes */
    if (status == RK_OK && !work->dry) {
        const double a_step = (double)(work->flops - flops);
        const uint64_t n_steps = count(&s, course, a_step, rk_seconds() - start);
        course->usual_steps = n_steps ? n_steps : 1;
        status = move(&s, course, n_steps, n_done, error);
        if (status != RK_OK) memcpy(student->theta.x, before, n * sizeof *before);
        rk_parameters_moved(student);
    }
    free(before);
    rk_work_release(work, mark);
    return status;
}

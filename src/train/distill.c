/* A teacher in, a student out: starts, phases, receipt. */
#include "base/size.h"
#include "estimate/words.h"
#include "gradient/batch.h"
#include "network/input.h"
#include "train/balance.h"
#include "train/checks.h"
#include "train/distilled.h"
#include "train/finish.h"
#include "train/loss_receipt.h"
#include "train/mechanistic.h"
#include "train/pairing.h"
#include "train/pivots.h"
#include "train/run.h"
#include "train/student.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of a budget, what the closure may take if a finish follows: more from a random start, for steps
 * on samples do badly where the closure is not done. Without a budget the finish has its part in
 * the same proportion. */
static const double CLOSURE_SHARE = 0.25, CLOSURE_SHARE_AFAR = 0.5;

/* Over a budget by so much it is not met: the last step was not known to be too long. */
static const double SLACK = 1.05;

/* Of a finish without a budget, at least. */
static const double USUAL_STEPS = 256;

typedef struct job {
    rk_distill_options options;
    const rk_network *given; /**< the teacher */
    rk_input input;
    double *symmetric;
    rk_network *teacher; /**< as deep as the student */
    rk_parameters student;
    rk_pairs_spec pairs;
    rk_course course;
    rk_mechanistic_costs costs;
    rk_distilled *answer;
} job;

static bool is_mechanistic(const job *j) {
    return j->options.method == RK_DISTILL_MECHANISTIC;
}

static bool starts_from_pivots(const job *j) {
    return !j->options.student && j->options.start == RK_START_PIVOTS;
}

/* ------------------------------------------------------------------------------------ what is
 * asked */

static rk_status accept(rk_distill_options *own, const rk_distill_options *asked, rk_error *error) {
    if (!asked) return rk_fail(error, RK_ERROR_ARGUMENT, "no options: say how wide the student is");
    if (rk_read_sized(own, sizeof *own, sizeof *own, asked)) return RK_OK;
    return rk_fail(error, RK_ERROR_ARGUMENT, RK_SIZE_IS_NONE, "rk_distill_options", asked->size,
                   sizeof *own);
}

static bool is_amount(double x) {
    return x >= 0 && isfinite(x);
}

static rk_status check_options(const job *j, rk_error *error) {
    const rk_distill_options *o = &j->options;
    if (!o->student && o->n_hidden == 0)
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "no hidden layers: give the student at least one width");
    for (size_t k = 0; !o->student && k < o->n_hidden; k++)
        if (o->hidden[k] == 0)
            return rk_fail(error, RK_ERROR_ARGUMENT, "hidden layer %zu has no neurons", k + 1);
    const rk_status status = rk_train_check_pairs(o->pairs, o->pairs_order, error);
    if (status != RK_OK) return status;
    if (!is_amount(o->budget_flops) || !is_amount(o->budget_seconds) || !is_amount(o->rate) ||
        !is_amount(o->checkpoint_seconds))
        return rk_fail(error, RK_ERROR_ARGUMENT, "budgets, rates and times are numbers from 0 on");
    if (is_mechanistic(j)) return RK_OK;
    if (o->budget_flops == 0 && o->budget_seconds == 0)
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "Adam and SGD need a budget: in FLOPs or in seconds");
    if (o->rate == 0 || o->batch == 0)
        return rk_fail(error, RK_ERROR_ARGUMENT, "Adam and SGD need a rate and a batch");
    return RK_OK;
}

/* Teacher and student, as deep as the deeper one. */
static rk_status prepare(job *j, rk_error *error) {
    const rk_distill_options *o = &j->options;
    rk_network *drawn = NULL, *student = NULL;
    rk_status status = RK_OK;
    if (!o->student)
        status = rk_student_draw(&drawn, j->given, o->hidden, o->n_hidden,
                                 rk_input_variance(&j->input, rk_network_n_in(j->given)), o->seed,
                                 error);
    if (status != RK_OK) return status;
    const rk_network *shape = o->student ? o->student : drawn;
    status = rk_student_check(shape, j->given, error);
    if (status == RK_OK) status = rk_train_check_activations(shape, "student", o->pairs, error);
    const size_t depth =
        (shape->n_layers > j->given->n_layers ? shape->n_layers : j->given->n_layers) - 1;
    if (status == RK_OK) status = rk_pairing_stretch(&student, shape, depth, error);
    if (status == RK_OK) status = rk_pairing_stretch(&j->teacher, j->given, depth, error);
    if (status == RK_OK) status = rk_parameters_create(&j->student, student, error);
    rk_network_destroy(student);
    rk_network_destroy(drawn);
    return status;
}

/* ------------------------------------------------------------------------------------ phases */

static double closure_share(const job *j) {
    const bool afar = !j->options.student && j->options.start == RK_START_RANDOM;
    return afar ? CLOSURE_SHARE_AFAR : CLOSURE_SHARE;
}

static double finish_steps(const job *j, const rk_sampled_steps_spec *spec) {
    const double step = rk_sampled_steps_flops(j->teacher, &j->student, &j->input, spec);
    const double left = j->options.budget_flops * (1 - closure_share(j));
    return left > 0 ? left / step : USUAL_STEPS;
}

/* By what it may cost, which is not known without a budget: then as often as it takes. */
static bool finishes(const job *j, const rk_sampled_steps_spec *spec) {
    if (j->options.finish != RK_FINISH_AUTO) return j->options.finish == RK_FINISH_ON;
    if (!is_mechanistic(j) || rk_batch_check(j->student.net, NULL) != RK_OK) return false;
    return rk_finish_pays(j->student.net, finish_steps(j, spec) * (double)spec->batch);
}

static rk_sampled_steps_spec steps_spec(const job *j) {
    const rk_distill_options *o = &j->options;
    rk_sampled_steps_spec spec = rk_finish_spec(j->given);
    if (!is_mechanistic(j)) {
        spec.kind = o->method == RK_DISTILL_ADAM ? RK_ADAM : RK_SGD;
        spec.schedule = o->schedule;
        spec.points = RK_POINTS_IID;
    }
    if (o->rate > 0) spec.rate = o->rate;
    if (o->batch > 0) spec.batch = o->batch;
    spec.seed = o->seed;
    return spec;
}

/* Curvature at the student, of all layers, held from here on. */
static bool hold_curvature(rk_expected_loss *loss, rk_mechanistic *m, rk_kfac *kfac) {
    static const double damping = 1e-2;
    rk_expected_loss_value(loss, true);
    const rk_moments last = {loss->outputs.mean, loss->outputs.covariance};
    rk_curvature_fill(loss->work, &m->curvature, loss->student->net, &loss->input, &loss->tape[0],
                      last, kfac);
    return rk_kfac_invert(loss->work, kfac, damping);
}

static rk_status finish(job *j, rk_mechanistic *m, rk_sampled_steps_spec *spec, rk_error *error) {
    rk_distill_data *data = &j->answer->data;
    rk_kfac kfac = rk_kfac_take(j->course.work, j->student.net, j->student.net->n_layers);
    const double so_far = rk_course_flops(&j->course);
    rk_course_phase(&j->course, RK_PHASE_SAMPLES, 1, 1);
    if (hold_curvature(m->loss, m, &kfac)) spec->kfac = &kfac;
    spec->flops =
        fmax(so_far * (1 / closure_share(j) - 1),
             USUAL_STEPS * rk_sampled_steps_flops(j->teacher, &j->student, &j->input, spec));
    rk_error found;
    rk_status status = rk_sampled_steps_run(&j->course, j->teacher, &j->student, &j->input, spec,
                                            &data->sample_steps, &found);
    if (status == RK_ERROR_NUMERIC) { /* the student is what it was */
        rk_warnings_add(&j->answer->warnings, "no finish: %s", found.message);
        return RK_OK;
    }
    data->finished = data->sample_steps > 0;
    return status == RK_OK ? RK_OK : rk_fail(error, status, "%s", found.message);
}

static rk_status descend(job *j, rk_expected_loss *loss, rk_error *error) {
    rk_distill_data *data = &j->answer->data;
    rk_sampled_steps_spec spec = steps_spec(j);
    const bool finished = finishes(j, &spec);
    rk_mechanistic_spec how = rk_mechanistic_default();
    how.costs = &j->costs;
    const bool bounded = j->options.budget_flops > 0 || j->options.budget_seconds > 0;
    rk_mechanistic m;
    if (bounded && !finished) how.tolerance = 1e-6; /* a budget is there to be spent */
    rk_status status = rk_mechanistic_create(&m, loss, &j->course, &how, error);
    if (status != RK_OK) return status;
    rk_course_phase(&j->course, RK_PHASE_CLOSURE, finished ? closure_share(j) : 1,
                    how.max_iterations);
    status = rk_mechanistic_run(&m, &data->closure_loss, error);
    data->closure_steps = m.steps;
    if (status == RK_OK && finished && !j->course.stopped) status = finish(j, &m, &spec, error);
    rk_mechanistic_free(&m);
    return status;
}

static rk_status train(job *j, rk_work *work, rk_error *error) {
    rk_distill_data *data = &j->answer->data;
    const bool expects = is_mechanistic(j) || starts_from_pivots(j);
    rk_expected_loss loss = {.work = NULL};
    rk_status status = RK_OK;
    rk_course_phase(&j->course, RK_PHASE_START, 1, 1);
    if (expects)
        status = rk_expected_loss_create(&loss, work, j->teacher, &j->student, &j->input, &j->pairs,
                                         error);
    if (status != RK_OK) return status;
    if (expects) data->teacher_square = loss.square;
    if (starts_from_pivots(j)) {
        status = rk_pivots_start(&loss, j->options.seed, &data->closure_loss, error);
        if (status == RK_OK) rk_parameters_moved(&j->student);
        if (status == RK_OK && !is_mechanistic(j)) {
            data->closure_loss = (double)NAN;
            rk_expected_loss_value(&loss, true);
            rk_balance(work, &j->student, &loss.tape[0]);
        }
    }
    if (status == RK_OK && expects && j->course.stopped)
        status = rk_fail(error, RK_ERROR_INTERRUPTED, "interrupted before there was a student");
    if (status == RK_OK && is_mechanistic(j)) status = descend(j, &loss, error);
    if (status == RK_OK && !is_mechanistic(j)) {
        const rk_sampled_steps_spec spec = steps_spec(j);
        rk_course_phase(&j->course, RK_PHASE_SAMPLES, 1, 1);
        status = rk_sampled_steps_run(&j->course, j->teacher, &j->student, &j->input, &spec,
                                      &data->sample_steps, error);
    }
    if (expects) rk_expected_loss_free(&loss);
    return status;
}

static rk_status take_receipt(job *j, rk_work *work, rk_error *error) {
    rk_distill_data *data = &j->answer->data;
    rk_loss_receipt receipt = {.loss = (double)NAN};
    const rk_course_end end = rk_course_finish(&j->course);
    data->interrupted = end.interrupted;
    data->flops = end.flops;
    data->seconds = end.seconds;
    rk_status status =
        rk_loss_receipt_take(work, j->given, j->student.net, &j->input, j->options.seed,
                             j->options.receipt_samples, &receipt, error);
    if (work->dry || status != RK_OK) return status;
    data->receipt_flops = rk_course_flops(&j->course) - data->flops;
    if (work->interrupted) {
        rk_warnings_add(&j->answer->warnings, "interrupted: there is no receipt");
        return RK_OK;
    }
    data->receipt_samples = receipt.samples;
    data->loss = receipt.loss;
    data->loss_standard_error = receipt.standard_error;
    data->true_teacher_square = receipt.square;
    return RK_OK;
}

/* ------------------------------------------------------------------------------------ runs */

/* No memory for it: the next one, then. */
static void save(void *context, const rk_train_point *now) {
    job *j = context;
    rk_network *best;
    rk_parameters_moved(&j->student);
    if (rk_pairing_tighten(&best, j->student.net, NULL) != RK_OK) return;
    j->options.checkpoint(j->options.checkpoint_context, best, now);
    rk_network_destroy(best);
}

static rk_status run(void *context, rk_work *work, rk_error *error) {
    job *j = context;
    rk_course_start(&j->course, work);
    const size_t mark = rk_work_mark(work);
    rk_status status = train(j, work, error);
    rk_work_release(work, mark);
    if (status == RK_OK) status = take_receipt(j, work, error);
    return status;
}

static void say_what_was_found(job *j) {
    rk_distill_data *d = &j->answer->data;
    const double closure = d->closure_loss, square = d->true_teacher_square;
    if (!d->finished && d->receipt_samples && isfinite(closure) &&
        fabs(closure - d->loss) > 4 * d->loss_standard_error + 0.05 * square)
        rk_warnings_add(&j->answer->warnings,
                        "the closure's loss, %.3g, is not the true one, %.3g +- %.2g: its "
                        "assumptions do not hold here",
                        closure, d->loss, d->loss_standard_error);
    const rk_distill_options *o = &j->options;
    const bool dear = o->budget_flops > 0 && d->flops > SLACK * o->budget_flops;
    d->unmet = dear || (o->budget_seconds > 0 && d->seconds > SLACK * o->budget_seconds);
    if (d->unmet)
        rk_warnings_add(&j->answer->warnings, "it took %.3g %s: the start and a step are no less",
                        dear ? d->flops : d->seconds, dear ? "FLOPs" : "seconds");
    if (j->course.lost) rk_warnings_add(&j->answer->warnings, "no memory for all of the curve");
}

static rk_status deliver(job *j, const rk_train_run *done, rk_error *error) {
    rk_distilled *a = j->answer;
    rk_status status = rk_pairing_tighten(&a->student, j->student.net, error);
    if (status != RK_OK) return status;
    a->curve = j->course.curve;
    j->course.curve = NULL;
    a->data.student = a->student;
    a->data.curve = a->curve;
    a->data.n_curve = j->course.n_curve;
    a->data.seed = j->options.seed;
    a->data.bytes = done->bytes;
    a->data.threads = done->threads;
    say_what_was_found(j);
    a->data.n_warnings = a->warnings.n;
    return RK_OK;
}

rk_status rk_distill(rk_distilled **out, const rk_network *teacher, const rk_input *input,
                     const rk_distill_options *options, rk_error *error) {
    *out = NULL;
    job j = {.given = teacher};
    rk_status status = accept(&j.options, options, error);
    if (status != RK_OK) return status;
    const rk_distill_options *o = &j.options;
    j.pairs = (rk_pairs_spec){o->pairs, o->pairs_order};
    rk_train_run doing = {.name = "the distillation",
                          .options = rk_train_options(o->threads, o->memory_limit, o->context),
                          .run = run,
                          .context = &j};
    j.course = (rk_course){.budget_flops = o->budget_flops,
                           .budget_seconds = o->budget_seconds,
                           .progress = o->progress,
                           .context = o->progress_context,
                           .save = o->checkpoint ? save : NULL,
                           .save_context = &j,
                           .save_seconds = o->checkpoint_seconds};
    status = teacher ? check_options(&j, error) : rk_fail(error, RK_ERROR_ARGUMENT, "no teacher");
    if (status == RK_OK)
        status = rk_train_check_network(teacher, "distillation", "teacher", o->pairs, error);
    if (status == RK_OK)
        status = rk_input_accept(&j.input, &j.symmetric, input, rk_network_n_in(teacher), error);
    if (status == RK_OK && j.input.third_cumulant)
        status = rk_fail(error, RK_ERROR_UNSUPPORTED, "distillation takes Gaussian inputs only");
    if (status == RK_OK) status = prepare(&j, error);
    if (status == RK_OK) status = rk_distilled_create(&j.answer, error);
    if (status == RK_OK) status = rk_train_run_do(&doing, error);
    if (status == RK_OK) status = deliver(&j, &doing, error);
    if (status == RK_OK)
        *out = j.answer;
    else
        rk_distilled_destroy(j.answer);
    rk_course_free(&j.course);
    rk_parameters_free(&j.student);
    rk_network_destroy(j.teacher);
    free(j.symmetric);
    return status;
}

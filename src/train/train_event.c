/* A network and an event in, a network for which it is rarer out. */
#include "train/course.h"
#include "train/event_request.h"
#include "train/event_truth.h"
#include "train/loss_receipt.h"
#include "train/rare_path.h"
#include "train/run.h"
#include "train/trained.h"

#include <math.h>

/* Passes that look on the way whether the target is met, of those for the answer. */
static const double GLANCE = 0.2;

/* Of the target, in nats, what the closure must have seen before: it may see less than there is. */
static const double HOPEFUL = 0.2;

/* The factor that the steps saw is another than the true one by more than that: users are told. */
static const double PART_WAYS = 10;

/* In errors, by how much passes must say that the event is rarer. */
static const double CERTAIN = 2;

/* Of log P: there P is 0, and nothing is left to be gained. */
#define OUT_OF_SIGHT (-745.0)

typedef struct job {
    rk_event_request asked;
    rk_parameters of;
    rk_course course;
    rk_train_run run;
    rk_trained *answer;
    double first_view, last_view; /* log P as the steps saw it */
    bool ended, met;              /* the allowance is used up; the target is met */
    bool is_seen;                 /* before, by passes */
    size_t found_again;
} job;

/* -------------------------------------------------------------------------------------- the truth
 */

static bool hear(void *context, double fraction) {
    rk_course *course = context;
    (void)fraction;
    return course->work->progress(course->work->progress_context, 0);
}

static rk_status find_truth(job *j, const rk_network *net, double share, bool checked,
                            rk_event_truth *out, rk_error *error) {
    rk_options options = j->run.options;
    options.seed = j->asked.options.seed;
    options.samples = (uint64_t)fmax(1000, share * (double)j->asked.options.samples);
    options.progress = hear;
    options.progress_context = &j->course;
    const rk_status status =
        rk_event_truth_find(out, net, &j->asked.input, j->asked.event, &options, checked, error);
    if (status == RK_OK) j->answer->data.receipt_flops += out->flops;
    return status;
}

static void say_apart(job *j, const rk_event_truth *truth, const char *when) {
    if (truth->apart)
        rk_warnings_add(&j->answer->warnings,
                        "%s, passes by %s say 10^%.2f, those by %s 10^%.2f: the larger is taken",
                        when, truth->estimate.method, truth->estimate.log10_p, truth->check.method,
                        truth->check.log10_p);
}

static rk_status see_before(job *j, rk_error *error) {
    rk_train_event_data *data = &j->answer->data;
    rk_event_truth truth;
    const rk_status status = find_truth(j, j->asked.net, 1, true, &truth, error);
    if (status != RK_OK) return status;
    data->before = truth.estimate;
    data->before_check = truth.check;
    j->is_seen = truth.estimate.p > 0;
    say_apart(j, &truth, "before");
    if (!j->is_seen && !j->course.stopped)
        rk_warnings_add(&j->answer->warnings, "the event is out of sight, P is 0: nothing is to "
                                              "be gained, and the network stays what it was");
    return RK_OK;
}

/* By so many of the passes for the answer. */
static rk_status is_met(job *j, double share, rk_error *error) {
    rk_event_truth truth;
    const rk_status status = find_truth(j, j->of.net, share, share == 1, &truth, error);
    const double fall = j->answer->data.before.log10_p - truth.estimate.log10_p;
    j->met = status == RK_OK && fall >= log10(j->asked.options.target_factor);
    return status;
}

/* Whether the target is met: fewer passes say whether it is worth asking those that decide. */
static rk_status look(job *j, rk_error *error) {
    const double seen = (j->first_view - j->last_view) / log(10);
    if (!(seen > HOPEFUL * log10(j->asked.options.target_factor))) return RK_OK;
    rk_status status = is_met(j, GLANCE, error);
    if (status == RK_OK && j->met) status = is_met(j, 1, error);
    return status;
}

/* ------------------------------------------------------------------------------------------- runs
 */

static rk_status note(job *j, const rk_rare_path *p, rk_error *error) {
    const rk_event_point point = {.step = p->steps,
                                  .closure_loss = p->closure_loss,
                                  .loss = p->loss,
                                  .loss_standard_error = p->standard_error,
                                  .log10_normal = p->objective.log_normal / log(10),
                                  .log10_tilts = p->objective.log_tilts / log(10),
                                  .n_modes = p->objective.modes.count,
                                  .flops = rk_course_flops(&j->course),
                                  .seconds = rk_course_seconds(&j->course)};
    if (p->steps == 1) j->first_view = p->log_p;
    j->last_view = p->log_p;
    return rk_trained_point(j->answer, &point, error);
}

static rk_status follow(job *j, rk_rare_path *p, rk_error *error) {
    rk_status status = RK_OK;
    while (status == RK_OK && !p->ended && !j->met && !(p->log_p < OUT_OF_SIGHT) &&
           p->steps < j->asked.options.max_steps) {
        status = rk_rare_path_look(p, error);
        if (status != RK_OK || p->ended || p->work->interrupted) break;
        if (p->steps > 0 && p->is_sound) rk_course_best(&j->course);
        status = rk_rare_path_step(p, error);
        if (p->work->dry) return status;
        if (status != RK_OK || p->work->interrupted) break;
        status = note(j, p, error);
        if (status == RK_OK && !rk_course_point(&j->course, p->steps, p->closure_loss)) break;
        if (status == RK_OK && j->asked.options.target_factor > 0) status = look(j, error);
    }
    if (status == RK_ERROR_NUMERIC && p->steps > 0) { /* so far, so good */
        rk_warnings_add(&j->answer->warnings, "%s", error ? error->message : "no way on");
        status = RK_OK;
    }
    j->ended = p->ended || p->log_p < OUT_OF_SIGHT;
    j->found_again = p->objective.found_again;
    return status;
}

static rk_status walk(job *j, rk_work *work, rk_error *error) {
    const rk_train_event_options *o = &j->asked.options;
    const size_t mark = rk_work_mark(work);
    rk_rare_path_spec spec = rk_rare_path_default();
    spec.view = o->view;
    spec.keep.pairs = (rk_pairs_spec){o->pairs, o->pairs_order};
    spec.keep.seed = o->seed;
    spec.keep.input = &j->asked.input;
    if (o->data)
        spec.keep.data = &j->asked.data;
    else
        spec.keep.teacher = j->asked.keep;
    spec.allowance = o->keep_loss;
    rk_rare_path path;
    rk_course_phase(&j->course, RK_PHASE_CLOSURE, 1, o->max_steps);
    rk_status status = rk_rare_path_create(&path, work, &spec, &j->of, &j->asked.rare, error);
    if (status != RK_OK) return status;
    status = follow(j, &path, error);
    rk_rare_path_free(&path);
    rk_work_release(work, mark);
    return status;
}

/* ------------------------------------------------------------------------------------- the end */

/* Beyond what passes may be wrong by. */
static bool is_rarer(const rk_tail_estimate *before, const rk_tail_estimate *after) {
    const double fall = before->log10_p - after->log10_p;
    const double squares = log1p(before->cv * before->cv) + log1p(after->cv * after->cv);
    return fall == INFINITY || fall * log(10) > CERTAIN * sqrt(squares);
}

/* A network that is other than it was, for nothing, is worth less. */
static rk_status stay(job *j, rk_error *error) {
    rk_train_event_data *data = &j->answer->data;
    data->unchanged = true;
    data->after = data->before;
    data->after_check = data->before_check;
    rk_parameters_free(&j->of);
    return rk_parameters_create(&j->of, j->asked.net, error);
}

/* Interrupted steps are left as they are: one goes on from them. */
static rk_status weigh(job *j, rk_error *error) {
    rk_train_event_data *data = &j->answer->data;
    rk_event_truth truth;
    if (!j->is_seen || data->n_curve == 0) return stay(j, error);
    const rk_status status = find_truth(j, j->of.net, 1, true, &truth, error);
    if (status != RK_OK) return status;
    data->after = truth.estimate;
    data->after_check = truth.check;
    say_apart(j, &truth, "after");
    if (data->interrupted || j->course.stopped || is_rarer(&data->before, &data->after))
        return RK_OK;
    rk_warnings_add(&j->answer->warnings,
                    "passes do not say that the event is rarer, 10^%.2f and 10^%.2f: the network "
                    "stays what it was",
                    data->before.log10_p, data->after.log10_p);
    return stay(j, error);
}

static rk_status weigh_data(job *j, rk_work *work, rk_error *error) {
    rk_train_event_data *data = &j->answer->data;
    double before = NAN, after = NAN;
    rk_status status = rk_data_receipt_take(work, &j->asked.data, j->asked.net, &before, error);
    if (status == RK_OK)
        status = rk_data_receipt_take(work, &j->asked.data, j->of.net, &after, error);
    if (work->dry || status != RK_OK) return status;
    data->data_loss_before = before;
    data->data_loss_after = after;
    data->square = rk_data_receipt_unit(&j->asked.data, rk_network_n_out(j->asked.net));
    data->loss = (after - before) / data->square;
    data->loss_standard_error = 0;
    data->receipt_samples = work->interrupted ? 0 : j->asked.data.n;
    return RK_OK;
}

static rk_status weigh_loss(job *j, rk_work *work, rk_error *error) {
    rk_train_event_data *data = &j->answer->data;
    rk_loss_receipt receipt = {.loss = (double)NAN};
    if (j->asked.data.n > 0) return weigh_data(j, work, error);
    const rk_status status =
        rk_loss_receipt_take(work, j->asked.keep, j->of.net, &j->asked.input, j->asked.options.seed,
                             j->asked.options.receipt_samples, &receipt, error);
    if (work->dry || status != RK_OK) return status;
    data->receipt_samples = receipt.samples;
    data->loss = receipt.loss / receipt.square;
    data->loss_standard_error = receipt.standard_error / receipt.square;
    data->square = receipt.square;
    return RK_OK;
}

static rk_status see_after(job *j, rk_work *work, rk_error *error) {
    rk_train_event_data *data = &j->answer->data;
    const rk_course_end end = rk_course_finish(&j->course);
    rk_status status = RK_OK;
    data->interrupted = end.interrupted;
    data->seconds = end.seconds;
    data->flops = end.flops;
    if (!work->dry) status = weigh(j, error);
    if (status == RK_OK) status = weigh_loss(j, work, error);
    if (!work->dry) data->receipt_flops += rk_course_flops(&j->course) - end.flops;
    return status;
}

static void save(void *context, const rk_train_point *now) {
    const job *j = context;
    j->asked.options.checkpoint(j->asked.options.checkpoint_context, j->of.net, now);
}

static rk_status run(void *context, rk_work *work, rk_error *error) {
    job *j = context;
    rk_status status = RK_OK;
    rk_course_start(&j->course, work);
    rk_course_phase(&j->course, RK_PHASE_START, 1, 1);
    if (!work->dry) status = see_before(j, error);
    if (status == RK_OK && (work->dry || (j->is_seen && !j->course.stopped)))
        status = walk(j, work, error);
    if (status == RK_OK) status = see_after(j, work, error);
    return status;
}

static void say_what_was_found(job *j) {
    rk_train_event_data *d = &j->answer->data;
    rk_warnings *w = &j->answer->warnings;
    const double wanted = j->asked.options.target_factor, allowed = j->asked.options.keep_loss;
    const double seen = (j->first_view - j->last_view) / log(10);
    d->log10_factor = d->before.log10_p - d->after.log10_p;
    d->found_again = j->found_again;
    d->unmet = d->unchanged;
    if (d->unchanged) return;
    if (isfinite(d->log10_factor) && fabs(seen - d->log10_factor) > log10(PART_WAYS))
        rk_warnings_add(w,
                        "the steps saw P fall by 10^%.1f; by passes it was 10^%.1f: the closure "
                        "and the truth part ways",
                        seen, d->log10_factor);
    if (d->found_again)
        rk_warnings_add(w, "the event came about in new ways, which were found, %zu times",
                        d->found_again);
    const bool dear = d->loss - 2 * d->loss_standard_error > allowed;
    const bool missed = wanted > 0 && !(d->log10_factor >= log10(wanted));
    if (dear) rk_warnings_add(w, "the ordinary loss is %.3g, not %.3g", d->loss, allowed);
    if (missed)
        rk_warnings_add(w, "P has fallen by 10^%.2f, not by %g: %s", d->log10_factor, wanted,
                        j->ended ? "an ordinary loss of keep_loss pays for no more"
                                 : "too few steps");
    else if (!j->ended && !j->met && !d->interrupted)
        rk_warnings_add(w, "max_steps were too few to spend keep_loss");
    d->unmet = dear || missed;
}

static rk_status deliver(job *j, rk_error *error) {
    rk_trained *a = j->answer;
    const rk_status status =
        rk_network_create(&a->network, j->of.net->layers, j->of.net->n_layers, error);
    if (status != RK_OK) return status;
    say_what_was_found(j);
    if (a->data.n_curve > 0 && !a->data.unchanged)
        a->data.closure_loss = a->curve[a->data.n_curve - 1].closure_loss;
    a->data.network = a->network;
    a->data.curve = a->curve;
    a->data.seed = j->asked.options.seed;
    a->data.bytes = j->run.bytes;
    a->data.threads = j->run.threads;
    a->data.warnings = a->warnings.list;
    a->data.n_warnings = a->warnings.n;
    return RK_OK;
}

rk_status rk_train_event(rk_trained **out, const rk_network *net, const rk_input *input,
                         const rk_event *event, const rk_train_event_options *options,
                         rk_error *error) {
    *out = NULL;
    job j = {.answer = NULL};
    rk_status status = rk_event_request_accept(&j.asked, net, input, event, options, error);
    const rk_train_event_options *o = &j.asked.options;
    j.course = (rk_course){.progress = o->progress,
                           .context = o->progress_context,
                           .save = o->checkpoint ? save : NULL,
                           .save_context = &j,
                           .save_seconds = o->checkpoint_seconds};
    j.run = (rk_train_run){.name = "training against an event",
                           .options = rk_train_options(o->threads, o->memory_limit, o->context),
                           .run = run,
                           .context = &j};
    if (status == RK_OK) status = rk_parameters_create(&j.of, net, error);
    if (status == RK_OK) status = rk_trained_create(&j.answer, error);
    if (status == RK_OK) status = rk_train_run_do(&j.run, error);
    if (status == RK_OK) status = deliver(&j, error);
    if (status == RK_OK)
        *out = j.answer;
    else
        rk_trained_destroy(j.answer);
    rk_course_free(&j.course);
    rk_parameters_free(&j.of);
    rk_event_request_free(&j.asked);
    return status;
}

/* A network and an event in, a network for which it is rarer out. */
#include "base/size.h"
#include "estimate/words.h"
#include "network/input.h"
#include "tail/event.h"
#include "train/course.h"
#include "train/event_truth.h"
#include "train/loss_receipt.h"
#include "train/rare_path.h"
#include "train/run.h"
#include "train/trained.h"

#include <math.h>
#include <stdlib.h>

/* Passes that look on the way whether the target is met, of those for the answer. */
static const double GLANCE = 0.2;

/* Of the target, in nats, what the closure must have seen before: it may see less than there is. */
static const double HOPEFUL = 0.2;

/* The factor that the steps saw is another than the true one by more than that: users are told. */
static const double PART_WAYS = 10;

typedef struct job {
    rk_train_event_options options;
    const rk_network *net, *keep;
    const rk_event *event;
    rk_input input;
    double *symmetric;
    rk_rare_event rare;
    rk_parameters of;
    rk_course course;
    rk_train_run run;
    rk_trained *answer;
    double first_view, last_view; /* log P as the steps saw it */
    bool ended, met;              /* the allowance is used up; the target is met */
    size_t found_again;
} job;

/* ----------------------------------------------------------------------------------- what is asked
 */

static rk_status accept(rk_train_event_options *own, const rk_train_event_options *asked,
                        rk_error *error) {
    const rk_train_event_options standard = rk_train_event_options_default();
    if (!asked) asked = &standard;
    if (rk_read_sized(own, sizeof *own, sizeof *own, asked)) return RK_OK;
    return rk_fail(error, RK_ERROR_ARGUMENT, RK_SIZE_IS_NONE, "rk_train_event_options", asked->size,
                   sizeof *own);
}

static rk_status check_options(const job *j, rk_error *error) {
    const rk_train_event_options *o = &j->options;
    if (!(o->keep_loss > 0 && o->keep_loss < 1))
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "keep_loss is %g, and not between 0 and 1: a part of the outputs' second "
                       "moment, 1e-3 for example",
                       o->keep_loss);
    if (!(o->target_factor == 0 || (o->target_factor > 1 && isfinite(o->target_factor))))
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "target_factor is %g, and not above 1: 1000 makes the event a thousand "
                       "times rarer",
                       o->target_factor);
    if (o->pairs == RK_PAIRS_COMPLETED &&
        (o->pairs_order < 1 || o->pairs_order > RK_PAIRS_MAX_ORDER))
        return rk_fail(error, RK_ERROR_ARGUMENT, "pairs_order is %d, and not 1 to %d",
                       o->pairs_order, RK_PAIRS_MAX_ORDER);
    if (o->pairs == RK_PAIRS_FIRST)
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "to first order a network differs from itself: take completed or exact "
                       "pairs");
    if (o->max_steps == 0 || o->samples == 0)
        return rk_fail(error, RK_ERROR_ARGUMENT, "there must be steps and samples");
    return RK_OK;
}

static rk_status check_network(const job *j, const rk_network *net, rk_error *error) {
    const rk_status status = rk_network_check_plain(net, "training against an event", error);
    if (status != RK_OK) return status;
    if (net->n_layers < 2)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "the network has no hidden layer");
    if (rk_network_is_activated(net, net->n_layers - 1))
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "the network's output has an activation (%s): train what is below it",
                       rk_activation_name(net->layers[net->n_layers - 1].activation.kind));
    for (size_t l = 0; l + 1 < net->n_layers; l++)
        if (j->options.pairs == RK_PAIRS_EXACT && isnan(rk_pairs_kink(&net->layers[l].activation)))
            return rk_fail(error, RK_ERROR_UNSUPPORTED,
                           "layer %zu: exact pairs are not known of %s; take completed ones", l + 1,
                           rk_activation_name(net->layers[l].activation.kind));
    return RK_OK;
}

static rk_status check_keep(const job *j, rk_error *error) {
    const rk_network *a = j->net, *b = j->keep;
    if (a->n_layers == b->n_layers && rk_network_n_in(a) == rk_network_n_in(b) &&
        rk_network_n_out(a) == rk_network_n_out(b))
        return check_network(j, b, error);
    return rk_fail(
        error, RK_ERROR_UNSUPPORTED,
        "the network to keep to has %zu layers, %zu inputs and %zu outputs, and not %zu, "
        "%zu and %zu",
        b->n_layers, rk_network_n_in(b), rk_network_n_out(b), a->n_layers, rk_network_n_in(a),
        rk_network_n_out(a));
}

static rk_status prepare(job *j, const rk_input *input, rk_error *error) {
    rk_status status = check_options(j, error);
    if (status == RK_OK) status = check_network(j, j->net, error);
    if (status == RK_OK) status = check_keep(j, error);
    if (status == RK_OK) status = rk_event_check(j->event, j->net, error);
    if (status == RK_OK)
        status = rk_input_accept(&j->input, &j->symmetric, input, rk_network_n_in(j->net), error);
    if (status == RK_OK && j->input.third_cumulant)
        status = rk_fail(error, RK_ERROR_UNSUPPORTED,
                         "training against an event takes Gaussian inputs only");
    if (status == RK_OK)
        status = rk_rare_event_create(&j->rare, j->net, j->event, &j->input, error);
    if (status == RK_OK) status = rk_parameters_create(&j->of, j->net, error);
    if (status == RK_OK) status = rk_trained_create(&j->answer, error);
    return status;
}

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
    options.seed = j->options.seed;
    options.samples = (uint64_t)fmax(1000, share * (double)j->options.samples);
    options.progress = hear;
    options.progress_context = &j->course;
    const rk_status status =
        rk_event_truth_find(out, net, &j->input, j->event, &options, checked, error);
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
    const rk_status status = find_truth(j, j->net, 1, true, &truth, error);
    if (status != RK_OK) return status;
    data->before = truth.estimate;
    data->before_check = truth.check;
    say_apart(j, &truth, "before");
    return RK_OK;
}

/* By so many of the passes for the answer. */
static rk_status is_met(job *j, double share, rk_error *error) {
    rk_event_truth truth;
    const rk_status status = find_truth(j, j->of.net, share, share == 1, &truth, error);
    const double fall = j->answer->data.before.log10_p - truth.estimate.log10_p;
    j->met = status == RK_OK && fall >= log10(j->options.target_factor);
    return status;
}

/* Whether the target is met: fewer passes say whether it is worth asking those that decide. */
static rk_status look(job *j, rk_error *error) {
    const double seen = (j->first_view - j->last_view) / log(10);
    if (!(seen > HOPEFUL * log10(j->options.target_factor))) return RK_OK;
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
    while (status == RK_OK && !p->ended && !j->met && p->steps < j->options.max_steps) {
        status = rk_rare_path_step(p, error);
        if (p->work->dry) return status;
        if (status != RK_OK || p->work->interrupted) break;
        status = note(j, p, error);
        if (status == RK_OK && !rk_course_point(&j->course, p->steps, p->closure_loss)) break;
        if (status == RK_OK && j->options.target_factor > 0) status = look(j, error);
    }
    if (status == RK_ERROR_NUMERIC && p->steps > 0) { /* so far, so good */
        rk_warnings_add(&j->answer->warnings, "%s", error ? error->message : "no way on");
        status = RK_OK;
    }
    j->ended = p->ended;
    j->found_again = p->objective.found_again;
    return status;
}

static rk_status walk(job *j, rk_work *work, rk_error *error) {
    const rk_train_event_options *o = &j->options;
    const size_t mark = rk_work_mark(work);
    rk_rare_path_spec spec = rk_rare_path_default();
    spec.view = o->view;
    spec.pairs = (rk_pairs_spec){o->pairs, o->pairs_order};
    spec.allowance = o->keep_loss;
    spec.seed = o->seed;
    rk_rare_path path;
    rk_course_phase(&j->course, RK_PHASE_CLOSURE, 1, o->max_steps);
    rk_status status =
        rk_rare_path_create(&path, work, &spec, j->keep, &j->of, &j->rare, &j->input, error);
    if (status != RK_OK) return status;
    status = follow(j, &path, error);
    rk_rare_path_free(&path);
    rk_work_release(work, mark);
    return status;
}

static rk_status see_after(job *j, rk_work *work, rk_error *error) {
    rk_train_event_data *data = &j->answer->data;
    rk_loss_receipt receipt = {.loss = (double)NAN};
    rk_event_truth truth;
    data->interrupted = j->course.stopped;
    data->seconds = rk_course_seconds(&j->course);
    data->flops = rk_course_flops(&j->course);
    j->course.stopped = false;
    rk_course_phase(&j->course, RK_PHASE_RECEIPT, 1, 1);
    rk_status status = rk_loss_receipt_take(work, j->keep, j->of.net, &j->input, j->options.seed,
                                            j->options.receipt_samples, &receipt, error);
    if (work->dry || status != RK_OK) return status;
    data->receipt_flops += rk_course_flops(&j->course) - data->flops;
    data->receipt_samples = receipt.samples;
    data->loss = receipt.loss / receipt.square;
    data->loss_standard_error = receipt.standard_error / receipt.square;
    data->square = receipt.square;
    status = find_truth(j, j->of.net, 1, true, &truth, error);
    if (status != RK_OK) return status;
    data->after = truth.estimate;
    data->after_check = truth.check;
    say_apart(j, &truth, "after");
    return RK_OK;
}

static rk_status run(void *context, rk_work *work, rk_error *error) {
    job *j = context;
    rk_status status = RK_OK;
    rk_course_start(&j->course, work);
    rk_course_phase(&j->course, RK_PHASE_START, 1, 1);
    if (!work->dry) status = see_before(j, error);
    if (status == RK_OK) status = walk(j, work, error);
    if (status == RK_OK) status = see_after(j, work, error);
    return status;
}

static void say_what_was_found(job *j) {
    rk_train_event_data *d = &j->answer->data;
    rk_warnings *w = &j->answer->warnings;
    const double wanted = j->options.target_factor, allowed = j->options.keep_loss;
    const double seen = (j->first_view - j->last_view) / log(10);
    d->log10_factor = d->before.log10_p - d->after.log10_p;
    d->found_again = j->found_again;
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
    if (a->data.n_curve > 0) a->data.closure_loss = a->curve[a->data.n_curve - 1].closure_loss;
    a->data.network = a->network;
    a->data.curve = a->curve;
    a->data.seed = j->options.seed;
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
    job j = {.net = net, .keep = net, .event = event};
    rk_status status = accept(&j.options, options, error);
    if (status != RK_OK) return status;
    const rk_train_event_options *o = &j.options;
    if (o->keep) j.keep = o->keep;
    j.course = (rk_course){.progress = o->progress, .context = o->progress_context};
    j.run = (rk_train_run){.name = "training against an event",
                           .options = rk_train_options(o->threads, o->memory_limit, o->context),
                           .run = run,
                           .context = &j};
    status = prepare(&j, input, error);
    if (status == RK_OK) status = rk_train_run_do(&j.run, error);
    if (status == RK_OK) status = deliver(&j, error);
    if (status == RK_OK)
        *out = j.answer;
    else
        rk_trained_destroy(j.answer);
    rk_course_free(&j.course);
    rk_parameters_free(&j.of);
    rk_rare_event_free(&j.rare);
    free(j.symmetric);
    return status;
}

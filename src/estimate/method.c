#include "estimate/method.h"

#include "base/size.h"
#include "base/stream.h"
#include "cumulant/expand.h"
#include "estimate/error_model.h"
#include "estimate/flops.h"
#include "network/homogeneous.h"
#include "propagate/covariance.h"
#include "propagate/gain.h"
#include "propagate/mean.h"
#include "propagate/third.h"
#include "sample/division.h"
#include "sample/sample.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A word sets one field of rk_method_arguments. */
typedef struct word {
    const char *text;
    size_t field;
    int value;
} word;

enum { RANK_FULL = -1, RANK_LOW = 8, OLD_AUTO = 0, OLD_FOLDED, OLD_EXACT };
enum { REACH_AUTO = 0, REACH_NONE = -1, REACH_LEAN = 4, REACH_FULL = 3 };

/* The width from which folding old sources saves time, not only FLOPs: docs/FRONTIER.md. */
static const size_t FOLD_FROM = 512;

#define WORD(text, field, value)                                                                   \
    { text, offsetof(rk_method_arguments, field), value }

static const word mean_words[] = {WORD("simple", unit_variance, 0),
                                  WORD("base", unit_variance, 1),
                                  WORD("metric=exact", metric, RK_METRIC_EXACT),
                                  WORD("metric=avg", metric, RK_METRIC_AVERAGE),
                                  {NULL, 0, 0}};
static const word reference_words[] = {WORD("1", K, 1),
                                       WORD("2", K, 2),
                                       WORD("3", K, 3),
                                       WORD("4", K, 4),
                                       WORD("simple", kind, RK_REFERENCE_SIMPLE),
                                       WORD("augment", kind, RK_REFERENCE_AUGMENT),
                                       WORD("base", kind, RK_REFERENCE_BASE),
                                       WORD("factored", dense, 0),
                                       WORD("dense", dense, 1),
                                       WORD("metric=exact", metric, RK_METRIC_EXACT),
                                       WORD("metric=avg", metric, RK_METRIC_AVERAGE),
                                       {NULL, 0, 0}};
static const word third_words[] = {WORD("metric=exact", metric, RK_METRIC_EXACT),
                                   WORD("metric=avg", metric, RK_METRIC_AVERAGE),
                                   WORD("gauge=auto", gauge, RK_GAUGE_AUTO),
                                   WORD("gauge=none", gauge, RK_GAUGE_NONE),
                                   WORD("gauge=zero", gauge, RK_GAUGE_ZERO),
                                   WORD("gauge=diagonal", gauge, RK_GAUGE_DIAGONAL),
                                   WORD("gauge=lean", gauge, RK_GAUGE_LEAN),
                                   WORD("gauge=full", gauge, RK_GAUGE_FULL),
                                   WORD("gauge=fitted", gauge, RK_GAUGE_FITTED),
                                   WORD("rank=auto", rank, 0),
                                   WORD("rank=full", rank, RANK_FULL),
                                   WORD("rank=8", rank, 8),
                                   WORD("rank=16", rank, 16),
                                   WORD("rank=32", rank, 32),
                                   WORD("reach=auto", reach, REACH_AUTO),
                                   WORD("reach=1", reach, 1),
                                   WORD("reach=2", reach, 2),
                                   WORD("reach=3", reach, 3),
                                   WORD("reach=4", reach, 4),
                                   WORD("reach=6", reach, 6),
                                   WORD("reach=8", reach, 8),
                                   WORD("old=auto", old, OLD_AUTO),
                                   WORD("old=folded", old, OLD_FOLDED),
                                   WORD("old=exact", old, OLD_EXACT),
                                   WORD("neurons=used", all_neurons, 0),
                                   WORD("neurons=all", all_neurons, 1),
                                   WORD("legs=float", double_legs, 0),
                                   WORD("legs=double", double_legs, 1),
                                   {NULL, 0, 0}};
static const word sample_words[] = {WORD("iid", points, RK_POINTS_IID),
                                    WORD("antithetic", points, RK_POINTS_ANTITHETIC),
                                    WORD("orthogonal", points, RK_POINTS_ORTHOGONAL),
                                    WORD("design", points, RK_POINTS_DESIGN),
                                    WORD("control", control, RK_CONTROL_FIRST),
                                    WORD("anchor", control, RK_CONTROL_ANCHOR),
                                    {NULL, 0, 0}};
static const word covariance_words[] = {
    WORD("gauge=none", angular, 0), WORD("gauge=angular", angular, 1), {NULL, 0, 0}};
static const word no_words[] = {{NULL, 0, 0}};

static rk_status check_mean(const rk_problem *problem, rk_error *error) {
    if (problem->arguments.unit_variance && problem->options.covariance)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "mean:base knows no covariance");
    return RK_OK;
}

/* The network passes a positive factor on its input through to its output. */
static rk_status check_homogeneous(const rk_problem *problem, rk_error *error) {
    for (size_t l = 0; l < problem->net->n_layers; l++) {
        const rk_layer *layer = &problem->net->layers[l];
        const rk_activation_ops *ops = rk_activation_get(layer->activation.kind);
        if (layer->bias)
            return rk_fail(error, RK_ERROR_UNSUPPORTED,
                           "this method takes positively homogeneous networks only: layer %zu has "
                           "biases",
                           l + 1);
        if (!ops->homogeneous)
            return rk_fail(error, RK_ERROR_UNSUPPORTED,
                           "this method takes positively homogeneous networks only: layer %zu is "
                           "%s",
                           l + 1, ops->name);
    }
    return RK_OK;
}

static double flops_of_mean(const rk_problem *problem) {
    const rk_method_arguments *arguments = &problem->arguments;
    rk_reference_spec spec = {.K = 1,
                              .kind = arguments->unit_variance ? RK_REFERENCE_BASE
                                                               : RK_REFERENCE_SIMPLE,
                              .metric = (rk_metric)arguments->metric};
    return rk_flops_of_reference(problem->net, &spec);
}

static rk_status run_mean(rk_work *work, const rk_problem *problem, rk_report *report,
                          rk_error *error) {
    (void)error;
    rk_mean_spec spec = {(rk_metric)problem->arguments.metric,
                         problem->arguments.unit_variance != 0};
    rk_propagate_mean(work, problem->net, &problem->input, &spec, &report->outputs);
    return RK_OK;
}

static rk_status check_covariance(const rk_problem *problem, rk_error *error) {
    if (!problem->arguments.angular) return RK_OK;
    if (problem->input.mean || problem->input.covariance)
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "covariance:gauge=angular takes standard normal inputs only");
    return check_homogeneous(problem, error);
}

static double flops_of_covariance(const rk_problem *problem) {
    rk_reference_spec spec = {.K = 2};
    return rk_flops_of_reference(problem->net, &spec);
}

static rk_status run_covariance(rk_work *work, const rk_problem *problem, rk_report *report,
                                rk_error *error) {
    (void)error;
    rk_covariance_spec spec = {problem->arguments.angular != 0};
    rk_propagate_covariance(work, problem->net, &problem->input, &spec, &report->outputs);
    return RK_OK;
}

static rk_status run_gain(rk_work *work, const rk_problem *problem, rk_report *report,
                          rk_error *error) {
    (void)error;
    rk_propagate_gain(work, problem->net, &problem->input, &report->outputs);
    return RK_OK;
}

static rk_gauge gauge_of_third(const rk_problem *problem) {
    bool more = problem->options.covariance || problem->options.cumulants;
    return rk_gauge_choose((rk_gauge)problem->arguments.gauge, problem->net, more);
}

/* All layers are relu without biases. */
static rk_status check_relu(const rk_problem *problem, rk_error *error) {
    for (size_t l = 0; l < problem->net->n_layers; l++) {
        if (!rk_network_is_activated(problem->net, l)) continue;
        const rk_layer *layer = &problem->net->layers[l];
        bool relu = layer->activation.kind == RK_RELU;
        if (!relu || rk_layer_is_biased(layer))
            return rk_fail(error, RK_ERROR_UNSUPPORTED,
                           "gauge=fitted was fitted to relu networks without biases: layer %zu %s "
                           "%s",
                           l + 1, relu ? "has" : "is",
                           relu ? "biases" : rk_activation_get(layer->activation.kind)->name);
    }
    return RK_OK;
}

static rk_status check_third(const rk_problem *problem, rk_error *error) {
    rk_gauge gauge = (rk_gauge)problem->arguments.gauge;
    bool asked = gauge != RK_GAUGE_AUTO && gauge != RK_GAUGE_NONE;
    if (asked && (problem->options.covariance || problem->options.cumulants))
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "a gauge keeps means, not covariances and cumulants");
    if (asked && !rk_network_can_be_homogeneous(problem->net))
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "a gauge needs homogeneous activations after layer 1");
    if (asked && gauge != RK_GAUGE_ZERO && !rk_network_is_homogeneous(problem->net))
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "biases after layer 1 can be had in gauge=zero only");
    bool follows = gauge == RK_GAUGE_LEAN || gauge == RK_GAUGE_FULL;
    if (problem->arguments.reach != REACH_AUTO && !follows)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "only gauge=lean and gauge=full have a reach");
    return gauge == RK_GAUGE_FITTED ? check_relu(problem, error) : RK_OK;
}

/* The same closure in the reference's form, which answers more and is slower. */
static rk_reference_spec third_as_reference(const rk_problem *problem) {
    return (rk_reference_spec){
        .K = 3, .factored = true, .metric = (rk_metric)problem->arguments.metric};
}

static double flops_of_third(const rk_problem *problem) {
    rk_reference_spec spec = third_as_reference(problem);
    return gauge_of_third(problem) == RK_GAUGE_NONE ? rk_flops_of_reference(problem->net, &spec)
                                                    : (double)NAN;
}

/* Where the observer leaves the cumulants of the output. */
typedef struct output_watch {
    const rk_network *net;
    rk_outputs *outputs;
} output_watch;

static void watch_output(void *context, size_t l, bool activated, const rk_tower *tower) {
    const output_watch *watch = context;
    if (l + 1 < watch->net->n_layers || activated != rk_network_is_activated(watch->net, l)) return;
    rk_tower_expand(tower, 3, watch->outputs->third);
    if (watch->outputs->fourth) rk_tower_expand(tower, 4, watch->outputs->fourth);
}

static rk_status propagate_reference(rk_work *work, const rk_problem *problem,
                                     const rk_reference_spec *spec, rk_report *report,
                                     rk_error *error) {
    output_watch watch = {problem->net, &report->outputs};
    rk_reference_observer observer = {watch_output, &watch};
    return rk_propagate_reference(work, problem->net, &problem->input, spec, &report->outputs,
                                  report->outputs.third ? &observer : NULL, error);
}

/* Of `net`, the one that the third order is to see. */
static rk_status guess_roles(rk_problem *problem, const rk_network *net, rk_error *error) {
    problem->roles = rk_alloc(net->n_layers, 1, sizeof *problem->roles);
    if (!problem->roles) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the plan");
    return rk_roles_guess(problem->roles, net, &problem->input, error);
}

static rk_status resolve_third(rk_problem *problem, rk_error *error) {
    rk_method_arguments *arguments = &problem->arguments;
    arguments->gauge = (int)gauge_of_third(problem);
    bool gauged = arguments->gauge != RK_GAUGE_NONE;
    bool follows = arguments->gauge == RK_GAUGE_LEAN || arguments->gauge == RK_GAUGE_FULL;
    if (arguments->rank == 0) arguments->rank = gauged ? RANK_LOW : RANK_FULL;
    if (arguments->old == OLD_AUTO)
        arguments->old = rk_network_max_width(problem->net) < FOLD_FROM ? OLD_EXACT : OLD_FOLDED;
    if (!follows)
        arguments->reach = REACH_NONE;
    else if (arguments->reach == REACH_AUTO)
        arguments->reach = arguments->gauge == RK_GAUGE_FULL ? REACH_FULL : REACH_LEAN;
    if (!gauged) arguments->all_neurons = 1;
    const rk_network *net = problem->net;
    if (gauged && !rk_network_is_homogeneous(net)) {
        rk_status status = rk_network_homogenise(&problem->homogeneous, net, error);
        if (status != RK_OK) return status;
        net = problem->homogeneous;
    }
    return arguments->all_neurons ? RK_OK : guess_roles(problem, net, error);
}

/* Hidden layers have one neuron more than wanted, their last. */
static void propagate_homogeneous(rk_work *work, const rk_problem *problem,
                                  const rk_third_spec *spec, rk_outputs *outputs) {
    const rk_network *net = problem->homogeneous;
    double **wanted = outputs->hidden_mean;
    size_t n_hidden = wanted ? net->n_layers - 1 : 0;
    double **longer = rk_work_take(work, n_hidden, sizeof *longer);
    for (size_t l = 0; l < n_hidden; l++) {
        double *mean = rk_work_doubles(work, net->layers[l].rows, 1);
        if (rk_work_charge(work, 0)) longer[l] = mean;
    }
    if (wanted && rk_work_charge(work, 0)) outputs->hidden_mean = longer;
    rk_propagate_third(work, net, &problem->input, spec, outputs);
    outputs->hidden_mean = wanted;
    if (!rk_work_charge(work, 0) || work->interrupted) return;
    for (size_t l = 0; l < n_hidden; l++)
        memcpy(wanted[l], longer[l], problem->net->layers[l].rows * sizeof *wanted[l]);
}

static rk_status run_third(rk_work *work, const rk_problem *problem, rk_report *report,
                           rk_error *error) {
    if (report->outputs.third) {
        rk_reference_spec same = third_as_reference(problem);
        return propagate_reference(work, problem, &same, report, error);
    }
    int rank = problem->arguments.rank;
    rk_third_spec spec = {.metric = (rk_metric)problem->arguments.metric,
                          .double_legs = problem->arguments.double_legs != 0,
                          .gauge = (rk_gauge)problem->arguments.gauge,
                          .rank = rank == RANK_FULL ? 0 : (size_t)rank,
                          .reach =
                              problem->arguments.reach > 1 ? (size_t)problem->arguments.reach : 1,
                          .fold = problem->arguments.old == OLD_FOLDED,
                          .roles = problem->roles};
    if (problem->homogeneous)
        propagate_homogeneous(work, problem, &spec, &report->outputs);
    else
        rk_propagate_third(work, problem->net, &problem->input, &spec, &report->outputs);
    return RK_OK;
}

static rk_reference_spec reference_spec(const rk_problem *problem) {
    const rk_method_arguments *arguments = &problem->arguments;
    return (rk_reference_spec){.K = arguments->K,
                               .kind = (rk_reference_kind)arguments->kind,
                               .factored = !arguments->dense,
                               .metric = (rk_metric)arguments->metric};
}

static rk_status check_reference(const rk_problem *problem, rk_error *error) {
    rk_reference_spec spec = reference_spec(problem);
    if (spec.K == 0)
        return rk_fail(error, RK_ERROR_ARGUMENT, "reference needs an order: reference:1 .. 4");
    if (problem->options.cumulants > spec.K)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "reference:%d knows no cumulants of degree %d",
                       spec.K, problem->options.cumulants);
    return rk_reference_check(&spec, &problem->input, problem->options.covariance, error);
}

static double flops_of_the_reference(const rk_problem *problem) {
    rk_reference_spec spec = reference_spec(problem);
    return rk_flops_of_reference(problem->net, &spec);
}

static rk_status run_reference(rk_work *work, const rk_problem *problem, rk_report *report,
                               rk_error *error) {
    rk_reference_spec spec = reference_spec(problem);
    return propagate_reference(work, problem, &spec, report, error);
}

static const rk_reference_spec fourth_spec = {.K = 4, .factored = true};

static double flops_of_fourth(const rk_problem *problem) {
    return rk_flops_of_reference(problem->net, &fourth_spec);
}

static rk_status run_fourth(rk_work *work, const rk_problem *problem, rk_report *report,
                            rk_error *error) {
    return propagate_reference(work, problem, &fourth_spec, report, error);
}

static double flops_of_sample(const rk_problem *problem) {
    const rk_method_arguments *arguments = &problem->arguments;
    const rk_division division = rk_divide((rk_point_set)arguments->points, arguments->control != 0,
                                           rk_network_n_in(problem->net), problem->options.samples);
    return rk_flops_of_sample(problem->net, division.n_passes);
}

static rk_status check_sample(const rk_problem *problem, rk_error *error) {
    if (problem->arguments.control != RK_CONTROL_ANCHOR) return RK_OK;
    if (problem->net->n_layers < 2)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "an anchor needs a hidden layer");
    return check_homogeneous(problem, error);
}

/* The first layers, up to l. */
static rk_network first_layers(const rk_network *net, size_t l) {
    return (rk_network){.n_layers = l + 1, .layers = net->layers};
}

/* Of passes whose control variate knows the first layer, over the variance: roughly what the gains
 * in docs/METHODS.md#sample are, since where to anchor hardly depends on it. */
static double noise_of_sample(const rk_problem *problem) {
    static const struct {
        double deep, shallow;
    } gain[] = {[RK_POINTS_IID] = {1.2, 16},
                [RK_POINTS_ANTITHETIC] = {1.2, 16},
                [RK_POINTS_ORTHOGONAL] = {1.6, 70},
                [RK_POINTS_DESIGN] = {2, 170}};
    size_t n_in = rk_network_n_in(problem->net);
    rk_point_set points = (rk_point_set)problem->arguments.points;
    bool has_all_bases =
        points == RK_POINTS_ORTHOGONAL &&
        rk_points_per_replicate(points, n_in) == rk_points_per_replicate(RK_POINTS_DESIGN, n_in);
    if (has_all_bases) points = RK_POINTS_DESIGN;
    double hidden = (double)problem->net->n_layers - 1;
    double passes = (double)problem->options.samples;
    return 1 / ((gain[points].deep + gain[points].shallow / (hidden * hidden)) * passes);
}

static rk_status resolve_sample(rk_problem *problem, rk_error *error) {
    if (problem->arguments.control != RK_CONTROL_ANCHOR) return RK_OK;
    problem->anchor = rk_anchor_choose(problem->net, noise_of_sample(problem));
    if (problem->anchor.layer == 0) return RK_OK; /* whose mean is known exactly */
    const rk_network below = first_layers(problem->net, problem->anchor.layer);
    return guess_roles(problem, &below, error);
}

/* What the third order makes of the layers up to the anchor. */
static rk_outputs propagate_to_anchor(rk_work *work, const rk_problem *problem) {
    const rk_network below = first_layers(problem->net, problem->anchor.layer);
    size_t n = rk_network_n_out(&below);
    rk_outputs outputs = {.mean = rk_work_doubles(work, n, 1),
                          .variance = rk_work_doubles(work, n, 1)};
    size_t mark = rk_work_mark(work);
    rk_third_spec spec = {
        .gauge = RK_GAUGE_FULL, .rank = RANK_LOW, .reach = REACH_FULL, .roles = problem->roles};
    rk_propagate_third(work, &below, &problem->input, &spec, &outputs);
    rk_work_release(work, mark);
    return outputs;
}

static rk_status run_sample(rk_work *work, const rk_problem *problem, rk_report *report,
                            rk_error *error) {
    const bool is_anchored = problem->anchor.layer > 0;
    rk_outputs anchor = {0};
    if (is_anchored) anchor = propagate_to_anchor(work, problem);
    rk_sample_spec spec = {.n_samples = problem->options.samples,
                           .seed = problem->options.seed,
                           .stream = RK_STREAM_SAMPLES,
                           .points = (rk_point_set)problem->arguments.points,
                           .control = problem->arguments.control != RK_CONTROL_NONE,
                           .anchor = problem->anchor.layer,
                           .anchor_mean = anchor.mean,
                           .lanes = (size_t)problem->options.threads};
    rk_outputs *outputs = &report->outputs;
    rk_sample_result result = {.mean = outputs->mean,
                               .standard_error = report->error_per_output,
                               .variance = outputs->variance,
                               .covariance = outputs->covariance,
                               .hidden_mean = outputs->hidden_mean};
    rk_status status = rk_sample(work, problem->net, &problem->input, &spec, &result, error);
    report->samples = result.n_samples;
    if (!is_anchored || !rk_work_charge(work, 0)) return status;
    double bias = rk_expected_relative(rk_error_law_of("third:gauge=full"), &anchor);
    for (size_t i = 0; i < rk_network_n_out(problem->net); i++)
        report->error_per_output[i] =
            hypot(report->error_per_output[i], sqrt(bias * outputs->variance[i]));
    return status;
}

static const struct entry {
    rk_method method;
    const word *words;
} table[] = {
    {{.info = {"mean", "one mean a neuron, one variance a layer (K=1)",
               "simple|base, metric=exact|avg"},
      .knows_no_covariance = true,
      .check = check_mean,
      .run = run_mean,
      .flops_convention = flops_of_mean},
     mean_words},
    {{.info = {"covariance", "means and the full covariance (K=2)", "gauge=none|angular"},
      .check = check_covariance,
      .run = run_covariance,
      .flops_convention = flops_of_covariance},
     covariance_words},
    {{.info = {"gain", "covariance and the network's common random gain (homogeneous networks)",
               ""},
      .check = check_homogeneous,
      .run = run_gain},
     no_words},
    {{.info = {"third", "means, covariance and a factored third cumulant (K=3)",
               "gauge=auto|none|zero|diagonal|lean|full|fitted, rank=auto|full|8|16|32, "
               "reach=auto|1|2|3|4|6|8, old=auto|folded|exact, neurons=used|all, metric=exact|avg, "
               "legs=float|double"},
      .most_cumulants = 3,
      .check = check_third,
      .resolve = resolve_third,
      .run = run_third,
      .flops_convention = flops_of_third},
     third_words},
    {{.info = {"fourth", "cumulants up to the fourth, that one factored (K=4)", ""},
      .takes_third_cumulant = true,
      .most_cumulants = 4,
      .run = run_fourth,
      .flops_convention = flops_of_fourth},
     no_words},
    {{.info = {"reference", "the published family, number for number",
               "1|2|3|4, simple|augment|base, factored|dense, metric=exact|avg"},
      .takes_third_cumulant = true,
      .most_cumulants = 4,
      .check = check_reference,
      .run = run_reference,
      .flops_convention = flops_of_the_reference},
     reference_words},
    {{.info = {"sample", "Monte Carlo: the mean of forward passes",
               "iid|antithetic|orthogonal|design, control|anchor"},
      .samples = true,
      .check = check_sample,
      .resolve = resolve_sample,
      .run = run_sample,
      .flops_convention = flops_of_sample},
     sample_words},
    {{.info = {"auto", "the cheapest that meets the tolerance, or the best within the budget", ""}},
     no_words},
};
enum { N_METHODS = sizeof table / sizeof *table };

const rk_method *rk_method_get(size_t index) {
    return index < N_METHODS ? &table[index].method : NULL;
}

const rk_method_info *rk_method_at(size_t index) {
    return index < N_METHODS ? &table[index].method.info : NULL;
}

static int *field_of(rk_method_arguments *arguments, const word *w) {
    return (int *)((unsigned char *)arguments + w->field);
}

static void append(char *text, size_t size, const char *more) {
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s", more);
}

static rk_status unknown_method(const char *name, size_t length, rk_error *error) {
    char known[300] = "";
    for (size_t i = 0; i < N_METHODS; i++) {
        append(known, sizeof known, i ? ", " : "");
        append(known, sizeof known, table[i].method.info.name);
    }
    return rk_fail(error, RK_ERROR_ARGUMENT, "unknown method '%.*s'; there are %s",
                   (int)(length < 100 ? length : 100), name, known);
}

void rk_method_spell(const rk_method *method, const rk_method_arguments *arguments, char *canonical,
                     size_t size) {
    const struct entry *entry = (const struct entry *)method; /* its first member */
    snprintf(canonical, size, "%s", method->info.name);
    const char *separator = ":";
    for (const word *w = entry->words; w->text; w++) {
        if (*(const int *)((const unsigned char *)arguments + w->field) != w->value) continue;
        append(canonical, size, separator);
        append(canonical, size, w->text);
        separator = ",";
    }
}

rk_status rk_method_parse(const char *text, const rk_method **method,
                          rk_method_arguments *arguments, char *canonical, size_t size,
                          rk_error *error) {
    *arguments = (rk_method_arguments){0};
    if (!text) text = "covariance";
    size_t length = strcspn(text, ":");
    const struct entry *entry = NULL;
    for (size_t i = 0; i < N_METHODS; i++) {
        const char *name = table[i].method.info.name;
        if (strlen(name) == length && strncmp(name, text, length) == 0) entry = &table[i];
    }
    if (!entry) return unknown_method(text, length, error);

    const char *rest = text + length;
    while (*rest) {
        rest++; /* past ':' or ',' */
        length = strcspn(rest, ",");
        const word *w = entry->words;
        while (w->text && (strlen(w->text) != length || strncmp(w->text, rest, length) != 0))
            w++;
        if (!w->text)
            return rk_fail(
                error, RK_ERROR_ARGUMENT, "method '%s' does not know '%.*s'; it takes %s",
                entry->method.info.name, (int)(length < 100 ? length : 100), rest,
                *entry->method.info.arguments ? entry->method.info.arguments : "no arguments");
        *field_of(arguments, w) = w->value;
        rest += length;
    }

    *method = &entry->method;
    rk_method_spell(*method, arguments, canonical, size);
    return RK_OK;
}

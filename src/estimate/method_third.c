#include "estimate/methods.h"

#include "base/size.h"
#include "estimate/flops.h"
#include "network/homogeneous.h"
#include "network/input.h"

#include <math.h>
#include <string.h>

enum { RANK_FULL = -1, RANK_OF_GAUGED = 8, OLD_AUTO = 0, OLD_FOLDED, OLD_EXACT };
enum { REACH_AUTO = 0, REACH_NONE = -1, REACH_OF_LEAN = 4, REACH_OF_FULL = 3 };

/* The width from which folding old sources saves time, not only FLOPs: docs/FRONTIER.md. */
static const size_t FOLD_FROM = 512;

static const rk_word third_words[] = {RK_WORD("metric=exact", metric, RK_METRIC_EXACT),
                                      RK_WORD("metric=avg", metric, RK_METRIC_AVERAGE),
                                      RK_WORD("gauge=auto", gauge, RK_GAUGE_AUTO),
                                      RK_WORD("gauge=none", gauge, RK_GAUGE_NONE),
                                      RK_WORD("gauge=zero", gauge, RK_GAUGE_ZERO),
                                      RK_WORD("gauge=diagonal", gauge, RK_GAUGE_DIAGONAL),
                                      RK_WORD("gauge=lean", gauge, RK_GAUGE_LEAN),
                                      RK_WORD("gauge=full", gauge, RK_GAUGE_FULL),
                                      RK_WORD("gauge=fitted", gauge, RK_GAUGE_FITTED),
                                      RK_WORD("rank=auto", rank, 0),
                                      RK_WORD("rank=full", rank, RANK_FULL),
                                      RK_WORD("rank=8", rank, 8),
                                      RK_WORD("rank=16", rank, 16),
                                      RK_WORD("rank=32", rank, 32),
                                      RK_WORD("reach=auto", reach, REACH_AUTO),
                                      RK_WORD("reach=1", reach, 1),
                                      RK_WORD("reach=2", reach, 2),
                                      RK_WORD("reach=3", reach, 3),
                                      RK_WORD("reach=4", reach, 4),
                                      RK_WORD("reach=6", reach, 6),
                                      RK_WORD("reach=8", reach, 8),
                                      RK_WORD("old=auto", old, OLD_AUTO),
                                      RK_WORD("old=folded", old, OLD_FOLDED),
                                      RK_WORD("old=exact", old, OLD_EXACT),
                                      RK_WORD("neurons=used", all_neurons, 0),
                                      RK_WORD("neurons=all", all_neurons, 1),
                                      RK_WORD("legs=float", double_legs, 0),
                                      RK_WORD("legs=double", double_legs, 1),
                                      {NULL, 0, 0}};

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

rk_status rk_guess_roles(rk_problem *problem, const rk_network *net, rk_error *error) {
    problem->roles = rk_alloc(net->n_layers, 1, sizeof *problem->roles);
    if (!problem->roles) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the plan");
    bool is_known = problem->known_roles && net->layers == problem->net->layers;
    if (is_known) { /* layers from the first to the last of `net`, which is an output there */
        const size_t last = net->n_layers - 1, rows = net->layers[last].rows;
        memcpy(problem->roles, problem->known_roles, last * sizeof *problem->roles);
        problem->roles[last] = (rk_role){rows, rows, rows};
        return RK_OK;
    }
    return rk_roles_guess(problem->roles, net, &problem->input, error);
}

static rk_status resolve_third(rk_problem *problem, rk_error *error) {
    rk_method_arguments *arguments = &problem->arguments;
    arguments->gauge = (int)gauge_of_third(problem);
    bool gauged = arguments->gauge != RK_GAUGE_NONE;
    bool follows = arguments->gauge == RK_GAUGE_LEAN || arguments->gauge == RK_GAUGE_FULL;
    if (arguments->rank == 0) arguments->rank = gauged ? RANK_OF_GAUGED : RANK_FULL;
    if (arguments->old == OLD_AUTO)
        arguments->old = rk_network_max_width(problem->net) < FOLD_FROM ? OLD_EXACT : OLD_FOLDED;
    if (!follows)
        arguments->reach = REACH_NONE;
    else if (arguments->reach == REACH_AUTO)
        arguments->reach = arguments->gauge == RK_GAUGE_FULL ? REACH_OF_FULL : REACH_OF_LEAN;
    if (!gauged) arguments->all_neurons = 1;
    const rk_network *net = problem->net;
    if (gauged && !rk_network_is_homogeneous(net)) {
        rk_status status =
            rk_network_homogenise(&problem->homogeneous, net,
                                  rk_input_variance(&problem->input, rk_network_n_in(net)), error);
        if (status != RK_OK) return status;
        net = problem->homogeneous;
    }
    return arguments->all_neurons ? RK_OK : rk_guess_roles(problem, net, error);
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
        return rk_run_reference(work, problem, &same, report, error);
    }
    int rank = problem->arguments.rank;
    rk_third_spec spec = {.metric = (rk_metric)problem->arguments.metric,
                          .double_legs = problem->arguments.double_legs != 0 || problem->is_extreme,
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

rk_third_spec rk_third_full(const rk_role *roles) {
    return (rk_third_spec){
        .gauge = RK_GAUGE_FULL, .rank = RANK_OF_GAUGED, .reach = REACH_OF_FULL, .roles = roles};
}

const rk_method rk_method_third = {
    .info = {"third", "means, covariance and a factored third cumulant (K=3)",
             "gauge=auto|none|zero|diagonal|lean|full|fitted, rank=auto|full|8|16|32, "
             "reach=auto|1|2|3|4|6|8, old=auto|folded|exact, neurons=used|all, metric=exact|avg, "
             "legs=float|double"},
    .words = third_words,
    .most_cumulants = 3,
    .check = check_third,
    .resolve = resolve_third,
    .run = run_third,
    .flops_convention = flops_of_third,
};

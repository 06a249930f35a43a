#include "estimate/methods.h"

#include "base/size.h"
#include "estimate/flops.h"
#include "network/homogeneous.h"
#include "network/input.h"

#include <limits.h>
#include <math.h>
#include <string.h>

enum { RANK_OF_TILTED = 8, REACH_OF_LEAN = 4, REACH_OF_FULL = 3 };

/* The width from which folding old sources saves time, not only FLOPs: docs/FRONTIER.md. */
static const size_t FOLD_FROM = 512;

/* --------------------------------------------------------------------------------------- words */

static const rk_word third_words[] = {RK_WORD("tilt=auto", tilt, RK_TILT_AUTO),
                                      RK_WORD("tilt=off", tilt, RK_TILT_OFF),
                                      RK_WORD("tilt=on", tilt, RK_TILT_ON),
                                      RK_WORD("fourth=auto", fourth, RK_FOURTH_AUTO),
                                      RK_WORD("fourth=average", fourth, RK_FOURTH_AVERAGE),
                                      RK_WORD("fourth=zero", fourth, RK_FOURTH_ZERO),
                                      RK_WORD("fourth=diagonal", fourth, RK_FOURTH_DIAGONAL),
                                      RK_WORD("fourth=lean", fourth, RK_FOURTH_LEAN),
                                      RK_WORD("fourth=full", fourth, RK_FOURTH_FULL),
                                      RK_WORD("fourth=fitted", fourth, RK_FOURTH_FITTED),
                                      RK_WORD("rank=auto", rank, 0),
                                      RK_WORD("rank=full", rank, RK_RANK_FULL),
                                      RK_NUMBER("rank=", rank, 1, INT_MAX),
                                      RK_WORD("reach=auto", reach, 0),
                                      RK_NUMBER("reach=", reach, 1, RK_MAX_REACH),
                                      RK_WORD("old=auto", old, RK_OLD_AUTO),
                                      RK_WORD("old=folded", old, RK_OLD_FOLDED),
                                      RK_WORD("old=exact", old, RK_OLD_EXACT),
                                      RK_WORD("neurons=used", all_neurons, 0),
                                      RK_WORD("neurons=all", all_neurons, 1),
                                      RK_WORD("metric=exact", metric, RK_METRIC_EXACT),
                                      RK_WORD("metric=avg", metric, RK_METRIC_AVERAGE),
                                      RK_WORD("legs=float", double_legs, 0),
                                      RK_WORD("legs=double", double_legs, 1),
                                      {NULL, 0, 0, 0, 0}};

static const rk_old_word third_old_words[] = {
    {"gauge=auto", "tilt=auto,fourth=auto"},    {"gauge=none", "tilt=off,fourth=average"},
    {"gauge=zero", "tilt=on,fourth=zero"},      {"gauge=diagonal", "tilt=on,fourth=diagonal"},
    {"gauge=lean", "tilt=on,fourth=lean"},      {"gauge=full", "tilt=on,fourth=full"},
    {"gauge=fitted", "tilt=off,fourth=fitted"}, {NULL, NULL}};

/* -------------------------------------------------------------------------- tilt times fourth */

static bool goes_with_tilt(rk_fourth_kind fourth) {
    return fourth >= RK_FOURTH_ZERO && fourth <= RK_FOURTH_FULL;
}

static bool is_followed(rk_fourth_kind fourth) {
    return fourth == RK_FOURTH_LEAN || fourth == RK_FOURTH_FULL;
}

/* What is asked for; AUTO: the network decides, or the two do not go together. */
static rk_fourth_kind asked_fourth(const rk_method_spec *spec) {
    if (spec->tilt == RK_TILT_AUTO) return spec->fourth;
    const bool is_tilted = spec->tilt == RK_TILT_ON;
    if (!is_tilted && spec->fourth == RK_FOURTH_AUTO) return RK_FOURTH_AVERAGE;
    return goes_with_tilt(spec->fourth) == is_tilted ? spec->fourth : RK_FOURTH_AUTO;
}

/* The sum of 1 / width over the activations: L / n. */
static double depth_over_width(const rk_network *net) {
    double sum = 0;
    for (size_t l = 0; l < net->n_layers; l++)
        if (rk_network_is_activated(net, l)) sum += 1 / (double)net->layers[l].rows;
    return sum;
}

static bool wants_more(const rk_options *options) {
    return options->covariance || options->cumulants || options->marginals;
}

/* Unless asked, DIAGONAL, or ZERO for networks that have biases, or are so deep or narrow that
 * carrying less is safer. A tilted law has the means of the law itself, not its covariance. */
static rk_fourth_kind choose_fourth(const rk_problem *problem) {
    const rk_network *net = problem->net;
    const bool is_tilted = problem->spec.tilt == RK_TILT_ON;
    const bool more = wants_more(&problem->options);
    const rk_fourth_kind asked = asked_fourth(&problem->spec);
    if (asked != RK_FOURTH_AUTO) return asked;
    if ((more && !is_tilted) || !rk_network_can_be_homogeneous(net)) return RK_FOURTH_AVERAGE;
    if (!rk_network_is_homogeneous(net)) return RK_FOURTH_ZERO;
    return depth_over_width(net) <= 0.25 ? RK_FOURTH_DIAGONAL : RK_FOURTH_ZERO; /* measured */
}

/* -------------------------------------------------------------------------------------- errors */

#define RK_PAIRED(t, f) .spec = {.kind = RK_THIRD, .tilt = t, .fourth = f}
static const rk_variant third_variants[] = {
    {RK_PAIRED(RK_TILT_OFF, RK_FOURTH_AVERAGE),
     .laws = {.means = {1.25, 1.61, 1.20, 0.43, 0.12, 6},
              .covariances = {1.31, 1.23, 0.74, 0.15, INFINITY, 6},
              .assumes = {.average = true}}},
    {RK_PAIRED(RK_TILT_ON, RK_FOURTH_ZERO),
     .laws = {.means = {0.285, 1.98, 0.52, 0.53, INFINITY, 6}}},
    {RK_PAIRED(RK_TILT_ON, RK_FOURTH_DIAGONAL),
     .laws = {.means = {0.138, 1.37, 1.39, 0.69, 0.24, 6}, .assumes = {.average = true}}},
    {RK_PAIRED(RK_TILT_OFF, RK_FOURTH_FITTED),
     .laws = {.means = {4.48, 3.74, -0.78, 1.64, 0.12, 6}, .assumes = {.average = true}},
     .for_comparison = true},
    {RK_PAIRED(RK_TILT_ON, RK_FOURTH_LEAN),
     .laws = {.means = {0.555, 1.51, 1.43, 0.35, 0.22, 6}, .assumes = {.average = true}}},
    {RK_PAIRED(RK_TILT_ON, RK_FOURTH_FULL),
     .laws = {.means = {0.882, 1.58, 1.76, 0.64, 0.22, 6}, .assumes = {.average = true}}},
};

static bool third_covers(const rk_method_spec *variant, const rk_method_spec *spec) {
    return asked_fourth(variant) == asked_fourth(spec);
}

/* ----------------------------------------------------------------------------------------- run */

/* All layers are relu without biases. */
static rk_status check_relu(const rk_problem *problem, rk_error *error) {
    for (size_t l = 0; l < problem->net->n_layers; l++) {
        if (!rk_network_is_activated(problem->net, l)) continue;
        const rk_layer *layer = &problem->net->layers[l];
        bool relu = layer->activation.kind == RK_RELU;
        if (!relu || rk_layer_is_biased(layer))
            return rk_fail(error, RK_ERROR_UNSUPPORTED,
                           "fourth=fitted was fitted to relu networks without biases: layer %zu %s "
                           "%s",
                           l + 1, relu ? "has" : "is",
                           relu ? "biases" : rk_activation_get(layer->activation.kind)->name);
    }
    return RK_OK;
}

static rk_status check_third(const rk_problem *problem, rk_error *error) {
    const rk_method_spec *spec = &problem->spec;
    const rk_fourth_kind fourth = asked_fourth(spec);
    if (fourth == RK_FOURTH_AUTO && spec->fourth != RK_FOURTH_AUTO)
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "tilt=off goes with fourth=average or fitted, tilt=on with fourth=zero, "
                       "diagonal, lean or full");
    const bool asked = fourth > RK_FOURTH_AVERAGE || spec->tilt == RK_TILT_ON;
    const rk_network *net = problem->net;
    if (problem->options.marginals && rk_network_is_activated(net, net->n_layers - 1))
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "marginal cumulants are known before an activation, not of outputs behind "
                       "one");
    if (asked && wants_more(&problem->options))
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "%s keeps means, not covariances and cumulants: those need tilt=off",
                       fourth == RK_FOURTH_FITTED ? "fourth=fitted" : "a tilt");
    if (asked && !rk_network_can_be_homogeneous(problem->net))
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "a tilt needs homogeneous activations after layer 1");
    if (fourth > RK_FOURTH_ZERO && !rk_network_is_homogeneous(problem->net))
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "biases after layer 1 can be had with fourth=zero only");
    if (spec->reach != 0 && !is_followed(fourth))
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "only fourth=lean and fourth=full have a reach");
    return fourth == RK_FOURTH_FITTED ? check_relu(problem, error) : RK_OK;
}

/* The same closure in the reference's form, which answers more and is slower. */
static rk_reference_spec third_as_reference(const rk_problem *problem) {
    return (rk_reference_spec){.K = 3, .factored = true, .metric = problem->spec.metric};
}

static double flops_of_third(const rk_problem *problem) {
    rk_reference_spec spec = third_as_reference(problem);
    return choose_fourth(problem) == RK_FOURTH_AVERAGE ? rk_flops_of_reference(problem->net, &spec)
                                                       : (double)NAN;
}

rk_status rk_guess_roles(rk_problem *problem, const rk_network *net, rk_error *error) {
    problem->roles = rk_alloc(net->n_layers, 1, sizeof *problem->roles);
    if (!problem->roles) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the plan");
    if (problem->known_roles && net->layers == problem->net->layers) {
        memcpy(problem->roles, problem->known_roles, net->n_layers * sizeof *problem->roles);
        return RK_OK;
    }
    return rk_roles_guess(problem->roles, net, &problem->input, error);
}

static rk_status resolve_third(rk_problem *problem, rk_error *error) {
    rk_method_spec *spec = &problem->spec;
    const rk_fourth_kind fourth = choose_fourth(problem);
    const bool carries = fourth != RK_FOURTH_AVERAGE;
    spec->fourth = fourth;
    spec->tilt = goes_with_tilt(fourth) ? RK_TILT_ON : RK_TILT_OFF;
    if (spec->rank == 0) spec->rank = carries ? RANK_OF_TILTED : RK_RANK_FULL;
    if (spec->old == RK_OLD_AUTO)
        spec->old = rk_network_max_width(problem->net) < FOLD_FROM ? RK_OLD_EXACT : RK_OLD_FOLDED;
    if (is_followed(fourth) && spec->reach == 0)
        spec->reach = fourth == RK_FOURTH_FULL ? REACH_OF_FULL : REACH_OF_LEAN;
    if (!carries) spec->all_neurons = true;
    const rk_network *net = problem->net;
    if (carries && !rk_network_is_homogeneous(net)) {
        rk_status status =
            rk_network_homogenise(&problem->homogeneous, net,
                                  rk_input_variance(&problem->input, rk_network_n_in(net)), error);
        if (status != RK_OK) return status;
        net = problem->homogeneous;
    }
    return spec->all_neurons ? RK_OK : rk_guess_roles(problem, net, error);
}

/* Hidden layers have one neuron more than wanted, their last. */
static void propagate_homogeneous(rk_work *work, const rk_problem *problem,
                                  const rk_third_spec *spec, rk_outputs *outputs, rk_tape *tape) {
    const rk_network *net = problem->homogeneous;
    double **wanted = outputs->hidden_mean;
    size_t n_hidden = wanted ? net->n_layers - 1 : 0;
    double **longer = rk_work_take(work, n_hidden, sizeof *longer);
    for (size_t l = 0; l < n_hidden; l++) {
        double *mean = rk_work_doubles(work, net->layers[l].rows, 1);
        if (rk_work_charge(work, 0)) longer[l] = mean;
    }
    if (wanted && rk_work_charge(work, 0)) outputs->hidden_mean = longer;
    rk_propagate_third(work, net, &problem->input, spec, outputs, tape);
    outputs->hidden_mean = wanted;
    if (!rk_work_charge(work, 0) || work->interrupted) return;
    for (size_t l = 0; l < n_hidden; l++)
        memcpy(wanted[l], longer[l], problem->net->layers[l].rows * sizeof *wanted[l]);
}

rk_third_spec rk_third_spec_of(const rk_method_spec *spec, const rk_roles *roles) {
    return (rk_third_spec){.metric = spec->metric,
                           .double_legs = spec->double_legs,
                           .tilt = spec->tilt,
                           .fourth = spec->fourth,
                           .rank = spec->rank == RK_RANK_FULL ? 0 : (size_t)spec->rank,
                           .reach = spec->reach ? (size_t)spec->reach : 1,
                           .fold = spec->old == RK_OLD_FOLDED,
                           .roles = roles};
}

static rk_status run_third(rk_work *work, const rk_problem *problem, rk_report *report,
                           rk_error *error) {
    if (report->outputs.third) {
        rk_reference_spec same = third_as_reference(problem);
        return rk_run_reference(work, problem, &same, report, error);
    }
    rk_third_spec spec = rk_third_spec_of(&problem->spec, problem->roles);
    spec.double_legs |= problem->is_extreme;
    rk_tape *tape = spec.fourth == RK_FOURTH_FITTED ? NULL : report->tape;
    if (problem->homogeneous)
        propagate_homogeneous(work, problem, &spec, &report->outputs, tape);
    else
        rk_propagate_third(work, problem->net, &problem->input, &spec, &report->outputs, tape);
    return RK_OK;
}

const rk_method rk_method_third = {
    .info = {"third", "means, covariance and a factored third cumulant (K=3)",
             "tilt=auto|off|on, fourth=auto|average|zero|diagonal|lean|full|fitted, "
             "rank=auto|full|1.., reach=auto|1..8, old=auto|folded|exact, neurons=used|all, "
             "metric=exact|avg, legs=float|double"},
    .words = third_words,
    .old_words = third_old_words,
    .goes_back = true,
    .most_cumulants = 3,
    .knows_marginals = true,
    RK_VARIANTS(third_variants),
    .covers = third_covers,
    .pace = {1, 60},
    .check = check_third,
    .resolve = resolve_third,
    .run = run_third,
    .flops_convention = flops_of_third,
};

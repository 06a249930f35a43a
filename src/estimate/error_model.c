#include "estimate/error_model.h"

#include <math.h>
#include <stdio.h>

/* An error of the scale that the layers multiply matters once it is no longer small: from here on
 * measured errors are anywhere between a tenth and a hundred times the law's. */
static const double most_grown = 0.15;

/* Fewer than two directions a layer, and a closure that has a limit fails for that. */
static const double most_slender = 0.5;

/* Linear layers drop nothing in the expansion's sense, but what they correlate is lost to closures
 * that know no covariance, and the first activation that bends, if any is known to, makes an
 * error of it. */
static bool is_blind(const rk_assumptions *assumes, const rk_regime *met) {
    return assumes->one_variance && met->closed_layers > 0 && met->expansion == 0 &&
           !(met->roughness == 0);
}

bool rk_is_beyond(const rk_error_laws *laws, const rk_regime *met, char *why, size_t size) {
    const rk_error_law *law = &laws->means;
    const rk_assumptions *assumes = &laws->assumes;
    double growth = exp(met->log_growth);
    if (!(met->independent <= law->limit))
        snprintf(why, size, "depth over width %.2g: beyond %.2g this method fails on many networks",
                 met->independent, law->limit);
    else if (isfinite(law->limit) && !(met->slenderness <= most_slender))
        snprintf(why, size,
                 "depth over effective width %.2g: beyond %.2g this method fails on many networks",
                 met->slenderness, most_slender);
    else if (met->diverged)
        snprintf(why, size, "variances came out negative in %zu layer%s: nothing can be promised",
                 met->diverged, met->diverged == 1 ? "" : "s");
    else if (!(met->expansion * (growth - 1) <= most_grown))
        snprintf(why, size,
                 "errors of the scale grow %.2g-fold on the way: nothing can be promised", growth);
    else if (assumes->average && !(met->unevenness <= 1))
        snprintf(
            why, size,
            "few neurons of a layer carry it, and this method takes them as alike: nothing can "
            "be promised");
    else if (assumes->one_variance && met->alike)
        snprintf(why, size,
                 "rows of %zu layer%s are alike, and this method takes neurons as independent: "
                 "nothing can be promised",
                 met->alike, met->alike == 1 ? "" : "s");
    else if (met->unmixed)
        snprintf(why, size,
                 "no weights between activations, or a sum with what one made, at %zu layer%s: "
                 "neurons are not Gaussian there, and nothing can be promised",
                 met->unmixed, met->unmixed == 1 ? "" : "s");
    else if (!assumes->knows_spread && met->parallel)
        snprintf(why, size, "the rows of %zu layer%s span next to nothing: nothing can be promised",
                 met->parallel, met->parallel == 1 ? "" : "s");
    else if (is_blind(assumes, met))
        snprintf(why, size, "linear layers correlate what this method takes for independent");
    else
        *why = 0;
    return *why;
}

static double evaluate(const rk_error_law *law, double x, double slenderness, double layers) {
    return law->factor * pow(x, law->power) * pow(slenderness, law->slender_power) *
           pow(layers, law->depth_power);
}

/* The margin, from nothing where the layers are as narrow as random weights would make them (up to
 * chance) to all of it where they are half as wide. */
static double margin(const rk_error_law *law, double slenderness, double independent) {
    static const double chance = 0.1, full = 0.4;
    double surprise = log(slenderness / independent);
    if (independent == 0 || !(surprise > chance)) return 1;
    return pow(law->margin, fmin(1, (surprise - chance) / (full - chance)));
}

/* The wrong variances of such closures make errors in the last activation, too, which the sum over
 * closed layers does not have: in random networks it is one like the others, but where only the
 * last one bends it is all there is. */
static double with_last_activation(const rk_regime *met) {
    double layers = (double)met->closed_layers;
    return layers > 0 ? met->roughness * layers / (layers + 1) * met->slenderness / layers : 0;
}

double rk_expected_relative(const rk_error_laws *laws, const rk_regime *met) {
    char why[160];
    if (!laws || rk_is_beyond(laws, met, why, sizeof why)) return (double)NAN;
    double x = met->expansion, slenderness = met->slenderness;
    if (laws->assumes.one_variance) {
        x += met->input_expansion;
        slenderness += met->input_slenderness;
        if (x == 0 && laws->assumes.rows_alike) { /* those of the first layer matter, if it bends */
            x = met->first_expansion;
            slenderness = met->first_slenderness;
            if (x == 0 && met->roughness > 0) return (double)NAN;
        }
        if (x > 0) x = fmax(x, with_last_activation(met));
    }
    if (x == 0) return 0; /* nothing is dropped */
    return evaluate(&laws->means, x, slenderness, (double)met->closed_layers + 1) *
           margin(&laws->means, met->slenderness, met->independent);
}

double rk_expected_of_pass(const rk_error_laws *laws, const rk_regime *met) {
    return evaluate(&laws->means, met->roughness, met->slenderness, (double)met->closed_layers + 1);
}

void rk_expected_error(const rk_error_laws *laws, const rk_outputs *outputs, size_t n_out,
                       double *error) {
    static const double rounding = 0x1p-52;
    const rk_regime *met = outputs->regime;
    double relative = rk_expected_relative(laws, met), size = 0;
    for (size_t i = 0; i < n_out; i++)
        size = fmax(size, fabs(outputs->mean[i]));
    size *= (double)met->closed_layers + 2;
    for (size_t i = 0; i < n_out; i++)
        error[i] = outputs->variance[i] == 0 || relative == 0 ? 0 /* a share of nothing */
                   : outputs->variance[i] > 0
                       ? hypot(sqrt(relative * outputs->variance[i]), rounding * size)
                       : (double)NAN;
}

double rk_expected_covariance_error(const rk_error_laws *laws, const rk_outputs *outputs,
                                    size_t n_out) {
    const rk_regime *met = outputs->regime;
    char why[160];
    if (!laws || laws->covariances.factor == 0 || rk_is_beyond(laws, met, why, sizeof why))
        return (double)NAN;
    const rk_error_law *law = &laws->covariances;
    double x = met->whole_expansion, slenderness = met->whole_slenderness, square = 0;
    for (size_t i = 0; i < n_out * n_out; i++)
        square += outputs->covariance[i] * outputs->covariance[i];
    if (x == 0) return 0; /* linear */
    double relative = evaluate(law, x, slenderness, (double)met->closed_layers + 1) *
                      margin(law, slenderness, met->whole_independent);
    return sqrt(relative * square) / (double)n_out;
}

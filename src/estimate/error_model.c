#include "estimate/error_model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Lines of bench/accuracy/calibrate_fit: a method with more words of its arguments comes before one
 * with fewer. The simple kinds of the published family are the native methods. Of an anchor it is
 * what rk_anchor_choose starts from: the same passes with `control`. */
static const rk_error_law laws[] = {
    {"mean:metric=avg", 0.59, 0.91, 0.04, 0.49, INFINITY, 6},
    {"mean:simple", 0.156, 0.95, 0.01, 0.97, INFINITY, 6},
    {"covariance:gauge=angular", 0.361, 2.06, -0.29, 1.37, INFINITY, 6},
    {"covariance", 0.836, 2.10, -0.29, 1.14, INFINITY, 6},
    {"gain", 0.223, 1.84, -0.04, 1.04, 0.51, 6},
    {"third:gauge=none", 1.25, 1.61, 1.20, 0.43, 0.12, 6},
    {"third:gauge=zero", 0.285, 1.98, 0.52, 0.53, INFINITY, 6},
    {"third:gauge=diagonal", 0.138, 1.37, 1.39, 0.69, 0.24, 6},
    {"third:gauge=fitted", 4.48, 3.74, -0.78, 1.64, 0.12, 6},
    {"third:gauge=lean", 0.555, 1.51, 1.43, 0.35, 0.22, 6},
    {"third:gauge=full", 0.882, 1.58, 1.76, 0.64, 0.22, 6},
    {"fourth", 1.61, 1.39, 2.07, -0.15, 0.22, 8.9},
    {"reference:1,metric=avg", 0.59, 0.91, 0.04, 0.49, INFINITY, 6},
    {"reference:1,simple", 0.156, 0.95, 0.01, 0.97, INFINITY, 6},
    {"reference:1,augment", 0.156, 0.95, 0.01, 0.97, INFINITY, 6},
    {"reference:2,simple", 0.836, 2.10, -0.29, 1.14, INFINITY, 6},
    {"reference:3,simple", 1.25, 1.61, 1.20, 0.43, 0.12, 6},
    {"reference:4,simple", 1.61, 1.39, 2.07, -0.15, 0.22, 8.9},
    {"reference:2,augment", 0.593, 1.83, 0.20, 0.76, 0.2, 6},
    {"reference:3,augment", 0.71, 1.75, 1.17, 0.52, 0.12, 6},
    {"sample:design,control", 0.0325, 0.91, 0.00, 0.53, INFINITY, 1},
    {"sample:design,anchor", 0.0325, 0.91, 0.00, 0.53, INFINITY, 1},
    {"sample:design", 0.0587, 0.87, 0.00, 0.33, INFINITY, 1},
    {"sample:orthogonal,control", 0.0752, 0.81, 0.00, 0.43, INFINITY, 1},
    {"sample:orthogonal,anchor", 0.0752, 0.81, 0.00, 0.43, INFINITY, 1},
    {"sample:orthogonal", 0.137, 0.78, 0.00, 0.23, INFINITY, 1},
    {"sample:antithetic,control", 0.292, 0.64, 0.00, 0.22, INFINITY, 1},
    {"sample:antithetic,anchor", 0.292, 0.64, 0.00, 0.22, INFINITY, 1},
    {"sample:antithetic", 0.991, 0.84, 0.00, -0.16, INFINITY, 1},
    {"sample:iid,control", 0.261, 0.66, 0.00, 0.23, INFINITY, 1},
    {"sample:iid,anchor", 0.261, 0.66, 0.00, 0.23, INFINITY, 1},
    {"sample:iid", 1, 0.00, 0.00, 0.00, INFINITY, 1},
};
enum { N_LAWS = sizeof laws / sizeof *laws };

/* Lines of bench/structures/structures_fit. */
static const rk_error_law covariance_laws[] = {
    {"mean:metric=avg", 0.815, -0.17, 0.52, 0.38, INFINITY, 6},
    {"mean", 0.975, -0.18, 0.55, 0.29, INFINITY, 6},
    {"covariance:gauge=angular", 1.19, 0.09, 1.29, -0.28, INFINITY, 6},
    {"covariance", 2.37, 2.03, -0.58, 2.16, INFINITY, 6},
    {"gain", 2.4, 0.14, 1.44, -0.99, INFINITY, 6},
    {"third:gauge=none", 1.31, 1.23, 0.74, 0.15, INFINITY, 6},
    {"fourth", 1.43, 1.78, -0.09, -0.96, INFINITY, 6},
    {"reference:1,metric=avg", 0.815, -0.17, 0.52, 0.38, INFINITY, 6},
    {"reference:1", 0.975, -0.18, 0.55, 0.29, INFINITY, 6},
    {"reference:2,simple", 2.37, 2.03, -0.58, 2.16, INFINITY, 6},
    {"reference:3,simple", 1.31, 1.23, 0.74, 0.15, INFINITY, 6},
    {"reference:4,simple", 1.43, 1.78, -0.09, -0.96, INFINITY, 6},
    {"reference:2,augment", 1.94, 1.90, -0.32, 1.49, INFINITY, 6},
    {"reference:3,augment", 1.41, 1.50, 0.72, 0.49, INFINITY, 6},
};
enum { N_COVARIANCE_LAWS = sizeof covariance_laws / sizeof *covariance_laws };

const rk_error_law *rk_error_law_at(size_t index) {
    return index < N_LAWS ? &laws[index] : NULL;
}

/* The first of some comma-separated words; answers where the next one begins. */
static const char *next_word(const char *words, size_t *length) {
    *length = strcspn(words, ",");
    return words + *length + (words[*length] == ',');
}

static bool is_among(const char *word, size_t length, const char *words) {
    while (*words) {
        size_t n;
        const char *next = next_word(words, &n);
        if (n == length && !strncmp(word, words, n)) return true;
        words = next;
    }
    return false;
}

/* The same name, and all words of the law among those of the method. */
static bool covers(const char *law, const char *canonical) {
    size_t name = strcspn(law, ":");
    if (name != strcspn(canonical, ":") || strncmp(law, canonical, name) != 0) return false;
    law += name + (law[name] == ':');
    canonical += name + (canonical[name] == ':');
    while (*law) {
        size_t length;
        const char *next = next_word(law, &length);
        if (!is_among(law, length, canonical)) return false;
        law = next;
    }
    return true;
}

static const rk_error_law *first_that_covers(const rk_error_law *table, size_t n,
                                             const char *canonical) {
    for (size_t i = 0; i < n; i++)
        if (covers(table[i].method, canonical)) return &table[i];
    return NULL;
}

const rk_error_law *rk_error_law_of(const char *canonical) {
    return first_that_covers(laws, N_LAWS, canonical);
}

const rk_error_law *rk_covariance_law_of(const char *canonical) {
    return first_that_covers(covariance_laws, N_COVARIANCE_LAWS, canonical);
}

/* An error of the scale that the layers multiply matters once it is no longer small: from here on
 * measured errors are anywhere between a tenth and a hundred times the law's. */
static const double most_grown = 0.15;

/* Fewer than two directions a layer, and a closure that has a limit fails for that. */
static const double most_slender = 0.5;

/* One variance a layer: closures that do not know the input's covariance. */
static bool takes_neurons_alike(const char *method) {
    return !strncmp(method, "mean", 4) || !strncmp(method, "reference:1", 11);
}

/* Linear layers drop nothing in the expansion's sense, but what they correlate such closures lose,
 * and the first activation that bends makes an error of it. */
static bool is_blind(const rk_error_law *law, const rk_outputs *outputs) {
    bool knows_roughness = !strncmp(law->method, "mean", 4);
    return takes_neurons_alike(law->method) && outputs->closed_layers > 0 &&
           outputs->expansion == 0 && (outputs->roughness > 0 || !knows_roughness);
}

/* Closures that replace something of each neuron by the layer's average: variances, or the trace of
 * the fourth cumulant. */
static bool averages_neurons(const char *method) {
    static const char *const names[] = {"mean", "reference:1", "reference:2,augment", "reference:3",
                                        "third"};
    if (!strcmp(method, "third:gauge=zero")) return false; /* which drops it */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strncmp(method, names[i], strlen(names[i]))) return true;
    return false;
}

/* Whose errors do not grow without bounds where one direction is all there is. */
static bool is_second_order(const char *method) {
    return !strncmp(method, "covariance", 10) || !strncmp(method, "reference:2,simple", 18) ||
           takes_neurons_alike(method);
}

bool rk_is_beyond(const rk_error_law *law, const rk_outputs *outputs, char *why, size_t size) {
    double growth = exp(outputs->log_growth);
    if (!(outputs->independent <= law->limit))
        snprintf(why, size, "depth over width %.2g: beyond %.2g this method fails on many networks",
                 outputs->independent, law->limit);
    else if (isfinite(law->limit) && !(outputs->slenderness <= most_slender))
        snprintf(why, size,
                 "depth over effective width %.2g: beyond %.2g this method fails on many networks",
                 outputs->slenderness, most_slender);
    else if (outputs->diverged)
        snprintf(why, size, "variances came out negative in %zu layer%s: nothing can be promised",
                 outputs->diverged, outputs->diverged == 1 ? "" : "s");
    else if (!(outputs->expansion * (growth - 1) <= most_grown))
        snprintf(why, size,
                 "errors of the scale grow %.2g-fold on the way: nothing can be promised", growth);
    else if (averages_neurons(law->method) && !(outputs->unevenness <= 1))
        snprintf(
            why, size,
            "few neurons of a layer carry it, and this method takes them as alike: nothing can "
            "be promised");
    else if (takes_neurons_alike(law->method) && outputs->alike)
        snprintf(why, size,
                 "rows of %zu layer%s are alike, and this method takes neurons as independent: "
                 "nothing can be promised",
                 outputs->alike, outputs->alike == 1 ? "" : "s");
    else if (!is_second_order(law->method) && outputs->parallel)
        snprintf(why, size, "the rows of %zu layer%s span next to nothing: nothing can be promised",
                 outputs->parallel, outputs->parallel == 1 ? "" : "s");
    else if (is_blind(law, outputs))
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
static double with_last_activation(const rk_outputs *outputs) {
    double layers = (double)outputs->closed_layers;
    return layers > 0 ? outputs->roughness * layers / (layers + 1) * outputs->slenderness / layers
                      : 0;
}

double rk_expected_relative(const rk_error_law *law, const rk_outputs *outputs) {
    char why[160];
    if (!law || rk_is_beyond(law, outputs, why, sizeof why)) return (double)NAN;
    double x = outputs->expansion, slenderness = outputs->slenderness;
    if (takes_neurons_alike(law->method)) {
        x += outputs->input_expansion;
        slenderness += outputs->input_slenderness;
        bool takes_rows_alike = strstr(law->method, "metric=avg") != NULL;
        if (x == 0 && takes_rows_alike) { /* a single hidden layer: those of the first matter */
            x = outputs->first_expansion;
            slenderness = outputs->first_slenderness;
        }
        if (x > 0) x = fmax(x, with_last_activation(outputs));
    }
    if (x == 0) return 0; /* nothing is dropped */
    return evaluate(law, x, slenderness, (double)outputs->closed_layers + 1) *
           margin(law, outputs->slenderness, outputs->independent);
}

double rk_expected_of_pass(const rk_error_law *law, const rk_outputs *outputs) {
    return evaluate(law, outputs->roughness, outputs->slenderness,
                    (double)outputs->closed_layers + 1);
}

void rk_expected_error(const rk_error_law *law, const rk_outputs *outputs, size_t n_out,
                       double *error) {
    static const double rounding = 0x1p-52;
    double relative = rk_expected_relative(law, outputs), size = 0;
    for (size_t i = 0; i < n_out; i++)
        size = fmax(size, fabs(outputs->mean[i]));
    size *= (double)outputs->closed_layers + 2;
    for (size_t i = 0; i < n_out; i++)
        error[i] = outputs->variance[i] == 0 || relative == 0 ? 0 /* a share of nothing */
                   : outputs->variance[i] > 0
                       ? hypot(sqrt(relative * outputs->variance[i]), rounding * size)
                       : (double)NAN;
}

double rk_expected_covariance_error(const rk_error_law *means, const rk_error_law *covariances,
                                    const rk_outputs *outputs, size_t n_out) {
    char why[160];
    if (!means || !covariances || rk_is_beyond(means, outputs, why, sizeof why)) return (double)NAN;
    double x = outputs->whole_expansion, slenderness = outputs->whole_slenderness, square = 0;
    for (size_t i = 0; i < n_out * n_out; i++)
        square += outputs->covariance[i] * outputs->covariance[i];
    if (x == 0) return 0; /* linear */
    double relative = evaluate(covariances, x, slenderness, (double)outputs->closed_layers + 1) *
                      margin(covariances, slenderness, outputs->whole_independent);
    return sqrt(relative * square) / (double)n_out;
}

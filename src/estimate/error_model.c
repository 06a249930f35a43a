#include "estimate/error_model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Lines of bench/accuracy/calibrate_fit: a method with more words of its arguments comes before one
 * with fewer. The simple kinds of the published family are the native methods. Of an anchor it is
 * what rk_anchor_choose starts from: the same passes with `control`. */
static const rk_error_law laws[] = {
    {"mean:metric=avg", 0.59, 0.91, 0.04, 0.49, INFINITY},
    {"mean:simple", 0.156, 0.95, 0.01, 0.97, INFINITY},
    {"covariance:gauge=angular", 0.361, 2.06, -0.29, 1.37, INFINITY},
    {"covariance", 0.836, 2.10, -0.29, 1.14, INFINITY},
    {"gain", 0.223, 1.84, -0.04, 1.04, 0.51},
    {"third:gauge=none", 1.25, 1.61, 1.20, 0.43, 0.12},
    {"third:gauge=zero", 0.285, 1.98, 0.52, 0.53, INFINITY},
    {"third:gauge=diagonal", 0.138, 1.37, 1.39, 0.69, 0.24},
    {"third:gauge=fitted", 4.48, 3.74, -0.78, 1.64, 0.12},
    {"third:gauge=lean", 0.555, 1.51, 1.43, 0.35, 0.22},
    {"third:gauge=full", 0.882, 1.58, 1.76, 0.64, 0.22},
    {"fourth", 1.61, 1.39, 2.07, -0.15, 0.22},
    {"reference:1,metric=avg", 0.59, 0.91, 0.04, 0.49, INFINITY},
    {"reference:1,simple", 0.156, 0.95, 0.01, 0.97, INFINITY},
    {"reference:1,augment", 0.156, 0.95, 0.01, 0.97, INFINITY},
    {"reference:2,simple", 0.836, 2.10, -0.29, 1.14, INFINITY},
    {"reference:3,simple", 1.25, 1.61, 1.20, 0.43, 0.12},
    {"reference:4,simple", 1.61, 1.39, 2.07, -0.15, 0.22},
    {"reference:2,augment", 0.593, 1.83, 0.20, 0.76, 0.2},
    {"reference:3,augment", 0.71, 1.75, 1.17, 0.52, 0.12},
    {"sample:design,control", 0.0325, 0.91, 0.00, 0.53, INFINITY},
    {"sample:design,anchor", 0.0325, 0.91, 0.00, 0.53, INFINITY},
    {"sample:design", 0.0587, 0.87, 0.00, 0.33, INFINITY},
    {"sample:orthogonal,control", 0.0752, 0.81, 0.00, 0.43, INFINITY},
    {"sample:orthogonal,anchor", 0.0752, 0.81, 0.00, 0.43, INFINITY},
    {"sample:orthogonal", 0.137, 0.78, 0.00, 0.23, INFINITY},
    {"sample:antithetic,control", 0.292, 0.64, 0.00, 0.22, INFINITY},
    {"sample:antithetic,anchor", 0.292, 0.64, 0.00, 0.22, INFINITY},
    {"sample:antithetic", 0.991, 0.84, 0.00, -0.16, INFINITY},
    {"sample:iid,control", 0.261, 0.66, 0.00, 0.23, INFINITY},
    {"sample:iid,anchor", 0.261, 0.66, 0.00, 0.23, INFINITY},
    {"sample:iid", 1, 0.00, 0.00, 0.00, INFINITY},
};
enum { N_LAWS = sizeof laws / sizeof *laws };

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

const rk_error_law *rk_error_law_of(const char *canonical) {
    for (size_t i = 0; i < N_LAWS; i++)
        if (covers(laws[i].method, canonical)) return &laws[i];
    return NULL;
}

/* An error of the scale that the layers multiply matters once it is no longer small: from here on
 * measured errors are anywhere between a tenth and a hundred times the law's. */
static const double most_grown = 0.15;

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

bool rk_is_beyond(const rk_error_law *law, const rk_outputs *outputs, char *why, size_t size) {
    double growth = exp(outputs->log_growth);
    if (!(outputs->slenderness <= law->limit))
        snprintf(why, size, "depth over width %.2g: beyond %.2g this method fails on many networks",
                 outputs->slenderness, law->limit);
    else if (!(outputs->expansion * (growth - 1) <= most_grown))
        snprintf(why, size,
                 "errors of the scale grow %.2g-fold on the way: nothing can be promised", growth);
    else if (is_blind(law, outputs))
        snprintf(why, size, "linear layers correlate what this method takes for independent");
    else
        *why = 0;
    return *why;
}

static double evaluate(const rk_error_law *law, double x, double slenderness,
                       const rk_outputs *outputs) {
    double depth = (double)outputs->closed_layers + 1;
    return law->factor * pow(x, law->power) * pow(slenderness, law->slender_power) *
           pow(depth, law->depth_power);
}

double rk_expected_relative(const rk_error_law *law, const rk_outputs *outputs) {
    char why[100];
    if (!law) return (double)NAN;
    double x = outputs->expansion, slenderness = outputs->slenderness;
    if (takes_neurons_alike(law->method)) {
        x += outputs->input_expansion;
        slenderness += outputs->input_slenderness;
        bool takes_rows_alike = strstr(law->method, "metric=avg") != NULL;
        if (x == 0 && takes_rows_alike) { /* a single hidden layer: those of the first matter */
            x = outputs->first_expansion;
            slenderness = outputs->first_slenderness;
        }
    }
    if (x == 0 && !is_blind(law, outputs)) return 0; /* nothing is dropped */
    double relative = evaluate(law, x, slenderness, outputs);
    return rk_is_beyond(law, outputs, why, sizeof why) ? fmax(relative, 1) : relative;
}

double rk_expected_of_pass(const rk_error_law *law, const rk_outputs *outputs) {
    return evaluate(law, outputs->roughness, outputs->slenderness, outputs);
}

void rk_expected_error(const rk_error_law *law, const rk_outputs *outputs, size_t n_out,
                       double *error) {
    double relative = rk_expected_relative(law, outputs);
    for (size_t i = 0; i < n_out; i++)
        error[i] = sqrt(relative * outputs->variance[i]);
}

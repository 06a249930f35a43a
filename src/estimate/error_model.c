#include "estimate/error_model.h"

#include <math.h>
#include <string.h>

/* Lines of bench/accuracy/calibrate_fit: a method with more words of its arguments comes before one
 * with fewer. The simple kinds of the published family are the native methods. */
static const rk_error_law laws[] = {
    {"mean:simple", 0.171, 0.97, 0.93, INFINITY},
    {"covariance:gauge=angular", 0.527, 1.87, 1.13, INFINITY},
    {"covariance", 0.977, 1.87, 0.92, INFINITY},
    {"gain", 0.161, 1.73, 0.98, INFINITY},
    {"third:gauge=none", 4.51, 2.74, 0.99, 0.037},
    {"third:gauge=zero", 0.656, 2.59, 0.99, INFINITY},
    {"third:gauge=diagonal", 2.43, 2.85, 0.93, INFINITY},
    {"third:gauge=full", 7.68, 3.20, 1.35, INFINITY},
    {"fourth", 0.108, 2.25, 1.35, 0.054},
    {"reference:1,simple", 0.171, 0.97, 0.93, INFINITY},
    {"reference:1,augment", 0.171, 0.97, 0.93, INFINITY},
    {"reference:2,simple", 0.977, 1.87, 0.92, INFINITY},
    {"reference:3,simple", 4.51, 2.74, 0.99, 0.037},
    {"reference:4,simple", 0.108, 2.25, 1.35, 0.054},
    {"reference:2,augment", 1.07, 2.11, 0.97, 0.034},
    {"reference:3,augment", 1.01, 2.68, 1.20, 0.037},
    {"sample:design,control", 0.0351, 1.01, 0.57, INFINITY},
    {"sample:design", 0.07, 0.96, 0.33, INFINITY},
    {"sample:orthogonal,control", 0.0514, 1.04, 0.46, INFINITY},
    {"sample:orthogonal", 0.105, 0.98, 0.21, INFINITY},
    {"sample:antithetic,control", 0.321, 0.69, 0.24, INFINITY},
    {"sample:antithetic", 1.06, 0.84, -0.14, INFINITY},
    {"sample:iid,control", 0.272, 0.74, 0.27, INFINITY},
    {"sample:iid", 1, 0.00, 0.00, INFINITY},
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

bool rk_is_beyond(const rk_error_law *law, const rk_outputs *outputs) {
    return !law || !(outputs->expansion <= law->limit);
}

static double evaluate(const rk_error_law *law, double x, const rk_outputs *outputs) {
    double depth = (double)outputs->closed_layers + 1;
    return law->factor * pow(x, law->power) * pow(depth, law->depth_power);
}

double rk_expected_relative(const rk_error_law *law, const rk_outputs *outputs) {
    if (!law) return (double)NAN;
    double relative = evaluate(law, outputs->expansion, outputs);
    return rk_is_beyond(law, outputs) ? fmax(relative, 1) : relative;
}

double rk_expected_of_pass(const rk_error_law *law, const rk_outputs *outputs) {
    return evaluate(law, outputs->roughness, outputs);
}

void rk_expected_error(const rk_error_law *law, const rk_outputs *outputs, size_t n_out,
                       double *error) {
    double relative = rk_expected_relative(law, outputs);
    for (size_t i = 0; i < n_out; i++)
        error[i] = sqrt(relative * outputs->variance[i]);
}

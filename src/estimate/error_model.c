#include "estimate/error_model.h"

#include <math.h>
#include <string.h>

/* Lines of bench/accuracy/calibrate_fit. A method with words of its arguments comes before the
 * method itself. */
static const rk_error_law laws[] = {
    {"mean:simple", 0.164, 0.96, 0.91, INFINITY},
    {"covariance:gauge=angular", 0.528, 1.87, 1.13, INFINITY},
    {"covariance", 0.801, 1.83, 0.89, INFINITY},
    {"gain", 0.161, 1.73, 0.98, INFINITY},
    {"third:gauge=none", 2.84, 2.67, 1.06, 0.041},
    {"third:gauge=zero", 0.603, 2.49, 0.80, INFINITY},
    {"third:gauge=diagonal", 1.52, 2.69, 0.75, 0.054},
    {"third:gauge=full", 3.14, 3.00, 1.34, 0.041},
    {"fourth", 0.0883, 2.21, 1.33, 0.072},
    {"reference:1,simple", 0.164, 0.96, 0.91, INFINITY}, /* as the native methods */
    {"reference:2,simple", 0.801, 1.83, 0.89, INFINITY},
    {"reference:3,simple", 2.84, 2.67, 1.06, 0.041},
    {"reference:4,simple", 0.0883, 2.21, 1.33, 0.072},
    {"reference:1,augment", 0.164, 0.96, 0.91, INFINITY},
    {"reference:2,augment", 0.845, 2.08, 1.02, 0.037},
    {"reference:3,augment", 0.652, 2.60, 1.21, 0.072},
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

double rk_expected_relative(const rk_error_law *law, const rk_outputs *outputs) {
    if (!law) return (double)NAN;
    double depth = (double)outputs->closed_layers + 1;
    double relative =
        law->factor * pow(outputs->expansion, law->power) * pow(depth, law->depth_power);
    return rk_is_beyond(law, outputs) ? fmax(relative, 1) : relative;
}

void rk_expected_error(const rk_error_law *law, const rk_outputs *outputs, size_t n_out,
                       double *error) {
    double relative = rk_expected_relative(law, outputs);
    for (size_t i = 0; i < n_out; i++)
        error[i] = sqrt(relative * outputs->variance[i]);
}

#include "estimate/error_model.h"

#include <math.h>
#include <string.h>

/* A method with a word of its arguments comes before the method itself. */
static const rk_error_law laws[] = {
    {"mean:base", NAN, 0, 0}, {"mean", 0.075, 1, 0.95},          {"covariance", 0.25, 2, 1.1},
    {"gain", 0.1, 2, 1},      {"third:gauge=none", 0.6, 3, 1.5}, {"third", 0.25, 3, 1.5},
    {"fourth", 2, 4, 2},
};
enum { N_LAWS = sizeof laws / sizeof *laws };

const rk_error_law *rk_error_law_at(size_t index) {
    return index < N_LAWS ? &laws[index] : NULL;
}

/* Whether `word`, which ends at a comma or at the end, is one of the comma-separated `words`. */
static bool is_among(const char *word, const char *words) {
    size_t length = strcspn(word, ",");
    for (; *words; words += *words == ',') {
        size_t n = strcspn(words, ",");
        if (n == length && !strncmp(word, words, n)) return true;
        words += n;
    }
    return false;
}

static bool covers(const char *law, const char *canonical) {
    size_t name = strcspn(law, ":");
    if (name != strcspn(canonical, ":") || strncmp(law, canonical, name) != 0) return false;
    return !law[name] || (canonical[name] && is_among(law + name + 1, canonical + name + 1));
}

const rk_error_law *rk_error_law_of(const char *canonical) {
    for (size_t i = 0; i < N_LAWS; i++)
        if (covers(laws[i].method, canonical)) return &laws[i];
    return NULL;
}

double rk_expected_relative(const rk_error_law *law, const rk_outputs *outputs) {
    if (!law) return (double)NAN;
    double depth = (double)outputs->closed_layers + 1;
    return law->factor * pow(outputs->expansion, law->power) * pow(depth, law->depth_power);
}

void rk_expected_error(const rk_error_law *law, const rk_outputs *outputs, size_t n_out,
                       double *error) {
    double relative = rk_expected_relative(law, outputs);
    for (size_t i = 0; i < n_out; i++)
        error[i] = sqrt(relative * outputs->variance[i]);
}

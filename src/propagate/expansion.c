#include "propagate/expansion.h"

#include <math.h>

rk_expansion rk_expansion_start(rk_work *work, size_t n, const rk_input *input) {
    rk_expansion e = {.variance = 1, .square_variance = 1, .growth = 1};
    const double *C = input->covariance;
    if (!C || !rk_work_charge(work, 3 * (uint64_t)n * n)) return e;
    double diagonal = 0, diagonal_squares = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        diagonal += C[i * n + i];
        diagonal_squares += C[i * n + i] * C[i * n + i];
        for (size_t j = 0; j < i; j++)
            squares += 2 * C[i * n + j] * C[i * n + j];
    }
    e.variance = diagonal / (double)n;
    e.square_variance = diagonal_squares / (double)n;
    if (n > 1) e.square_pair = squares / ((double)n * (double)(n - 1));
    return e;
}

void rk_expansion_linear(rk_expansion *e, size_t n, double row) {
    double squares = (e->square_variance + (double)(n - 1) * e->square_pair) / (double)n;
    e->square_pair = row * row * squares;
}

/* By scale invariance of the Gaussian, E[(phi^2)'(z) (z - mu)] = var E[(phi^2)''(z)]. */
static double growth(size_t n, const rk_layer *layer, const double *w, int k_max, const double *mu,
                     const double *var_z) {
    const double *square = w + rk_wick_at(n, k_max, 0, 2);
    const double *slope = w + rk_wick_at(n, k_max, 1, 2);
    const double *curvature = w + rk_wick_at(n, k_max, 2, 2);
    double change = 0, total = 0;
    for (size_t i = 0; i < n; i++) {
        double m = mu[i] - (layer->bias ? layer->bias[i] : 0);
        change += curvature[i] * var_z[i] + slope[i] * m;
        total += 2 * square[i];
    }
    return total > 0 ? change / total : 1;
}

void rk_expansion_activate(rk_work *work, const rk_layer *layer, const double *w, int k_max,
                           int p_max, const double *mu, const double *var_z, const double *var_h,
                           rk_expansion *e) {
    size_t n = layer->rows;
    if (!rk_work_charge(work, 12 * (uint64_t)n)) return;
    const double *slope = w + rk_wick_at(n, k_max, 1, 1);
    double variance = 0, squares = 0, slopes = 0, linear = 0;
    for (size_t i = 0; i < n; i++) {
        variance += var_h[i];
        squares += var_h[i] * var_h[i];
        slopes += slope[i] * slope[i];
        linear += slope[i] * slope[i] * var_z[i];
    }
    double average_slope = slopes / (double)n;
    e->variance = variance / (double)n;
    e->square_variance = squares / (double)n;
    e->square_pair *= average_slope * average_slope;
    e->roughness = variance > linear ? 1 - linear / variance : 0;
    e->total_roughness += e->roughness;
    if (p_max >= 2) e->growth = growth(n, layer, w, k_max, mu, var_z);
}

/* How much more concentrated than expected the covariance of h_(l+1) may be: random networks stay
 * below, but the recursion above is the rougher the deeper they are (bench/accuracy). */
static double tolerated(size_t l) {
    return 1.3 + 0.2 * (double)l;
}

void rk_expansion_close(rk_work *work, size_t l, size_t n, const rk_expansion *e, const double *C,
                        rk_outputs *outputs) {
    double measured = C ? rk_inverse_width(work, n, C) : 0, inverse_width = 1 / (double)n;
    if (!rk_work_charge(work, 10)) return;
    double expected = (e->square_variance + (double)(n - 1) * e->square_pair) /
                      ((double)n * e->variance * e->variance);
    double excess = measured / (tolerated(l) * expected);
    if (excess > 1) inverse_width = measured;
    if (excess > outputs->concentration) {
        outputs->concentration = excess;
        outputs->narrow_layer = l;
        outputs->effective_width = 1 / measured;
    }
    outputs->closed_layers++;
    outputs->expansion *= fmax(1, e->growth);
    outputs->expansion += e->roughness * inverse_width;
}

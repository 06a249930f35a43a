#include "propagate/expansion.h"

#include <math.h>

rk_expansion rk_expansion_start(rk_work *work, size_t n, const rk_input *input) {
    rk_expansion e = {.variance = 1, .square_variance = 1, .growth = 1};
    const double *C = input->covariance;
    if (!C) return e;
    double inverse_width = rk_inverse_width(work, n, C), trace = 0;
    if (!rk_work_charge(work, n)) return e;
    for (size_t i = 0; i < n; i++)
        trace += C[i * n + i];
    e.variance = trace / (double)n;
    e.square_variance = e.variance * e.variance;
    if (n == 1 || !(trace > 0)) return e;
    /* variances that differ count among the pairs: only the sum of all squares matters */
    e.input_excess = fmax(0, inverse_width - 1 / (double)n);
    e.square_pair = e.square_variance * e.input_excess * (double)n / (double)(n - 1);
    return e;
}

/* Average over a row of C_ij^2 of neurons whose pairs have this mean square. */
static double mean_square(const rk_expansion *e, size_t n, double pair) {
    return (e->square_variance + (double)(n - 1) * pair) / (double)n;
}

void rk_expansion_linear(rk_expansion *e, size_t n, double row) {
    e->square_pair = row * row * mean_square(e, n, e->square_pair);
    e->random_pair = row * row * mean_square(e, n, e->random_pair);
}

/* By scale invariance of the Gaussian, E[(phi^2)'(z) (z - mu)] = var E[(phi^2)''(z)]. */
static double growth(size_t n, const rk_layer *layer, const double *w, int k_max,
                     const double *centre, const double *mu, const double *var_z) {
    const double *w1[3], *w2[3];
    for (int k = 0; k <= 2; k++) {
        w1[k] = w + rk_wick_at(n, k_max, k, 1);
        w2[k] = w + rk_wick_at(n, k_max, k, 2);
    }
    double change = 0, total = 0;
    for (size_t i = 0; i < n; i++) {
        double m = mu[i] - (layer->bias ? layer->bias[i] : 0);
        double c = centre[i], square = c * c + 2 * c * w1[0][i] + w2[0][i];
        double slope = 2 * c * w1[1][i] + w2[1][i], curvature = 2 * c * w1[2][i] + w2[2][i];
        change += curvature * var_z[i] + slope * m;
        total += 2 * square;
    }
    return total > 0 ? change / total : 1;
}

void rk_expansion_activate(rk_work *work, const rk_layer *layer, const double *w, int k_max,
                           int p_max, const double *centre, const double *mu, const double *var_z,
                           const double *var_h, rk_expansion *e) {
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
    e->random_pair *= average_slope * average_slope;
    e->roughness = variance > linear ? 1 - linear / variance : 0;
    e->total_roughness += e->roughness;
    if (p_max >= 2) e->growth = growth(n, layer, w, k_max, centre, mu, var_z);
}

/* How much more concentrated than expected the covariance of h_(l+1) may be: random networks stay
 * below, but the recursion above is the rougher the deeper they are (bench/accuracy). */
static double tolerated(size_t l) {
    return 1.3 + 0.2 * (double)l;
}

/* Answers whether layer l is narrower than a random one, and keeps the narrowest. */
static bool is_narrow(size_t l, double inverse_width, double expected, rk_outputs *outputs) {
    double excess = inverse_width / (tolerated(l) * expected);
    if (excess > outputs->concentration) {
        outputs->concentration = excess;
        outputs->narrow_layer = l;
        outputs->effective_width = 1 / inverse_width;
    }
    return excess > 1;
}

/* With the wrong variances (relative mean square 2 input_excess) the first means are off. Between
 * hidden layers, where the laws were fitted, the excess is about twice the roughness over the width
 * and adds a layer's term; that the law's depth does not count the input takes another factor 2. */
void rk_expansion_input(rk_work *work, size_t n_in, const rk_expansion *e, rk_outputs *outputs) {
    if (!rk_work_charge(work, 6)) return;
    double independent = 1 / (double)n_in;
    outputs->input_expansion = 4 * e->roughness * e->input_excess;
    outputs->input_slenderness = e->input_excess;
    outputs->first_expansion = e->roughness * independent;
    outputs->first_slenderness = independent;
    is_narrow(0, independent + e->input_excess, independent, outputs);
}

void rk_expansion_close(rk_work *work, size_t l, size_t n, const rk_expansion *e, const double *C,
                        rk_outputs *outputs) {
    double measured = C ? rk_inverse_width(work, n, C) : 0, inverse_width = 1 / (double)n;
    if (!rk_work_charge(work, 12)) return;
    double expected = mean_square(e, n, e->random_pair) / (e->variance * e->variance);
    if (!C) measured = mean_square(e, n, e->square_pair) / (e->variance * e->variance);
    if (is_narrow(l, measured, expected, outputs)) inverse_width = measured;
    double growth = fmax(1, e->growth);
    outputs->closed_layers++;
    outputs->slenderness += inverse_width;
    outputs->log_growth += log(growth);
    outputs->expansion *= growth;
    outputs->expansion += e->roughness * inverse_width;
}

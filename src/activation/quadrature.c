#include "activation/gauss_hermite.h"
#include "activation/local.h"
#include "activation/smooth.h"
#include "activation/wide.h"

#include <math.h>

/* Neurons of a block: every loop over them is a vector loop. */
enum { BLOCK = 16 };

/* weight_m He_k(node_m): He_{k+1} = x He_k - k He_{k-1}. */
static void weigh(int k_max, double weighted[][HERMITE_PAIRS]) {
    for (int m = 0; m < HERMITE_PAIRS; m++) {
        double before = 0, now = hermite[m].weight;
        for (int k = 0; k <= k_max; k++) {
            const double next = hermite[m].node * now - k * before;
            weighted[k][m] = now;
            before = now;
            now = next;
        }
    }
}

typedef double grid[HERMITE_PAIRS][BLOCK];

/* Multiplies powers of phi above and below the mean once more by phi, and pairs them up: He_k is
 * even or odd, so only their sum and their difference are needed. */
static void next_power(grid f_above, grid f_below, grid above, grid below, grid sum,
                       grid difference) {
    for (int m = 0; m < HERMITE_PAIRS; m++)
        for (int i = 0; i < BLOCK; i++) {
            above[m][i] *= f_above[m][i];
            below[m][i] *= f_below[m][i];
            sum[m][i] = above[m][i] + below[m][i];
            difference[m][i] = above[m][i] - below[m][i];
        }
}

void rk_hermite_wick(const rk_activation *self, size_t n, const double *mu, const double *var,
                     int k_max, int p_max, double *centre, double *w) {
    double weighted[RK_WICK_MAX_K + 1][HERMITE_PAIRS];
    weigh(k_max, weighted);
    const rk_activation_ops *ops = rk_activation_get(self->kind);
    ops->value(self, n, mu, centre);
    for (size_t first = 0; first < n; first += BLOCK) {
        const size_t count = n - first < BLOCK ? n - first : BLOCK;
        double mean[BLOCK] = {0}, at_mean[BLOCK] = {0}, sigma[BLOCK] = {0};
        for (size_t i = 0; i < count; i++) {
            mean[i] = mu[first + i];
            at_mean[i] = centre[first + i];
            sigma[i] = var[first + i] < 0 ? 0 : sqrt(var[first + i]);
        }
        grid f_above, f_below, above, below, sum, difference;
        for (int m = 0; m < HERMITE_PAIRS; m++)
            for (int i = 0; i < BLOCK; i++) {
                f_above[m][i] = mean[i] + sigma[i] * hermite[m].node;
                f_below[m][i] = mean[i] - sigma[i] * hermite[m].node;
                above[m][i] = below[m][i] = 1;
            }
        ops->value(self, HERMITE_PAIRS * BLOCK, f_above[0], f_above[0]);
        ops->value(self, HERMITE_PAIRS * BLOCK, f_below[0], f_below[0]);
        for (int m = 0; m < HERMITE_PAIRS; m++)
            for (int i = 0; i < BLOCK; i++) {
                f_above[m][i] -= at_mean[i];
                f_below[m][i] -= at_mean[i];
            }

        double *row = w + first;
        for (int p = 1; p <= p_max; p++) {
            next_power(f_above, f_below, above, below, sum, difference);
            double scale[BLOCK]; /* sigma^-k */
            for (int i = 0; i < BLOCK; i++)
                scale[i] = 1;
            for (int k = 0; k <= k_max; k++, row += n) {
                double(*pairs)[BLOCK] = k % 2 == 0 ? sum : difference;
                double total[BLOCK] = {0};
                for (int m = 0; m < HERMITE_PAIRS; m++)
                    for (int i = 0; i < BLOCK; i++)
                        total[i] += weighted[k][m] * pairs[m][i];
                for (size_t i = 0; i < count; i++) {
                    row[i] = total[i] * scale[i];
                    scale[i] /= sigma[i];
                }
            }
        }
    }
}

/* Of one neuron phi - centre is a polynomial to 1e-10 over so few units of its argument; the sum
 * over nodes would only see the rounding of its values. */
static const double LOCAL = 1e-3;

static bool is_local(const rk_activation *self, double sigma) {
    return self->kind == RK_CUSTOM ? sigma == 0 : sigma < LOCAL; /* whose units nobody knows */
}

/* Derivatives of phi from coefficients at a small deviation s: the heat equation taken back,
 * phi^(k) = w(k) - h w(k+2) + h^2/2 w(k+4) - ..., h = s^2/2. */
static void differentiate(const rk_activation *self, double mu, double q[RK_LOCAL_DEGREE]) {
    enum { K = 7 };
    static const double s = 0.02;
    const double var = s * s, h = var / 2;
    double w[K + 1], centre;
    rk_hermite_wick(self, 1, &mu, &var, K, 1, &centre, w);
    q[0] = w[1] - h * (w[3] - h / 2 * (w[5] - h / 3 * w[7]));
    q[1] = (w[2] - h * (w[4] - h / 2 * w[6])) / 2;
    q[2] = (w[3] - h * (w[5] - h / 2 * w[7])) / 6;
}

void rk_quadrature_wick(const rk_activation *self, size_t n, const double *mu, const double *var,
                        int k_max, int p_max, double *centre, double *w) {
    rk_hermite_wick(self, n, mu, var, k_max, p_max, centre, w);
    const bool has_asymptote = rk_activation_get(self->kind)->asymptote != RK_CUSTOM;
    for (size_t i = 0; i < n; i++) {
        const double variance = var[i] < 0 ? 0 : var[i];
        double q[RK_LOCAL_DEGREE];
        if (is_local(self, sqrt(variance))) {
            differentiate(self, mu[i], q);
            rk_local_wick(q, variance, k_max, p_max, w + i, n);
        } else if (variance >= RK_WIDE_VARIANCE && has_asymptote) {
            rk_wide_wick(self, mu[i], variance, k_max, p_max, centre[i], w + i, n);
        }
    }
}

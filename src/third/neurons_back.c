#include "third/neurons_back.h"

#include "base/sum.h"

#include <math.h>
#include <string.h>

/* Two derivatives more than the way there: one by the mean, two by the variance. */
enum { MAX_K = RK_NEURONS_MAX_K, MAX_P = 4, BACK_K = MAX_K + 2 };

/* Coefficients of one neuron, k legs at phi^p, or their adjoints. */
typedef struct coefficients {
    double of[BACK_K + 1][MAX_P + 1];
} coefficients;

/* One neuron: what was made of it, or the adjoints of that. */
typedef struct neuron {
    double m, moment[MAX_P + 1]; /* m is the first, about the centre */
    double d3, d4;
    coefficients w;
} neuron;

/* Adjoints of k = 0 .. MAX_K legs from those of the ends that they make. */
static void ends_back(const rk_ends *bar, size_t i, const neuron *x, const double *k, neuron *x_bar,
                      double *k_bar) {
    k_bar[1] = bar->k1[i];
    k_bar[2] = bar->k2[i];
    k_bar[3] = bar->k3[i];
    k_bar[4] = bar->tail[i] * x->d3 / 6;
    k_bar[5] = bar->tail[i] * x->d4 / 24;
    x_bar->d3 += bar->tail[i] * k[4] / 6;
    x_bar->d4 += bar->tail[i] * k[5] / 24;
}

/* Of the ends, and of w3 / w2. */
static void pairs_of_neuron_back(const rk_neurons *bar, size_t i, const neuron *x, neuron *x_bar) {
    double one[MAX_K + 1], two[MAX_K + 1], three[MAX_K + 1], m = x->m, m2 = m * m;
    for (int k = 1; k <= MAX_K; k++) {
        const double *w = x->w.of[k];
        one[k] = w[1];
        two[k] = w[2] - 2 * m * w[1];
        three[k] = w[3] - 3 * m * w[2] + (6 * m2 - 3 * x->moment[2]) * w[1];
    }
    double one_bar[MAX_K + 1], two_bar[MAX_K + 1], three_bar[MAX_K + 1];
    ends_back(&bar->w, i, x, one, x_bar, one_bar);
    ends_back(&bar->e, i, x, two, x_bar, two_bar);
    ends_back(&bar->t, i, x, three, x_bar, three_bar);
    if (one[2] != 0) {
        one_bar[3] += bar->bend[i] / one[2];
        one_bar[2] -= bar->bend[i] / one[2] * (one[3] / one[2]);
    }
    for (int k = 1; k <= MAX_K; k++) {
        const double *w = x->w.of[k];
        double *w_bar = x_bar->w.of[k];
        w_bar[1] += one_bar[k] - 2 * m * two_bar[k] + (6 * m2 - 3 * x->moment[2]) * three_bar[k];
        w_bar[2] += two_bar[k] - 3 * m * three_bar[k];
        w_bar[3] += three_bar[k];
        x_bar->moment[1] += -2 * w[1] * two_bar[k] + (12 * m * w[1] - 3 * w[2]) * three_bar[k];
        x_bar->moment[2] -= 3 * w[1] * three_bar[k];
    }
}

static void cumulants_back(double k3_bar, double k4_bar, const neuron *x, neuron *x_bar) {
    double m = x->m, m2 = m * m, second = x->moment[2];
    x_bar->moment[1] += k3_bar * (6 * m2 - 3 * second) +
                        k4_bar * (24 * second * m - 4 * x->moment[3] - 24 * m2 * m);
    x_bar->moment[2] += -3 * k3_bar * m + k4_bar * (12 * m2 - 6 * second);
    x_bar->moment[3] += k3_bar - 4 * k4_bar * m;
    x_bar->moment[4] += k4_bar;
}

/* Where the cumulant that was read was bounded, it is the bound that has derivatives. */
static double bounded_back(double read, double bound, double power, double var, double bar,
                           double *var_bar) {
    if (fabs(read) <= bound) return bar;
    if (var == 0) return 0;
    *var_bar += (read < 0 ? -bar : bar) * power * bound / var;
    return 0;
}

/* sum_j q_j q_bar_j, q = m / |m|^2. */
static void q_back(size_t n, const double *m, const double *q_bar, double *m_bar) {
    double square = rk_dot(n, m, m), along = rk_dot(n, m, q_bar);
    for (size_t j = 0; square > 0 && j < n; j++)
        m_bar[j] += q_bar[j] / square - 2 * along * m[j] / (square * square);
}

static void neuron_back(size_t n, size_t i, const double *wick, bool pairs, const rk_neurons *bar,
                        neuron *x, neuron *x_bar, double *mu_bar, double *var_bar) {
    int max_p = pairs ? MAX_P : 2;
    for (int p = 1; p <= max_p; p++) {
        for (int k = 0; k <= BACK_K; k++)
            x->w.of[k][p] = wick[rk_wick_at(n, BACK_K, k, p) + i];
        x->moment[p] = x->w.of[0][p] + x->d3 / 6 * x->w.of[3][p] + x->d4 / 24 * x->w.of[4][p];
    }
    x->m = x->moment[1];
    x_bar->moment[1] = bar->m[i] - 2 * x->m * bar->var[i];
    x_bar->moment[2] = bar->var[i];
    if (pairs) {
        cumulants_back(bar->k3[i], bar->k4[i], x, x_bar);
        pairs_of_neuron_back(bar, i, x, x_bar);
    }
    *mu_bar = 0;
    for (int p = 1; p <= max_p; p++) {
        double moment = x_bar->moment[p];
        x_bar->w.of[0][p] += moment;
        x_bar->w.of[3][p] += moment * x->d3 / 6;
        x_bar->w.of[4][p] += moment * x->d4 / 24;
        x_bar->d3 += moment * x->w.of[3][p] / 6;
        x_bar->d4 += moment * x->w.of[4][p] / 24;
        for (int k = 0; k <= MAX_K; k++) {
            *mu_bar += x_bar->w.of[k][p] * x->w.of[k + 1][p];
            *var_bar += 0.5 * x_bar->w.of[k][p] * x->w.of[k + 2][p];
        }
    }
}

void rk_neurons_back(rk_work *work, const rk_activation *activation, size_t n, const double *mu,
                     const double *var, const rk_slices *z, bool pairs, const rk_neurons *neurons,
                     rk_neurons *bar, double *mu_bar, double *var_bar, const rk_slices_bar *z_bar) {
    const size_t mark = rk_work_mark(work);
    double *wick = rk_work_doubles(work, n, (BACK_K + 1) * MAX_P);
    double *centre = rk_work_doubles(work, n, 1), *own = rk_work_doubles(work, n, 1);
    if (rk_work_charge(work, 0)) memcpy(own, var, n * sizeof *own);
    rk_wick_step(work, activation, n, mu, own, BACK_K, pairs ? MAX_P : 2, centre, wick);
    if (rk_work_charge(work, (pairs ? 300 : 60) * (uint64_t)n)) {
        const double typical = rk_sum(n, own) / (double)n;
        if (pairs) q_back(n, neurons->m, bar->q, bar->m);
        for (size_t i = 0; i < n; i++) {
            neuron x = {0}, x_bar = {0};
            const rk_bounds most = rk_neurons_bounds(own[i], typical);
            const double k4 = rk_slices_k4(z, i);
            x.d3 = rk_within(most.skewed, z->d3[i]);
            x.d4 = rk_within(most.peaked, k4);
            neuron_back(n, i, wick, pairs, bar, &x, &x_bar, &mu_bar[i], &var_bar[i]);
            z_bar->d3[i] += bounded_back(z->d3[i], most.skewed, 1.5, own[i], x_bar.d3, &var_bar[i]);
            double k4_bar = bounded_back(k4, most.peaked, 2, own[i], x_bar.d4, &var_bar[i]);
            if (z->k4) {
                z_bar->k4[i] += k4_bar;
            } else {
                z_bar->core[i] += k4_bar * z->metric[i];
                z_bar->metric[i] += k4_bar * z->core[i];
            }
            if (own[i] != var[i]) var_bar[i] = 0;
        }
    }
    rk_work_release(work, mark);
}

void rk_neurons_clear(rk_work *work, size_t n, rk_neurons *bar) {
    if (!rk_work_charge(work, 0)) return;
    double *const all[] = {bar->m,      bar->var,    bar->k3,     bar->k4,   bar->w.k1,
                           bar->w.k2,   bar->w.k3,   bar->w.tail, bar->e.k1, bar->e.k2,
                           bar->e.k3,   bar->e.tail, bar->t.k1,   bar->t.k2, bar->t.k3,
                           bar->t.tail, bar->bend,   bar->q,      bar->k22,  bar->k21_q};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        memset(all[k], 0, n * sizeof *all[k]);
}

#include "tail/surrogate.h"

#include "linalg/blas.h"
#include "linalg/lapack.h"

#include <math.h>
#include <string.h>

/* Tilts as strong as this have all but lost an axis; the next round goes on from there. */
#define STRONGEST 0.95

rk_surrogate rk_surrogate_take(rk_work *work, size_t n) {
    return (rk_surrogate){.n = n,
                          .slope = rk_work_doubles(work, n, 1),
                          .curvature = rk_work_doubles(work, n, 1),
                          .axes = rk_work_doubles(work, n, n)};
}

bool rk_surrogate_expand(rk_work *work, const double *mu, const double *S,
                         const rk_mean_gradient *g, rk_surrogate *q) {
    const size_t mark = rk_work_mark(work), n = q->n;
    double *K_mu = rk_work_doubles(work, n, 1), *slope = rk_work_doubles(work, n, 1);
    if (rk_work_charge(work, (uint64_t)n * n))
        for (size_t i = 0; i < n * n; i++)
            q->axes[i] = 2 * g->covariance[i];
    rk_gemv(work, n, n, q->axes, mu, NULL, K_mu);
    if (rk_work_charge(work, 2 * (uint64_t)n * n)) {
        q->value = g->value;
        for (size_t i = 0; i < n; i++) {
            slope[i] = g->mean[i] - K_mu[i];
            q->value -= (g->mean[i] - 0.5 * K_mu[i]) * mu[i];
            for (size_t j = 0; j < n; j++)
                q->value -= 0.5 * q->axes[i * n + j] * (S ? S[i * n + j] : i == j);
        }
    }
    bool ok = rk_eigen_symmetric(work, n, q->axes, q->curvature);
    rk_gemv(work, n, n, q->axes, slope, NULL, q->slope);
    rk_work_release(work, mark);
    return ok;
}

double rk_surrogate_variance(const rk_surrogate *q) {
    double known = 0;
    for (size_t i = 0; i < q->n; i++)
        known += q->slope[i] * q->slope[i] + 0.5 * q->curvature[i] * q->curvature[i];
    return known;
}

/* Its expectation under the tilt lambda, N(lambda s slope, s), s = 1 / (1 - lambda K). */
static double tilted_mean(const rk_surrogate *q, double lambda) {
    double sum = q->value;
    for (size_t i = 0; i < q->n; i++) {
        double s = 1 / (1 - lambda * q->curvature[i]), m = lambda * s * q->slope[i];
        sum += q->slope[i] * m + 0.5 * q->curvature[i] * (m * m + s);
    }
    return sum;
}

double rk_surrogate_solve(const rk_surrogate *q, double t) {
    const double unit = 1 / sqrt(rk_surrogate_variance(q));
    double low = 0, most = 0, high = unit;
    for (size_t i = 0; i < q->n; i++)
        most = fmax(most, q->curvature[i]);
    double end = most > 0 ? STRONGEST / most : INFINITY;
    while (high < end && high < 1e6 * unit && tilted_mean(q, high) < t)
        high *= 2;
    high = fmin(high, end);
    for (int step = 0; step < 60; step++) {
        double middle = 0.5 * (low + high);
        if (tilted_mean(q, middle) < t)
            low = middle;
        else
            high = middle;
    }
    return high;
}

void rk_surrogate_tilt(const rk_surrogate *q, double lambda, double *mean, double *deviation) {
    for (size_t i = 0; i < q->n; i++) {
        double s = 1 / (1 - lambda * q->curvature[i]);
        mean[i] = lambda * s * q->slope[i];
        deviation[i] = sqrt(s);
    }
}

void rk_surrogate_turn_back(rk_work *work, const rk_surrogate *q, const double *mean,
                            const double *deviation, double *mu, double *S) {
    const size_t mark = rk_work_mark(work), n = q->n;
    double *scaled = rk_work_doubles(work, n, n);
    if (rk_work_charge(work, 3 * (uint64_t)n * n)) {
        memset(mu, 0, n * sizeof *mu);
        for (size_t k = 0; k < n; k++)
            for (size_t j = 0; j < n; j++) {
                mu[j] += mean[k] * q->axes[k * n + j];
                scaled[k * n + j] = deviation[k] * q->axes[k * n + j];
            }
    }
    rk_gemm(work, RK_TRANS, RK_NO_TRANS, n, n, n, 1, scaled, n, scaled, n, 0, S, n);
    rk_work_release(work, mark);
}

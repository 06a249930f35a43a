#include "sample/increment.h"

#include "activation/piecewise.h"
#include "base/simd.h"

#include <math.h>

/* Where the side of zero stays the same only d counts, and where it does not mu is no larger. */
RK_HOT static void two_slopes(size_t n, double left, double right, const double *restrict mu,
                              double *restrict d) {
    for (size_t i = 0; i < n; i++) {
        const double z = mu[i] + d[i];
        const double before = mu[i] < 0 ? left : right, after = z < 0 ? left : right;
        d[i] = before == after ? after * d[i] : after * z - before * mu[i];
    }
}

RK_HOT static void square(size_t n, const double *restrict mu, double *restrict d) {
    for (size_t i = 0; i < n; i++)
        d[i] *= 2 * mu[i] + d[i];
}

RK_HOT static void cube(size_t n, const double *restrict mu, double *restrict d) {
    for (size_t i = 0; i < n; i++)
        d[i] *= 3 * mu[i] * (mu[i] + d[i]) + d[i] * d[i];
}

static void difference(const rk_activation *activation, size_t n, const double *mu,
                       const double *base, double *d) {
    for (size_t i = 0; i < n; i++)
        d[i] += mu[i];
    rk_activation_get(activation->kind)->value(activation, n, d, d);
    for (size_t i = 0; i < n; i++)
        d[i] -= base[i];
}

void rk_increments(const rk_activation *activation, size_t n, const double *mu, const double *base,
                   double *d) {
    switch (activation->kind) {
    case RK_IDENTITY:
        return;
    case RK_RELU:
        two_slopes(n, 0, 1, mu, d);
        return;
    case RK_LEAKY_RELU:
        two_slopes(n, activation->parameter, 1, mu, d);
        return;
    case RK_ABS:
        two_slopes(n, -1, 1, mu, d);
        return;
    case RK_SQUARE:
        square(n, mu, d);
        return;
    case RK_CUBE:
        cube(n, mu, d);
        return;
    default:
        difference(activation, n, mu, base, d);
    }
}

/* The midpoint rule on so many nodes; E|change| too. */
static double midpoint(const rk_activation *activation, double mu, double sigma, int nodes,
                       double *size) {
    enum { CHUNK = 2048 };
    const double reach = 9, step = 2 * reach / nodes;
    double at[CHUNK], base[CHUNK], d[CHUNK], sum = 0, sizes = 0, total = 0;
    for (int k = 0; k < CHUNK; k++)
        at[k] = mu;
    rk_activation_get(activation->kind)->value(activation, CHUNK, at, base);
    for (int first = 0; first < nodes; first += CHUNK) {
        for (int k = 0; k < CHUNK; k++)
            d[k] = sigma * ((first + k + 0.5) * step - reach);
        rk_increments(activation, CHUNK, at, base, d);
        for (int k = 0; k < CHUNK; k++) {
            const double x = (first + k + 0.5) * step - reach, density = exp(-x * x / 2);
            sum += density * d[k];
            sizes += density * fabs(d[k]);
            total += density;
        }
    }
    *size = sizes / total;
    return sum / total;
}

/* For a phi that is smooth on the scale of its step the rule converges exponentially, farther than
 * the coefficients' quadrature, which is made for sums: until it does, or is as good as passes in
 * single precision could tell. */
static double mean_of_smooth(const rk_activation *activation, double mu, double sigma) {
    enum { FEW = 2048, MANY = 1 << 17 };
    double size, mean = midpoint(activation, mu, sigma, FEW, &size);
    for (int nodes = 2 * FEW; nodes <= MANY; nodes *= 2) {
        const double before = mean;
        mean = midpoint(activation, mu, sigma, nodes, &size);
        if (fabs(mean - before) <= 1e-12 * size) break;
    }
    return mean;
}

/* phi(sigma z) = sigma phi(z) keeps squares of sigma out of it where they might leave double. */
static double mean_of_piecewise(const rk_activation *activation, double mu, double sigma) {
    const double unit = rk_activation_get(activation->kind)->degree == 1 ? sigma : 1;
    const double at = mu / unit, var = (sigma / unit) * (sigma / unit);
    double centre, mean;
    rk_wick(activation, 1, &at, &var, 0, 1, &centre, &mean);
    return unit * mean;
}

void rk_increment_means(const rk_activation *activation, size_t n, const double *mu,
                        const double *sigma, double *mean) {
    const bool piecewise = rk_activation_get(activation->kind)->wick == rk_piecewise_wick;
    for (size_t i = 0; i < n; i++)
        mean[i] = sigma[i] == 0 ? 0
                  : piecewise   ? mean_of_piecewise(activation, mu[i], sigma[i])
                                : mean_of_smooth(activation, mu[i], sigma[i]);
}

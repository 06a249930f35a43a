#include "tail/log_probability.h"

#include "base/gamma.h"

#include <cerf.h>
#include <math.h>

#define LOG_SQRT_2PI 0.918938533204672741780

double rk_log_add(double a, double b) {
    double high = fmax(a, b), low = fmin(a, b);
    return low == -INFINITY ? high : high + log1p(exp(low - high));
}

double rk_log_complement(double a) {
    return a > -0.6931471805599453 ? log(-expm1(a)) : log1p(-exp(a));
}

double rk_log_normal_tail(double x) {
    if (x <= 0) return rk_log_complement(rk_log_normal_tail(x == 0 ? 0x1p-1074 : -x));
    return log(erfcx(x * 0.70710678118654752440) / 2) - x * x / 2;
}

double rk_normal_hazard(double x) {
    static const double root_of_2_over_pi = 0.797884560802865355880;
    if (x > 0) return root_of_2_over_pi / erfcx(x * 0.70710678118654752440);
    return exp(-x * x / 2 - LOG_SQRT_2PI - rk_log_normal_tail(x));
}

double rk_normal_tail_inverse(double log_p) {
    if (log_p > -0.6931471805599453) return -rk_normal_tail_inverse(rk_log_complement(log_p));
    double x = sqrt(-2 * (log_p + 0.6931471805599453));
    for (int step = 0; step < 100; step++) {
        double move = (rk_log_normal_tail(x) - log_p) / rk_normal_hazard(x);
        x += move;
        if (!(fabs(move) > 1e-15 * (1 + fabs(x)))) break;
    }
    return x;
}

/* log of x^a e^-x / Gamma(a), the common factor of both expansions. */
static double gamma_factor(double a, double x) {
    return a * log(x) - x - rk_log_gamma(a);
}

/* log of the lower regularised incomplete gamma function by its power series. */
static double log_gamma_lower(double a, double x) {
    double term = 1 / a, sum = term;
    for (double k = a + 1; term > 1e-17 * sum; k++)
        sum += term *= x / k;
    return gamma_factor(a, x) + log(sum);
}

/* log of the upper one by Lentz's continued fraction, for x > a + 1. */
static double log_gamma_upper(double a, double x) {
    double b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
    for (int i = 1; i < 100000; i++) {
        double factor = -i * (i - a);
        b += 2;
        d = 1 / (factor * d + b);
        c = b + factor / c;
        h *= d * c;
        if (fabs(d * c - 1) < 1e-15) break;
    }
    return gamma_factor(a, x) + log(h);
}

double rk_log_chi_tail(size_t n, double r) {
    double a = (double)n / 2, x = r * r / 2;
    if (!(r > 0)) return isnan(r) ? r : 0;
    if (x == INFINITY) return -INFINITY;
    return x > a + 1 ? log_gamma_upper(a, x) : rk_log_complement(log_gamma_lower(a, x));
}

/* Continued fraction of the incomplete beta function I_x(a, b), for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x) {
    double c = 1, d = 1 / (1 - (a + b) * x / (a + 1)), h = d;
    for (int m = 1; m < 100000; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 / (1 + even * d);
        c = 1 + even / c;
        h *= d * c;
        d = 1 / (1 + odd * d);
        c = 1 + odd / c;
        h *= d * c;
        if (fabs(d * c - 1) < 1e-14) break;
    }
    return h;
}

static double beta_cdf(double a, double b, double x) {
    double factor =
        exp(rk_log_gamma(a + b) - rk_log_gamma(a) - rk_log_gamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2)) return factor * beta_fraction(a, b, x) / a;
    return 1 - factor * beta_fraction(b, a, 1 - x) / b;
}

static double beta_quantile(double a, double b, double p) {
    double low = 0, high = 1;
    for (int step = 0; step < 200 && high - low > 1e-14 * high; step++) {
        double x = low + (high - low) / 2;
        if (beta_cdf(a, b, x) < p)
            low = x;
        else
            high = x;
    }
    return low + (high - low) / 2;
}

void rk_binomial_interval(uint64_t k, uint64_t n, double *low, double *high) {
    double hits = (double)k, misses = (double)(n - k);
    *low = k == 0 ? 0 : beta_quantile(hits, misses + 1, 0.025);
    *high = k == n ? 1 : beta_quantile(hits + 1, misses, 0.975);
}

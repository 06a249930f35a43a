#include "tail/series.h"

#include "tail/log_probability.h"

#include <math.h>

#define LOG_SQRT_2PI 0.918938533204672741780

rk_tail_law rk_law_mirror(const rk_tail_law *law) {
    rk_tail_law mirror = *law;
    for (int d = 1; d <= RK_LAW_DEGREE; d += 2)
        mirror.kappa[d] = -law->kappa[d];
    return mirror;
}

/* (t - mean) / sd. */
static double standardise(const rk_tail_law *law, double t, double *sd) {
    *sd = sqrt(law->kappa[2]);
    return (t - law->kappa[1]) / *sd;
}

double rk_series_normal(const rk_tail_law *law, double t) {
    double sd, x = standardise(law, t, &sd);
    return rk_log_normal_tail(x);
}

double rk_series_edgeworth(const rk_tail_law *law, int budget, double t) {
    double sd, x = standardise(law, t, &sd), c[9] = {0}, scaled[RK_LAW_DEGREE + 1];
    for (int d = 3; d <= RK_LAW_DEGREE; d++)
        scaled[d] = law->kappa[d] / pow(sd, d);
    if (budget >= 2) {
        c[3] = scaled[3] / 6;
        c[4] = scaled[4] / 24;
    }
    if (budget >= 4) {
        c[5] = scaled[5] / 120;
        c[6] = scaled[6] / 720 + scaled[3] * scaled[3] / 72;
        c[7] = scaled[3] * scaled[4] / 144;
        c[8] = scaled[4] * scaled[4] / 1152;
    }
    /* P = Phi(-x) + phi(x) sum_k c_k He_{k-1}(x), relative to the first */
    double low = 1, He = x, sum = 0; /* He_0, He_1 */
    for (int k = 2; k <= 8; k++) {
        sum += c[k] * He;
        double next = x * He - (k - 1) * low;
        low = He;
        He = next;
    }
    double tail = rk_log_normal_tail(x);
    return tail + log1p(sum * exp(-x * x / 2 - LOG_SQRT_2PI - tail));
}

/* Of X standardised to mean 0 and variance 1: K(s) = s^2/2 + a s^3/6 + b s^4/24. */
typedef struct generator {
    double a, b;
} generator;

static double slope(generator g, double s) {
    return s * (1 + s * (g.a / 2 + s * g.b / 6));
}

static double curvature(generator g, double s) {
    return 1 + s * (g.a + s * g.b / 2);
}

/* K'(s) = x between 0 and s with K'' > 0 all the way; false if there is none. */
static bool find_saddlepoint(generator g, double x, double *s) {
    double low = 0, high = x;
    double least = g.b > 0 ? -g.a / g.b : 0; /* where K'' is smallest, if not at an end */
    while (fabs(slope(g, high)) < fabs(x) || slope(g, high) * x < 0) {
        high *= 2;
        if (!(fabs(high) < 1e6)) return false;
    }
    for (int step = 0; step < 200; step++) {
        double middle = low + (high - low) / 2;
        if (slope(g, middle) * x > 0 && fabs(slope(g, middle)) >= fabs(x))
            high = middle;
        else
            low = middle;
    }
    *s = high;
    bool inside = least * high > 0 && fabs(least) < fabs(high);
    return curvature(g, high) > 0 && (!inside || curvature(g, least) > 0);
}

double rk_lugannani_rice(double w, double u) {
    double tail = rk_log_normal_tail(w);
    return tail + log1p((1 / u - 1 / w) * exp(-w * w / 2 - LOG_SQRT_2PI - tail));
}

static double at_saddlepoint(generator g, double x, double s) {
    if (fabs(s) < 1e-4) { /* where 1/u - 1/w cancels: its limit -a/6 */
        double tail = rk_log_normal_tail(x);
        return tail + log1p(g.a / 6 * (x * x - 1) * exp(-x * x / 2 - LOG_SQRT_2PI - tail));
    }
    double exponent = s * s * (0.5 + s * (g.a / 3 + s * g.b / 8)); /* s K' - K */
    return rk_lugannani_rice(copysign(sqrt(2 * exponent), s), s * sqrt(curvature(g, s)));
}

double rk_series_saddlepoint(const rk_tail_law *law, double t, int *degree) {
    double sd, x = standardise(law, t, &sd), s = 0;
    generator g = {law->kappa[3] / pow(sd, 3), law->kappa[4] / pow(sd, 4)};
    for (*degree = 4; *degree > 2; --*degree) {
        if (*degree == 3) g.b = 0;
        if (x == 0 || find_saddlepoint(g, x, &s)) return at_saddlepoint(g, x, s);
    }
    return rk_log_normal_tail(x);
}

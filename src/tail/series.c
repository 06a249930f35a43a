#include "tail/series.h"

#include "tail/log_probability.h"

#include <math.h>
#include <stdbool.h>

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

/* log of Phi(-w) + r phi(w), and its derivatives. */
typedef struct tail {
    double log_p, by_w, by_r;
} tail;

static tail tail_of(double w, double r) {
    const double hazard = rk_normal_hazard(w), rest = r * hazard;
    return (tail){rk_log_normal_tail(w) + log1p(rest), rest * (hazard - w) / (1 + rest) - hazard,
                  hazard / (1 + rest)};
}

/* From derivatives by x = (t - kappa_1) / sd and the standardised cumulants to those by kappa. */
static void by_kappa(const rk_tail_law *law, double x, double by_x, double by_3, double by_4,
                     rk_tail_law *by) {
    const double var = law->kappa[2], sd = sqrt(var), skew = by_3 / (var * sd);
    const double kurt = by_4 / (var * var);
    *by = (rk_tail_law){.kappa = {0, -by_x / sd, 0, skew, kurt}};
    by->kappa[2] = -(by_x * x / 2 + 1.5 * skew * law->kappa[3] + 2 * kurt * law->kappa[4]) / var;
}

double rk_series_normal(const rk_tail_law *law, double t, rk_tail_law *by) {
    double sd, x = standardise(law, t, &sd);
    if (by) by_kappa(law, x, -rk_normal_hazard(x), 0, 0, by);
    return rk_log_normal_tail(x);
}

double rk_series_edgeworth(const rk_tail_law *law, int budget, double t, rk_tail_law *by) {
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
    /* P = Phi(-x) + phi(x) sum_k c_k He_{k-1}(x) */
    double low = 1, He = x, sum = 0, slope = 0; /* He_0, He_1 */
    for (int k = 2; k <= 8; k++) {
        sum += c[k] * He;
        slope += c[k] * (k - 1) * low;
        double next = x * He - (k - 1) * low;
        low = He;
        He = next;
    }
    const tail p = tail_of(x, sum);
    const double used = budget >= 2 ? p.by_r : 0;
    if (by)
        by_kappa(law, x, p.by_w + p.by_r * slope, used * (x * x - 1) / 6,
                 used * x * (x * x - 3) / 24, by);
    return p.log_p;
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
    return tail_of(w, 1 / u - 1 / w).log_p;
}

/* A number with its derivatives by x, a and b. */
typedef struct dual {
    double value, by[3];
} dual;

/* s, u / s and w / s; r = 1/u - 1/w, near 0 by its series, where that cancels. */
static tail at_saddlepoint(generator g, double s, dual *w, dual *r) {
    const double v = curvature(g, s), root = sqrt(v), a = g.a, b = g.b;
    const double ratio = sqrt(1 + s * (2 * a / 3 + s * b / 4));
    const double s_by[] = {1 / v, -s * s / 2 / v, -s * s * s / 6 / v};
    const double exponent_by[] = {s, -s * s * s / 6, -s * s * s * s / 24};
    const double v_by[] = {0, s, s * s / 2};
    w->value = s * ratio;
    const bool near = fabs(s) < 1e-4;
    const double bend = 5 * a * a / 24 - b / 8, r_by[] = {0, s * 5 * a / 12 - 1. / 6, -s / 8};
    r->value = near ? s * bend - a / 6 : (1 / root - 1 / ratio) / s;
    for (int k = 0; k < 3; k++) {
        const double u_by = root * s_by[k] + s * (v_by[k] + (a + b * s) * s_by[k]) / (2 * root);
        w->by[k] = s != 0 ? exponent_by[k] / w->value : k == 0;
        r->by[k] =
            near ? r_by[k] + bend * s_by[k] : w->by[k] / (w->value * w->value) - u_by / (s * s * v);
    }
    return tail_of(w->value, r->value);
}

double rk_series_saddlepoint(const rk_tail_law *law, double t, int *degree, rk_tail_law *by) {
    double sd, x = standardise(law, t, &sd), s = 0;
    generator g = {law->kappa[3] / pow(sd, 3), law->kappa[4] / pow(sd, 4)};
    for (*degree = 4; *degree > 2; --*degree) {
        if (*degree == 3) g.b = 0;
        if (x != 0 && !find_saddlepoint(g, x, &s)) continue;
        dual w, r;
        const tail p = at_saddlepoint(g, s, &w, &r);
        double of[3];
        for (int k = 0; k < 3; k++)
            of[k] = p.by_w * w.by[k] + p.by_r * r.by[k];
        if (by) by_kappa(law, x, of[0], of[1], *degree == 4 ? of[2] : 0, by);
        return p.log_p;
    }
    return rk_series_normal(law, t, by);
}

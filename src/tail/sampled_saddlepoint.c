#include "tail/sampled_saddlepoint.h"

#include "tail/log_probability.h"
#include "tail/series.h"

#include <math.h>

/* log E[exp(l)] from the law weighted with exp(NEAR l): its cumulants there carry the rest of the
 * way. At 1 the largest weights decide, at 0 all cumulants matter. */
#define NEAR 0.3
#define FAR  (1 - NEAR)

/* What is not seen of the formula's own error: the formula leaves out terms of the law of z under
 * the tilt, of which the first is computed. */
#define FORMULA_ERROR 0.02

/* K(s) = log E[exp(s z)] as passes see it: with l = s z + log_ratio the average of exp(l). */
typedef struct generating {
    double value, slope;
    double third; /* what l's third cumulant would add to the value */
} generating;

/* A part of the mixture. */
typedef struct stretch {
    const double *z, *log_ratio;
    uint64_t n;
} stretch;

static stretch part(const rk_tilted_sample *p, size_t k) {
    uint64_t first = 0;
    for (size_t j = 0; j < k; j++)
        first += p->count[j];
    return (stretch){p->z + first, p->log_ratio + first, p->count[k]};
}

static uint64_t total(const rk_tilted_sample *p) {
    uint64_t n = 0;
    for (size_t k = 0; k < p->n_parts; k++)
        n += p->count[k];
    return n;
}

/* Moments of l - peak and z in the law weighted with exp(NEAR l). */
typedef struct moments {
    double peak, weight, l1, l2, l3, z0, z1, z2; /* zk: of z (l - peak)^k */
} moments;

static moments measure(stretch p, double s) {
    moments m = {.peak = -INFINITY};
    for (uint64_t i = 0; i < p.n; i++)
        m.peak = fmax(m.peak, s * p.z[i] + p.log_ratio[i]);
    for (uint64_t i = 0; i < p.n; i++) {
        double l = s * p.z[i] + p.log_ratio[i] - m.peak, w = exp(NEAR * l);
        m.weight += w;
        m.l1 += w * l;
        m.l2 += w * l * l;
        m.l3 += w * l * l * l;
        m.z0 += w * p.z[i];
        m.z1 += w * p.z[i] * l;
        m.z2 += w * p.z[i] * l * l;
    }
    double *const sums[] = {&m.l1, &m.l2, &m.l3, &m.z0, &m.z1, &m.z2};
    for (size_t k = 0; k < sizeof sums / sizeof *sums; k++)
        *sums[k] /= m.weight;
    m.weight /= (double)p.n;
    return m;
}

static generating generate_part(stretch p, double s) {
    moments m = measure(p, s);
    double variance = m.l2 - m.l1 * m.l1;
    double with_l = m.z1 - m.z0 * m.l1;
    double with_square = m.z2 - 2 * m.l1 * m.z1 + (2 * m.l1 * m.l1 - m.l2) * m.z0;
    generating g = {.value = log(m.weight) + m.peak + FAR * m.l1 + FAR * FAR / 2 * variance,
                    .slope = m.z0 + FAR * with_l + FAR * FAR * NEAR / 2 * with_square,
                    .third =
                        FAR * FAR * FAR / 6 * (m.l3 - 3 * m.l1 * m.l2 + 2 * m.l1 * m.l1 * m.l1)};
    return g;
}

/* Part k of it. */
static generating generate_share(const rk_tilted_sample *p, size_t k, double s) {
    generating g = generate_part(part(p, k), s);
    g.value += log((double)p->count[k] / (double)total(p));
    return g;
}

static generating generate(const rk_tilted_sample *p, double s) {
    generating sum = {.value = -INFINITY}, of[RK_MAX_PARTS];
    for (size_t k = 0; k < p->n_parts; k++) {
        of[k] = generate_share(p, k, s);
        sum.value = rk_log_add(sum.value, of[k].value);
    }
    for (size_t k = 0; k < p->n_parts; k++) {
        double share = exp(of[k].value - sum.value);
        sum.slope += share * of[k].slope;
        sum.third += share * of[k].third;
    }
    return sum;
}

/* The s for which s z + log_ratio varies least in the first part: where the tilt has come to. */
static double present_tilt(stretch p) {
    double z1 = 0, z2 = 0, r1 = 0, zr = 0, n = (double)p.n;
    for (uint64_t i = 0; i < p.n; i++) {
        double z = p.z[i] - p.z[0], r = p.log_ratio[i] - p.log_ratio[0];
        z1 += z;
        r1 += r;
        z2 += z * z;
        zr += z * r;
    }
    return -(zr - z1 * r1 / n) / (z2 - z1 * z1 / n);
}

/* K'(s) = t; NaN if there is none near the present tilt. */
static double find_saddlepoint(const rk_tilted_sample *p, double t) {
    enum { FACTORS = 12, HALVES = 14 };
    const double factor = 1.2;
    double low = present_tilt(part(p, 0)), high = low;
    if (generate(p, low).slope < t) {
        for (int step = 0; step < FACTORS && generate(p, high *= factor).slope < t; step++)
            low = high;
    } else {
        for (int step = 0; step < FACTORS && generate(p, low /= factor).slope > t; step++)
            high = low;
    }
    for (int step = 0; step < HALVES; step++) {
        double middle = 0.5 * (low + high);
        if (generate(p, middle).slope < t)
            low = middle;
        else
            high = middle;
    }
    bool found = generate(p, low).slope <= t && generate(p, high).slope >= t;
    return found ? low : (double)NAN;
}

/* Of a part's value, by sampling: the square of what one pass more or less changes. */
static double variance_of_part(stretch p, double s) {
    moments m = measure(p, s);
    double sum = 0, second = m.l2 - m.l1 * m.l1;
    for (uint64_t i = 0; i < p.n; i++) {
        double l = s * p.z[i] + p.log_ratio[i] - m.peak, d = l - m.l1;
        double change = exp(NEAR * l) / m.weight * (1 + FAR * d + FAR * FAR / 2 * (d * d - second));
        sum += (change - 1) * (change - 1);
    }
    return sum / ((double)p.n * (double)p.n);
}

static double variance(const rk_tilted_sample *p, double s, double value) {
    double sum = 0;
    for (size_t k = 0; k < p->n_parts; k++) {
        double share = exp(generate_share(p, k, s).value - value);
        sum += share * share * variance_of_part(part(p, k), s);
    }
    return sum;
}

/* K'' at s, and the first term that the formula leaves out, relative to it: lambda_4 / 8 - 5
 * lambda_3^2 / 24 with the standardised cumulants under the tilt; from differences of K' over a
 * part of a deviation. */
static double curvature_at(const rk_tilted_sample *p, double s, double *left_out) {
    const double small = 0.01 * s;
    double curvature = (generate(p, s + small).slope - generate(p, s - small).slope) / (2 * small);
    const double h = 0.3 / sqrt(curvature);
    double below = generate(p, s - h).slope, above = generate(p, s + h).slope;
    double further = generate(p, s + 2 * h).slope - generate(p, s - 2 * h).slope;
    double third = (above - 2 * generate(p, s).slope + below) / (h * h);
    double fourth = (further - 2 * (above - below)) / (2 * h * h * h);
    *left_out = fourth / (8 * curvature * curvature) -
                5 * third * third / (24 * curvature * curvature * curvature);
    return curvature;
}

rk_weighted_mean rk_sampled_saddlepoint(const rk_tilted_sample *sample, double t) {
    rk_weighted_mean out = {.log_mean = (double)NAN, .cv = (double)NAN, .n = total(sample)};
    double s = find_saddlepoint(sample, t);
    if (!(s > 0)) return out;
    generating g = generate(sample, s);
    double left_out, curvature = curvature_at(sample, s, &left_out);
    double w = sqrt(2 * (s * t - g.value)), u = s * sqrt(curvature);
    if (!(w > 0 && u > 0)) return out;
    out.log_mean = rk_lugannani_rice(w, u);
    double sampling = variance(sample, s, g.value);
    out.effective = 1 / sampling;
    out.cv =
        sqrt(sampling + g.third * g.third + left_out * left_out + FORMULA_ERROR * FORMULA_ERROR);
    return out;
}

#include "propagate/orthant.h"

#include "activation/vector_math.h"
#include "base/simd.h"

#include <math.h>

static const double PI = 3.14159265358979323846, ROOT_HALF = 0.70710678118654752440;

/* ------------------------------------------------------------------------------------ the rules */

/* The i-th zero of the Legendre polynomial of degree n, by Newton's method, moved to [0, 1]. */
static void find_node(size_t n, size_t i, double *node, double *weight) {
    double x = cos(PI * ((double)i + 0.75) / ((double)n + 0.5)), slope = 1;
    for (int round = 0; round < 6; round++) {
        double before = 1, now = x;
        for (size_t k = 1; k < n; k++) {
            double next = ((double)(2 * k + 1) * x * now - (double)k * before) / (double)(k + 1);
            before = now;
            now = next;
        }
        slope = (double)n * (before - x * now) / ((1 - x) * (1 + x));
        x -= now / slope;
    }
    *node = 0.5 * (1 + x);
    *weight = 1 / ((1 - x) * (1 + x) * slope * slope);
}

rk_orthant_rules rk_orthant_rules_make(void) {
    rk_orthant_rules rules = {
        {{.n = 6, .reach = 0.3}, {.n = 10, .reach = 0.6}, {.n = 16, .reach = 0.9}}};
    for (size_t r = 0; r < RK_ORTHANT_RULES; r++)
        for (size_t i = 0; i < rules.rule[r].n; i++)
            find_node(rules.rule[r].n, i, &rules.rule[r].node[i], &rules.rule[r].weight[i]);
    return rules;
}

static double distribution(double x) {
    return 0.5 * erfc(-x * ROOT_HALF);
}

static double density(double x) {
    return exp(-0.5 * x * x) / sqrt(2 * PI);
}

void rk_orthant_points_fill(size_t n, rk_orthant_points *points) {
    for (size_t i = 0; i < n; i++) {
        points->cdf[i] = distribution(points->x[i]);
        points->pdf[i] = density(points->x[i]);
    }
}

/* ------------------------------------------------------------------- integrals over the density */

/* Pairs whose correlations are of one size. */
typedef struct pairs {
    size_t count, at[RK_ORTHANT_MOST];
    double k[RK_ORTHANT_MOST], rho[RK_ORTHANT_MOST];
    double N[RK_ORTHANT_MOST], M[RK_ORTHANT_MOST];
} pairs;

/* With the correlation 2v / (1 + v^2) the density is exp(rational) and smooth beyond |v| = 1. */
RK_HOT static void integrate_pairs(const rk_orthant_rule *rule, double h, pairs *p) {
    double w[RK_ORTHANT_MOST], e[RK_ORTHANT_MOST];
    size_t count = p->count;
    for (size_t j = 0; j < count; j++) {
        double rho = p->rho[j];
        w[j] = rho / (1 + sqrt((1 - rho) * (1 + rho)));
        p->N[j] = p->M[j] = 0;
    }
    for (size_t m = 0; m < rule->n; m++) {
        double x = rule->node[m], weight = rule->weight[m] / PI;
        for (size_t j = 0; j < count; j++) {
            double k = p->k[j], v = w[j] * x, q = 1 + v * v, c = (1 - v) * (1 + v);
            e[j] = ((4 * v) * (h * k) - q * (h * h + k * k)) * q / (2 * c * c);
        }
        rk_vector_exp(count, e);
        for (size_t j = 0; j < count; j++) {
            double v = w[j] * x, q = 1 + v * v, part = weight * w[j] * e[j] / q;
            p->N[j] += part; /* times rho less this correlation: */
            p->M[j] += part * 2 * (w[j] - v) * (1 - w[j] * v) / ((1 + w[j] * w[j]) * q);
        }
    }
}

/* P(0 < X < h, 0 < Y < q X / h) of independent X, Y: odd in h and in q. */
static double triangle(const rk_orthant_rule *rule, double h, double q) {
    if (fabs(q) > fabs(h))
        return (distribution(h) - 0.5) * (distribution(q) - 0.5) - triangle(rule, q, h);
    double a = q == 0 ? 0 : q / h, sum = 0;
    for (size_t m = 0; m < rule->n; m++) {
        double x = a * rule->node[m], square = 1 + x * x;
        sum -= rule->weight[m] * expm1(-0.5 * h * h * square) / square;
    }
    return a * sum / (2 * PI);
}

/* (k - rho h) / r, r = sqrt(1 - rho^2), without cancellation; at |rho| = 1 infinite or nothing. */
RK_HOT_PART double beyond(double h, double k, double rho, double r) {
    double sign = rho < 0 ? -1 : 1;
    double rest = (k - sign * h) + (sign - rho) * h;
    return rest == 0 ? 0 : rest / r;
}

/* Near |rho| = 1 the density is no good integrand, but the quadrant is made of two triangles in
 * independent coordinates. M by parts: no digit beside 1 is lost since every term has a density. */
static void add_triangles(const rk_orthant_rule *rule, const rk_orthant_points *a, size_t i,
                          const rk_orthant_points *b, size_t j, double rho, double *N, double *M) {
    double h = a->x[i], k = b->x[j], r = sqrt((1 - rho) * (1 + rho));
    double th = beyond(k, h, rho, r), tk = beyond(h, k, rho, r);
    double both = 0.5 * (a->cdf[i] + b->cdf[j]) - acos(rho) / (2 * PI);
    *N = (both - a->cdf[i] * b->cdf[j]) + (triangle(rule, h, tk) + triangle(rule, k, th));
    *M = (h * k + rho) * *N - a->pdf[i] * b->pdf[j] +
         (h * b->pdf[j] * (distribution(th) - a->cdf[i]) +
          k * a->pdf[i] * (distribution(tk) - b->cdf[j])) +
         0.5 * r * (a->pdf[i] * density(tk) + b->pdf[j] * density(th));
}

void rk_orthant_excess(const rk_orthant_rules *rules, const rk_orthant_points *a, size_t i,
                       const rk_orthant_points *b, size_t first, size_t count, const double *rho,
                       double *N, double *M) {
    const rk_orthant_rule *last = &rules->rule[RK_ORTHANT_RULES - 1];
    double least = 0;
    pairs p;
    for (size_t r = 0; r < RK_ORTHANT_RULES; least = rules->rule[r++].reach) {
        p.count = 0;
        for (size_t j = 0; j < count; j++) {
            double size = fabs(rho[j]);
            if (size > rules->rule[r].reach || (r > 0 && size <= least)) continue;
            p.at[p.count] = j;
            p.k[p.count] = b->x[first + j];
            p.rho[p.count++] = rho[j];
        }
        integrate_pairs(&rules->rule[r], a->x[i], &p);
        for (size_t at = 0; at < p.count; at++) {
            N[p.at[at]] = p.N[at];
            M[p.at[at]] = p.M[at];
        }
    }
    for (size_t j = 0; j < count; j++)
        if (!(fabs(rho[j]) <= last->reach))
            add_triangles(last, a, i, b, first + j, rho[j], &N[j], &M[j]);
}

/* -------------------------------------------------------------------------------------- changes */

/* For one of the two, of density `pdf` at h: t is where the other's edge is given that. */
RK_HOT static void change_pairs(size_t count, const double *h, const double *pdf, const double *k,
                                const double *cdf_k, const double *pdf_k, size_t step_h,
                                size_t step_k, const double *rho, double *dh_partly,
                                double *dk_partly, double *heat) {
    double t[RK_ORTHANT_MOST], e[RK_ORTHANT_MOST], r[RK_ORTHANT_MOST];
    for (size_t j = 0; j < count; j++) {
        r[j] = sqrt((1 - rho[j]) * (1 + rho[j]));
        t[j] = ROOT_HALF * beyond(h[j * step_h], k[j * step_k], rho[j], r[j]);
        e[j] = -t[j] * t[j];
    }
    rk_vector_erf(count, t);
    rk_vector_exp(count, e);
    for (size_t j = 0; j < count; j++) {
        double own = pdf[j * step_h], other = k[j * step_k];
        double more = 0.5 * (1 + t[j]) - cdf_k[j * step_k];
        dh_partly[j] += own * rho[j] * more;
        dk_partly[j] += own * more;
        heat[j] = own * (r[j] * e[j] / sqrt(2 * PI) - pdf_k[j * step_k] +
                         (other - rho[j] * h[j * step_h]) * more);
    }
}

void rk_orthant_change(const rk_orthant_points *a, size_t i, const rk_orthant_points *b,
                       size_t first, size_t count, const double *rho, const double *N,
                       rk_orthant_changes *c) {
    const double *h = a->x + i, *k = b->x + first;
    for (size_t j = 0; j < count; j++) {
        c->dh[j] = k[j] * N[j];
        c->dk[j] = *h * N[j];
    }
    change_pairs(count, h, a->pdf + i, k, b->cdf + first, b->pdf + first, 0, 1, rho, c->dh, c->dk,
                 c->heat_h);
    change_pairs(count, k, b->pdf + first, h, a->cdf + i, a->pdf + i, 1, 0, rho, c->dk, c->dh,
                 c->heat_k);
}

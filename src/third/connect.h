/* The diagrams that connect two neurons (docs/MATH.md#third), and the adjoints of what they are
 * made of: both directions of a term stand together. */
#ifndef RK_THIRD_CONNECT_H
#define RK_THIRD_CONNECT_H

#include "base/simd.h"

#include <stddef.h>

/** Which terms of two neurons: those of K = 3 simple, the augmented ones without a fourth
 *  cumulant kappa_iiij, with a regenerated one, or with one carried. */
typedef enum rk_pair_terms {
    RK_PAIRS_SIMPLE,
    RK_PAIRS_AUGMENTED,
    RK_PAIRS_REGENERATED,
    RK_PAIRS_FOURTH
} rk_pair_terms;

/** Coefficients of a diagram's end at each neuron: what k = 1, 2, 3 legs arriving there are worth;
 *  `tail`: one leg beside the neuron's own third or fourth cumulant. */
typedef struct rk_ends {
    double *k1, *k2, *k3, *tail;
} rk_ends;

/** Coefficients of an end at one neuron. */
typedef struct rk_end {
    double k1, k2, k3, tail;
} rk_end;

static inline rk_end rk_end_at(const rk_ends *ends, size_t i) {
    return (rk_end){ends->k1[i], ends->k2[i], ends->k3[i], ends->tail[i]};
}

static inline rk_ends rk_ends_from(const rk_ends *ends, size_t j) {
    return (rk_ends){ends->k1 + j, ends->k2 + j, ends->k3 + j, ends->tail + j};
}

/** The cumulants of z that connect a neuron x with another y, with their combinatorial factors. */
typedef struct rk_links {
    double xy, xxy, xyy;
    double xxyy;       /* a quarter */
    double xxxy, xyyy; /* a sixth */
} rk_links;

/** The sum of the terms that connect x with y. */
RK_HOT_PART double rk_connect(rk_pair_terms terms, rk_links k, rk_end x, rk_end y) {
    double both = k.xxyy + 0.5 * k.xy * k.xy;
    double sum =
        (x.k1 * k.xy + 0.5 * x.k2 * k.xxy) * y.k1 + (0.5 * x.k1 * k.xyy + x.k2 * both) * y.k2;
    if (terms == RK_PAIRS_SIMPLE) return sum;
    double with_edge = x.k1 * y.tail + x.tail * y.k1 +
                       0.5 * (k.xyy * x.k2 * y.k3 + k.xxy * x.k3 * y.k2) +
                       (k.xxyy + 1. / 6 * k.xy * k.xy) * x.k3 * y.k3;
    sum += k.xy * with_edge;
    if (terms == RK_PAIRS_AUGMENTED) return sum;
    return sum + k.xxxy * x.k3 * y.k1 + k.xyyy * x.k1 * y.k3;
}

/** `bar` is the adjoint of that sum; those of links and ends are added to. */
RK_HOT_PART void rk_connect_back(rk_pair_terms terms, rk_links k, rk_end x, rk_end y, double bar,
                                 rk_links *k_bar, rk_end *x_bar, rk_end *y_bar) {
    double both = k.xxyy + 0.5 * k.xy * k.xy;
    x_bar->k1 += bar * (k.xy * y.k1 + 0.5 * k.xyy * y.k2);
    x_bar->k2 += bar * (0.5 * k.xxy * y.k1 + both * y.k2);
    y_bar->k1 += bar * (k.xy * x.k1 + 0.5 * k.xxy * x.k2);
    y_bar->k2 += bar * (0.5 * k.xyy * x.k1 + both * x.k2);
    k_bar->xy += bar * (x.k1 * y.k1 + k.xy * x.k2 * y.k2);
    k_bar->xxy += 0.5 * bar * x.k2 * y.k1;
    k_bar->xyy += 0.5 * bar * x.k1 * y.k2;
    k_bar->xxyy += bar * x.k2 * y.k2;
    if (terms == RK_PAIRS_SIMPLE) return;
    double edge_bar = bar * k.xy, cube = k.xxyy + 1. / 6 * k.xy * k.xy;
    x_bar->k1 += edge_bar * y.tail;
    x_bar->k2 += 0.5 * edge_bar * k.xyy * y.k3;
    x_bar->k3 += edge_bar * (0.5 * k.xxy * y.k2 + cube * y.k3);
    x_bar->tail += edge_bar * y.k1;
    y_bar->k1 += edge_bar * x.tail;
    y_bar->k2 += 0.5 * edge_bar * k.xxy * x.k3;
    y_bar->k3 += edge_bar * (0.5 * k.xyy * x.k2 + cube * x.k3);
    y_bar->tail += edge_bar * x.k1;
    k_bar->xy +=
        bar * (x.k1 * y.tail + x.tail * y.k1 + 0.5 * (k.xyy * x.k2 * y.k3 + k.xxy * x.k3 * y.k2) +
               (k.xxyy + 0.5 * k.xy * k.xy) * x.k3 * y.k3);
    k_bar->xxy += 0.5 * edge_bar * x.k3 * y.k2;
    k_bar->xyy += 0.5 * edge_bar * x.k2 * y.k3;
    k_bar->xxyy += edge_bar * x.k3 * y.k3;
    if (terms == RK_PAIRS_AUGMENTED) return;
    x_bar->k1 += bar * k.xyyy * y.k3;
    x_bar->k3 += bar * k.xxxy * y.k1;
    y_bar->k1 += bar * k.xxxy * x.k3;
    y_bar->k3 += bar * k.xyyy * x.k1;
    k_bar->xxxy += bar * x.k3 * y.k1;
    k_bar->xyyy += bar * x.k1 * y.k3;
}

/** An edge from an outer neuron x to the centre of a tree, which has another: what stands for
 *  x1 C there. */
RK_HOT_PART double rk_edge(rk_pair_terms terms, rk_links k, rk_end x, double bend) {
    if (terms == RK_PAIRS_SIMPLE) return x.k1 * k.xy;
    return x.k1 * (k.xy + 0.5 * bend * k.xyy) + 0.5 * x.k2 * k.xxy;
}

RK_HOT_PART void rk_edge_back(rk_pair_terms terms, rk_links k, rk_end x, double bend, double bar,
                              rk_links *k_bar, rk_end *x_bar, double *bend_bar) {
    x_bar->k1 += bar * k.xy;
    k_bar->xy += bar * x.k1;
    if (terms == RK_PAIRS_SIMPLE) return;
    x_bar->k1 += 0.5 * bar * bend * k.xyy;
    x_bar->k2 += 0.5 * bar * k.xxy;
    k_bar->xyy += 0.5 * bar * x.k1 * bend;
    k_bar->xxy += 0.5 * bar * x.k2;
    *bend_bar += 0.5 * bar * x.k1 * k.xyy;
}

#endif

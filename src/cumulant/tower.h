/* The cumulants that are tracked of one layer's law. */
#ifndef RK_CUMULANT_TOWER_H
#define RK_CUMULANT_TOWER_H

#include "cumulant/slice.h"

/** The degree-d cumulant Sym(core x M^radial): core is a packed tensor of order d - 2 radial, M the
 *  tower's metric. With radial = 0 it is the core. */
typedef struct rk_cumulant {
    int radial;
    double *core; /* NULL: not tracked, or zero */
} rk_cumulant;

/** A degree-d cumulant (d = 3 or 4) as a symmetrised sum of J products: sum_r A_ir B_jr C_kr, or
 *  sum_r A_ijr B_klr with A, B symmetric in i, j. Product r is contiguous in every list. */
typedef struct rk_factors {
    int degree;
    size_t J;
    double *list[3]; /* degree 3: J x n each; degree 4: two of J x n x n */
} rk_factors;

typedef struct rk_tower {
    size_t n;
    rk_cumulant degree[RK_MAX_DEGREE + 1];
    double *metric_diagonal; /* n entries M_ii, or NULL for M = I */
    double *metric_pairs;    /* M_ij, packed of order 2, or NULL for M_ij = 0, i != j */
    rk_factors factors;      /* the top degree, if J > 0; its core is then NULL */
} rk_tower;

static inline int rk_tower_order(const rk_tower *tower, int d) {
    return d - 2 * tower->degree[d].radial;
}

#endif

/* Sums of products indexed by vectors: what the combinatorics hands to the arithmetic.
 *
 * A term is a rational coefficient and a multiset of vectors over the same b blocks; its meaning
 * (a diagram, a power-cumulant product, a radial multigraph) is given by whoever made the list. */
#ifndef RK_DIAGRAM_TERMS_H
#define RK_DIAGRAM_TERMS_H

#include "diagram/vector.h"

#include <stddef.h>

enum { RK_MAX_FACTORS = 8 };

typedef struct rk_term {
    int64_t numerator, denominator;
    int n_factors;
    rk_vector factor[RK_MAX_FACTORS];
} rk_term;

typedef struct rk_terms {
    size_t n, capacity;
    rk_term *term; /* owned */
    bool failed;   /* out of memory: the list is incomplete */
} rk_terms;

/** Appends a copy; on lack of memory sets `failed` and does nothing. */
void rk_terms_add(rk_terms *terms, const rk_term *term);
/** Frees the terms and empties the list. */
void rk_terms_clear(rk_terms *terms);

/** The product over the distinct factors u of mult(u)! (prod_a u_a!)^mult(u): how many ways of
 *  labelling legs a multiset does not tell apart. Equal factors must be adjacent. */
int64_t rk_term_symmetry(const rk_term *term);

#endif

#include "diagram/radial.h"

#include <assert.h>

/* Adds r more edges, none above `bound`; factor[0] holds the legs that remain. `ways` counts the
 * ordered choices of a pair of legs for every edge so far, each multigraph in its canonical order
 * only. Dividing by the factorials of multiplicities of the edges (which are tracked by `repeats`)
 * and multiplying by the r! orders of the edges counts unordered pairs with labelled edges. */
static void add_edges(rk_terms *out, rk_term *term, int r, rk_vector bound, int repeats) {
    if (r == 0) {
        rk_terms_add(out, term);
        return;
    }
    rk_term extended = *term;
    rk_vector *legs = &extended.factor[0];
    int b = legs->size;
    for (int i = 0; i < b; i++)
        for (int j = i; j < b; j++) {
            rk_vector edge = {.size = legs->size};
            edge.at[i]++;
            edge.at[j]++;
            int order = rk_vector_compare(edge, bound);
            int64_t pairs =
                i == j ? legs->at[i] * (legs->at[i] - 1) / 2 : (int64_t)legs->at[i] * legs->at[j];
            if (order > 0 || pairs == 0) continue;
            int multiplicity = order == 0 ? repeats + 1 : 1;
            extended.numerator = term->numerator * pairs * r;
            extended.denominator = term->denominator * multiplicity;
            extended.factor[extended.n_factors++] = edge;
            legs->at[i]--;
            legs->at[j]--;
            add_edges(out, &extended, r - 1, edge, multiplicity);
            extended = *term;
        }
}

void rk_radial_slice(rk_terms *out, rk_vector lambda, int r) {
    int d = rk_vector_sum(lambda);
    assert(2 * r <= d && r < RK_MAX_FACTORS);
    rk_term term = {.numerator = 1, .denominator = 1, .n_factors = 1, .factor = {lambda}};
    for (int k = 0; k < r; k++) /* ordered choices of r disjoint pairs among d legs */
        term.denominator *= (d - 2 * k) * (d - 2 * k - 1) / 2;
    rk_vector bound = {.size = lambda.size};
    for (int a = 0; a < lambda.size; a++)
        bound.at[a] = UINT8_MAX;
    add_edges(out, &term, r, bound, 0);
}

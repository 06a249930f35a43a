#include "diagram/diagram.h"

#include <assert.h>

int rk_diagram_cost(rk_vector v) {
    return rk_vector_sum(v) - 1 - rk_vector_all_even(v);
}

static bool is_mixed(rk_vector v) {
    unsigned support = rk_vector_support(v);
    bool one_block = (support & (support - 1)) == 0;
    return rk_vector_sum(v) > 2 || !one_block;
}

/* Grows the set of blocks reached from block 0 until it no longer grows. */
static bool is_connected(const rk_term *diagram, int b) {
    unsigned all = (1u << b) - 1, reached = 1, before;
    do {
        before = reached;
        for (int f = 0; f < diagram->n_factors; f++) {
            unsigned support = rk_vector_support(diagram->factor[f]);
            if (support & reached) reached |= support;
        }
    } while (reached != before);
    return reached == all;
}

/* Extends `diagram` by vectors not above `bound`. Every mixed vector costs at least 1. */
static void extend(rk_terms *out, rk_term *diagram, int b, int budget, rk_vector bound) {
    if (is_connected(diagram, b)) {
        diagram->denominator = rk_term_symmetry(diagram);
        rk_terms_add(out, diagram);
    }
    if (budget == 0) return;
    rk_vector v = {.size = (uint8_t)b}, largest = v;
    for (int a = 0; a < b; a++)
        largest.at[a] = (uint8_t)(budget + 2);
    while (rk_vector_next(&v, largest)) {
        int cost = rk_diagram_cost(v);
        if (!is_mixed(v) || cost > budget || rk_vector_compare(v, bound) > 0) continue;
        assert(diagram->n_factors < RK_MAX_FACTORS);
        diagram->factor[diagram->n_factors++] = v;
        extend(out, diagram, b, budget - cost, v);
        diagram->n_factors--;
    }
}

void rk_activation_diagrams(rk_terms *out, int b, int budget) {
    assert(b >= 1 && b <= RK_MAX_BLOCKS && budget >= 0 && budget <= RK_MAX_FACTORS);
    rk_term diagram = {.numerator = 1, .denominator = 1};
    rk_vector bound = {.size = (uint8_t)b};
    for (int a = 0; a < b; a++)
        bound.at[a] = UINT8_MAX;
    extend(out, &diagram, b, budget, bound);
}

#include "diagram/partition.h"

#include <assert.h>

rk_vector rk_partition_first(int d) {
    assert(d >= 1 && d <= RK_MAX_BLOCKS);
    return (rk_vector){.size = 1, .at = {(uint8_t)d}};
}

bool rk_partition_next(rk_vector *partition) {
    int rest = 0; /* what the parts after the last one above 1 add up to */
    int a = partition->size - 1;
    while (a >= 0 && partition->at[a] == 1) {
        partition->at[a--] = 0;
        rest++;
    }
    if (a < 0) return false;
    int part = --partition->at[a];
    for (rest++; rest > 0 && a + 1 < RK_MAX_BLOCKS; rest -= part)
        partition->at[++a] = (uint8_t)(rest < part ? rest : part);
    partition->size = (uint8_t)(a + 1);
    return true;
}

/* Extends `term` by factors not above `bound` that add up to `rest`. */
static void extend(rk_terms *out, rk_term *term, rk_vector rest, rk_vector bound) {
    if (rk_vector_sum(rest) == 0) {
        rk_terms_add(out, term);
        return;
    }
    rk_vector u = {.size = rest.size};
    while (rk_vector_next(&u, rest)) {
        if (rk_vector_compare(u, bound) > 0) continue;
        rk_vector left = rest;
        for (int a = 0; a < rest.size; a++)
            left.at[a] = (uint8_t)(rest.at[a] - u.at[a]);
        term->factor[term->n_factors++] = u;
        extend(out, term, left, u);
        term->n_factors--;
    }
}

void rk_vector_partitions(rk_terms *out, rk_vector total) {
    assert(rk_vector_sum(total) <= RK_MAX_FACTORS);
    rk_term term = {.numerator = 1, .denominator = 1};
    extend(out, &term, total, total);
}

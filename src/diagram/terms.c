#include "diagram/terms.h"

#include <stdlib.h>

void rk_terms_add(rk_terms *terms, const rk_term *term) {
    if (terms->failed) return;
    if (terms->n == terms->capacity) {
        size_t capacity = terms->capacity ? 2 * terms->capacity : 16;
        rk_term *grown = realloc(terms->term, capacity * sizeof *grown);
        if (!grown) {
            terms->failed = true;
            return;
        }
        terms->term = grown;
        terms->capacity = capacity;
    }
    terms->term[terms->n++] = *term;
}

void rk_terms_clear(rk_terms *terms) {
    free(terms->term);
    *terms = (rk_terms){.n = 0};
}

int64_t rk_term_symmetry(const rk_term *term) {
    int64_t symmetry = 1;
    int multiplicity = 0;
    for (int f = 0; f < term->n_factors; f++) {
        bool repeated = f > 0 && rk_vector_compare(term->factor[f], term->factor[f - 1]) == 0;
        multiplicity = repeated ? multiplicity + 1 : 1;
        symmetry *= multiplicity * rk_vector_factorial(term->factor[f]);
    }
    return symmetry;
}

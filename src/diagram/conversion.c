#include "diagram/conversion.h"

#include "diagram/partition.h"

/* Sum over the set partitions of the factors from `f` on, given the classes of those before (the
 * union of the supports in each), of (-1)^(classes-1) (classes-1)!; factors that share a class must
 * have disjoint supports. */
static int64_t sum_of_classes(const rk_term *term, int f, unsigned *support, int classes) {
    if (f == term->n_factors) {
        int64_t sign_factorial = 1;
        for (int k = 1; k < classes; k++)
            sign_factorial *= -k;
        return sign_factorial;
    }
    unsigned own = rk_vector_support(term->factor[f]);
    int64_t sum = 0;
    for (int c = 0; c < classes; c++) {
        if (support[c] & own) continue;
        support[c] |= own;
        sum += sum_of_classes(term, f + 1, support, classes);
        support[c] &= ~own;
    }
    support[classes] = own;
    return sum + sum_of_classes(term, f + 1, support, classes + 1);
}

void rk_conversion(rk_terms *out, rk_vector lambda) {
    rk_terms all = {.n = 0};
    rk_vector_partitions(&all, lambda);
    for (size_t t = 0; t < all.n; t++) {
        rk_term *term = &all.term[t];
        unsigned support[RK_MAX_FACTORS];
        term->numerator = rk_vector_factorial(lambda) / rk_term_symmetry(term) *
                          sum_of_classes(term, 0, support, 0);
        if (term->numerator != 0) rk_terms_add(out, term);
    }
    out->failed |= all.failed;
    rk_terms_clear(&all);
}

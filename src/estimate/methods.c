#include "estimate/methods.h"

/* Its plan is that of the method it chooses. */
const rk_method rk_method_auto = {
    .info = {"auto", "the cheapest that meets the tolerance, or the best within the budget", ""},
};

static const rk_method *const table[] = {
    [RK_AUTO] = &rk_method_auto,
    [RK_MEAN] = &rk_method_mean,
    [RK_COVARIANCE] = &rk_method_covariance,
    [RK_GAIN] = &rk_method_gain,
    [RK_THIRD] = &rk_method_third,
    [RK_FOURTH] = &rk_method_fourth,
    [RK_REFERENCE] = &rk_method_reference,
    [RK_SAMPLE] = &rk_method_sample,
};
_Static_assert(sizeof table / sizeof *table == RK_METHOD_COUNT, "every kind is a method");

const rk_method_info *rk_method_at(size_t index) {
    return index < RK_METHOD_COUNT ? &table[index]->info : NULL;
}

const rk_method *rk_method_of(const rk_method_spec *spec) {
    return table[spec->kind];
}

const rk_variant *rk_variant_at(size_t index) {
    for (size_t k = 0; k < RK_METHOD_COUNT; index -= table[k]->n_variants, k++)
        if (index < table[k]->n_variants) return &table[k]->variants[index];
    return NULL;
}

const rk_error_laws *rk_error_laws_of(const rk_method_spec *spec) {
    const rk_method *method = rk_method_of(spec);
    rk_method_spec native;
    if (method->find_native && method->find_native(spec, &native)) return rk_error_laws_of(&native);
    for (const rk_variant *v = method->variants; v < method->variants + method->n_variants; v++) {
        const bool is_measured = v->laws.means.factor > 0;
        if (is_measured && (!method->covers || method->covers(&v->spec, spec))) return &v->laws;
    }
    return NULL;
}

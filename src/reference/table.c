#include "reference/table.h"

#include "diagram/conversion.h"
#include "diagram/diagram.h"
#include "diagram/radial.h"

#include <assert.h>

/* Total cost the diagrams may have (paper eqs. 13-14). */
static int budget(const rk_reference_spec *spec) {
    return spec->kind == RK_REFERENCE_AUGMENT ? spec->K : spec->K - 1;
}

/* docs/MATH.md#tracked */
static int tracked_radial(const rk_reference_spec *spec, int d) {
    int K = spec->K;
    if (spec->kind == RK_REFERENCE_BASE) return d <= K ? 0 : -1;
    bool augmented = spec->kind == RK_REFERENCE_AUGMENT && K > 1;
    if (d <= K) return 0;
    if (d == K + 1 && augmented) return 1;
    if (d == K + 1) return d % 2 ? -1 : d / 2;
    return d == K + 2 && augmented && d % 2 == 0 ? d / 2 : -1;
}

/* A slice matters if the trace that is tracked of its degree has anything of it. */
static bool is_needed(const rk_reference_table *table, const rk_reference_spec *spec,
                      rk_vector lambda) {
    int d = rk_vector_sum(lambda), pairs = 0;
    for (int a = 0; a < lambda.size; a++)
        pairs += lambda.at[a] / 2;
    if (table->radial[d] < 0 || pairs < table->radial[d]) return false;
    if (spec->no_power_cumulants) return lambda.at[0] == 1;
    bool factored = spec->factored && spec->K >= 3 && d == spec->K && lambda.at[0] == 1;
    return !factored;
}

static bool add_all(rk_polynomial **out, const rk_terms *terms, rk_vector lambda,
                    void (*translate)(const rk_term *, void *, rk_product *), void *context) {
    *out = terms->failed ? NULL : rk_polynomial_create(lambda);
    bool complete = *out != NULL;
    for (size_t t = 0; complete && t < terms->n; t++) {
        const rk_term *term = &terms->term[t];
        rk_product product = {.coefficient = (double)term->numerator / (double)term->denominator};
        translate(term, context, &product);
        complete = rk_polynomial_add(*out, &product);
    }
    return complete;
}

typedef struct activation_step {
    rk_reference_table *table;
    rk_vector lambda;
} activation_step;

enum { MAX_OUTPUT_BLOCKS = 4 }; /* K */

/* A diagram: its cumulants, and E[d^k phi^p] at each block with k legs and power p. */
static void translate_diagram(const rk_term *term, void *context, rk_product *product) {
    const activation_step *step = context;
    rk_vector k = {.size = step->lambda.size};
    for (int f = 0; f < term->n_factors; f++) {
        rk_product_cumulant(product, term->factor[f]);
        int *read_by = &step->table->read_by[product->operand[product->n - 1].source];
        if (*read_by == 0) *read_by = rk_vector_sum(step->lambda); /* they come by degree */
        for (int a = 0; a < k.size; a++)
            k.at[a] = (uint8_t)(k.at[a] + term->factor[f].at[a]);
    }
    for (int a = 0; a < k.size; a++) {
        int p = step->lambda.at[a];
        assert(k.at[a] <= step->table->k_max && p <= step->table->p_max);
        rk_product_vector(product, RK_SOURCE_WICK + (p - 1) * (step->table->k_max + 1) + k.at[a],
                          a);
    }
}

static void translate_conversion(const rk_term *term, void *context, rk_product *product) {
    (void)context;
    for (int f = 0; f < term->n_factors; f++)
        rk_product_cumulant(product, term->factor[f]);
}

static void translate_radial(const rk_term *term, void *context, rk_product *product) {
    (void)context;
    if (rk_vector_sum(term->factor[0]) > 0)
        rk_product_cumulant(product, term->factor[0]);
    else
        product->operand[product->n++] = (rk_operand){.source = RK_SOURCE_SCALAR};
    for (int f = 1; f < term->n_factors; f++) {
        rk_vector edge = term->factor[f];
        int i = 0;
        while (edge.at[i] == 0)
            i++;
        if (edge.at[i] == 2) {
            rk_product_vector(product, RK_SOURCE_METRIC_DIAGONAL, i);
        } else {
            rk_product_cumulant(product, edge);
            product->operand[product->n - 1].source = RK_SOURCE_METRIC_PAIRS;
        }
    }
}

/* `diagrams` by number of blocks. */
static bool fill_slice(rk_reference_table *table, const rk_reference_spec *spec, int number,
                       const rk_terms *diagrams) {
    rk_vector lambda = rk_partition_numbered(number);
    if (!is_needed(table, spec, lambda)) return true;
    assert(lambda.size <= MAX_OUTPUT_BLOCKS);
    activation_step step = {table, lambda};
    bool complete =
        add_all(&table->power[number], &diagrams[lambda.size], lambda, translate_diagram, &step);
    rk_terms terms = {.n = 0};
    rk_conversion(&terms, lambda);
    bool converts = terms.n > 1; /* else the power cumulant is the cumulant */
    if (complete && converts && !spec->no_power_cumulants)
        complete = add_all(&table->conversion[number], &terms, lambda, translate_conversion, NULL);
    rk_terms_clear(&terms);
    return complete;
}

static bool fill_radial_slice(rk_reference_table *table, int number) {
    rk_vector lambda = rk_partition_numbered(number);
    int r = table->radial[rk_vector_sum(lambda)];
    if (table->read_by[number] == 0 || r <= 0) return true;
    rk_terms terms = {.n = 0};
    rk_radial_slice(&terms, lambda, r);
    bool complete = add_all(&table->radial_slice[number], &terms, lambda, translate_radial, NULL);
    rk_terms_clear(&terms);
    return complete;
}

rk_status rk_reference_table_fill(rk_reference_table *table, const rk_reference_spec *spec,
                                  rk_error *error) {
    *table = (rk_reference_table){.k_max = budget(spec) > 0 ? 2 * budget(spec) : 2};
    table->radial[0] = -1;
    for (int d = 1; d <= RK_MAX_DEGREE; d++) {
        table->radial[d] = tracked_radial(spec, d);
        if (table->radial[d] >= 0) table->p_max = d;
    }
    table->read_by[RK_SLICE_2] = 1; /* the variance */
    rk_terms diagrams[MAX_OUTPUT_BLOCKS + 1] = {{.n = 0}};
    for (int b = 1; b <= spec->K; b++)
        rk_activation_diagrams(&diagrams[b], b, budget(spec));
    bool complete = true;
    for (int number = 0; number < RK_N_PARTITIONS; number++)
        complete = complete && fill_slice(table, spec, number, diagrams);
    for (int b = 1; b <= spec->K; b++)
        rk_terms_clear(&diagrams[b]);
    for (int number = 0; number < RK_N_PARTITIONS; number++)
        complete = complete && fill_radial_slice(table, number);
    return complete
               ? RK_OK
               : rk_fail(error, RK_ERROR_MEMORY, "no memory for the diagrams of K = %d", spec->K);
}

void rk_reference_table_clear(rk_reference_table *table) {
    for (int number = 0; number < RK_N_PARTITIONS; number++) {
        rk_polynomial_destroy(table->power[number]);
        rk_polynomial_destroy(table->conversion[number]);
        rk_polynomial_destroy(table->radial_slice[number]);
    }
    *table = (rk_reference_table){.k_max = 0};
}

#include "cumulant/polynomial.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A growing array of items of one size. */
typedef struct list {
    size_t n, capacity;
    void *item;
} list;

/* A product of rows (operands that depend on the swept index). */
typedef struct monomial {
    uint16_t n;
    uint16_t row[RK_MAX_OPERANDS];
} monomial;

/* A number that does not depend on the swept index: an operand, or the product of two such values
 * before it in the list. Terms share their partial products. */
typedef struct value {
    rk_operand operand; /* if left is NONE */
    uint16_t left, right;
} value;

enum { NONE = UINT16_MAX };

typedef struct term {
    double coefficient;
    uint16_t value; /* NONE: 1 */
    uint16_t monomial;
} term;

struct rk_polynomial {
    rk_vector lambda;
    int swept;         /* the index that rows run over */
    list values, rows; /* rows: of rk_operand */
    list monomials, terms;
};

/* Preferably an index alone in its group: its rows have full length, so there are fewer of them. */
static int block_to_sweep(rk_vector lambda) {
    for (int a = lambda.size - 1; a >= 0; a--) {
        bool continues = a > 0 && lambda.at[a - 1] == lambda.at[a];
        bool continued = a + 1 < lambda.size && lambda.at[a + 1] == lambda.at[a];
        if (!continues && !continued) return a;
    }
    return lambda.size - 1;
}

rk_polynomial *rk_polynomial_create(rk_vector lambda) {
    rk_polynomial *polynomial = calloc(1, sizeof *polynomial);
    if (!polynomial) return NULL;
    polynomial->lambda = lambda;
    polynomial->swept = block_to_sweep(lambda);
    return polynomial;
}

void rk_polynomial_destroy(rk_polynomial *polynomial) {
    if (!polynomial) return;
    free(polynomial->values.item);
    free(polynomial->rows.item);
    free(polynomial->monomials.item);
    free(polynomial->terms.item);
    free(polynomial);
}

static bool push(list *items, const void *item, size_t size) {
    if (items->n == items->capacity) {
        size_t capacity = items->capacity ? 2 * items->capacity : 8;
        void *grown = realloc(items->item, capacity * size);
        if (!grown) return false;
        items->item = grown;
        items->capacity = capacity;
    }
    memcpy((unsigned char *)items->item + items->n++ * size, item, size);
    return true;
}

/* Position of an item equal byte for byte, added if there is none; NONE if out of memory. */
static uint16_t intern(list *items, const void *item, size_t size) {
    for (size_t i = 0; i < items->n; i++)
        if (memcmp((unsigned char *)items->item + i * size, item, size) == 0) return (uint16_t)i;
    assert(items->n < NONE);
    return push(items, item, size) ? (uint16_t)(items->n - 1) : NONE;
}

static void sort(uint16_t *x, int n) {
    for (int i = 1; i < n; i++)
        for (int j = i; j > 0 && x[j] < x[j - 1]; j--) {
            uint16_t swap = x[j];
            x[j] = x[j - 1];
            x[j - 1] = swap;
        }
}

/* The structs compared as bytes consist of uint16_t and uint8_t without padding. */
bool rk_polynomial_add(rk_polynomial *polynomial, const rk_product *product) {
    uint16_t scalar[RK_MAX_OPERANDS];
    int n_scalars = 0;
    monomial rows = {.n = 0};
    for (int f = 0; f < product->n; f++) {
        const rk_operand *operand = &product->operand[f];
        bool varies = false;
        for (int q = 0; q < operand->n_blocks; q++)
            varies |= operand->block[q] == polynomial->swept;
        value leaf = {*operand, NONE, NONE};
        uint16_t at = varies ? intern(&polynomial->rows, operand, sizeof *operand)
                             : intern(&polynomial->values, &leaf, sizeof leaf);
        if (at == NONE) return false;
        if (varies)
            rows.row[rows.n++] = at;
        else
            scalar[n_scalars++] = at;
    }
    assert(rows.n > 0); /* every product here touches every index */
    sort(rows.row, rows.n);
    sort(scalar, n_scalars);
    term added = {.coefficient = product->coefficient, .value = n_scalars ? scalar[0] : NONE};
    for (int f = 1; f < n_scalars; f++) {
        value node = {.left = added.value, .right = scalar[f]};
        added.value = intern(&polynomial->values, &node, sizeof node);
        if (added.value == NONE) return false;
    }
    added.monomial = intern(&polynomial->monomials, &rows, sizeof rows);
    return added.monomial != NONE && push(&polynomial->terms, &added, sizeof added);
}

void rk_product_cumulant(rk_product *product, rk_vector v) {
    rk_operand *operand = &product->operand[product->n++];
    assert(product->n <= RK_MAX_OPERANDS);
    memset(operand, 0, sizeof *operand);
    rk_vector lambda = {.size = 0};
    for (int part = RK_MAX_DEGREE; part > 0; part--)
        for (int a = 0; a < v.size; a++)
            if (v.at[a] == part) {
                operand->block[lambda.size] = (uint8_t)a;
                lambda.at[lambda.size++] = (uint8_t)part;
            }
    operand->n_blocks = lambda.size;
    operand->source = (uint16_t)rk_partition_number(lambda);
}

void rk_product_vector(rk_product *product, int source, int block) {
    rk_operand *operand = &product->operand[product->n++];
    assert(product->n <= RK_MAX_OPERANDS);
    *operand = (rk_operand){.source = (uint16_t)source, .n_blocks = 1, .block = {(uint8_t)block}};
}

/* ------------------------------------------------------------------------------- evaluation */

/* Rows are shared out by their first index modulo this: a function of n alone. */
enum { MAX_PIECES = 16 };

typedef struct evaluation {
    const rk_polynomial *polynomial;
    const rk_slice *sources;
    rk_slice *out;
    const bool *tracked; /* which monomials */
    size_t n_pieces;
    const double **rows; /* [piece][rows of the polynomial] */
    double *scratch;     /* [piece][scratch_size] */
    size_t scratch_size;
} evaluation;

static bool is_monomial_tracked(const rk_polynomial *p, const rk_slice *sources,
                                const monomial *m) {
    const rk_operand *rows = p->rows.item;
    for (int f = 0; f < m->n; f++)
        if (!sources[rows[m->row[f]].source].data) return false;
    return true;
}

/* The indices of an operand among those of the result. */
static void pick(const rk_operand *operand, const size_t *index, size_t *own) {
    for (int q = 0; q < operand->n_blocks; q++)
        own[q] = index[operand->block[q]];
}

static void read_values(const evaluation *e, const size_t *index, double *values) {
    const value *nodes = e->polynomial->values.item;
    for (size_t v = 0; v < e->polynomial->values.n; v++) {
        if (nodes[v].left != NONE) {
            values[v] = values[nodes[v].left] * values[nodes[v].right];
            continue;
        }
        const rk_slice *source = &e->sources[nodes[v].operand.source];
        size_t own[RK_MAX_BLOCKS];
        pick(&nodes[v].operand, index, own);
        values[v] = source->data ? source->data[rk_slice_at(source, own)] : 0;
    }
}

static void read_rows(const evaluation *e, const size_t *index, size_t limit, const double **rows,
                      double *buffers) {
    const rk_operand *operands = e->polynomial->rows.item;
    for (size_t r = 0; r < e->polynomial->rows.n; r++, buffers += e->out->n) {
        const rk_slice *source = &e->sources[operands[r].source];
        if (!source->data) continue;
        size_t own[RK_MAX_BLOCKS];
        int block = 0;
        pick(&operands[r], index, own);
        while (operands[r].block[block] != e->polynomial->swept)
            block++;
        rows[r] = rk_slice_row(source, own, block, limit, buffers);
    }
}

/* sum[j] += weight * the product of the rows at j. Small products are spelled out: rows are short,
 * and passing over them once is what counts. */
static void add_product(size_t n, double weight, int n_rows, const double *const *r,
                        double *product, double *sum) {
    switch (n_rows) {
    case 1:
        for (size_t j = 0; j < n; j++)
            sum[j] += weight * r[0][j];
        return;
    case 2:
        for (size_t j = 0; j < n; j++)
            sum[j] += weight * r[0][j] * r[1][j];
        return;
    case 3:
        for (size_t j = 0; j < n; j++)
            sum[j] += weight * r[0][j] * r[1][j] * r[2][j];
        return;
    default:
        for (size_t j = 0; j < n; j++)
            product[j] = r[0][j] * r[1][j];
        for (int f = 2; f < n_rows; f++)
            for (size_t j = 0; j < n; j++)
                product[j] *= r[f][j];
        for (size_t j = 0; j < n; j++)
            sum[j] += weight * product[j];
    }
}

/* The row of the result at the indices but the swept one, which is 0. */
static void evaluate_row(const evaluation *e, size_t piece, const size_t *index) {
    const rk_polynomial *p = e->polynomial;
    size_t limit = rk_slice_limit(e->out, index, p->swept);
    const term *terms = p->terms.item;
    const monomial *monomials = p->monomials.item;
    const double **rows = e->rows + piece * p->rows.n;
    double *values = e->scratch + piece * e->scratch_size;
    double *weights = values + p->values.n; /* of the monomials */
    double *sum = weights + p->monomials.n, *product = sum + e->out->n;
    read_values(e, index, values);
    read_rows(e, index, limit, rows, product + e->out->n);
    memset(weights, 0, p->monomials.n * sizeof *weights);
    for (size_t t = 0; t < p->terms.n; t++) /* 0 if untracked */
        weights[terms[t].monomial] += terms[t].value == NONE
                                          ? terms[t].coefficient
                                          : terms[t].coefficient * values[terms[t].value];
    memset(sum, 0, limit * sizeof *sum);
    for (size_t m = 0; m < p->monomials.n; m++) {
        if (!e->tracked[m]) continue;
        const double *factors[RK_MAX_OPERANDS];
        for (int f = 0; f < monomials[m].n; f++)
            factors[f] = rows[monomials[m].row[f]];
        add_product(limit, weights[m], monomials[m].n, factors, product, sum);
    }
    int group = 0;
    while (e->out->first[group + 1] <= p->swept)
        group++;
    double *out = e->out->data + rk_slice_at(e->out, index);
    for (size_t j = 0; j < limit; j++)
        out[j * e->out->stride[group]] = sum[j];
}

/* lambda without the swept block: each of its tuples is a row. */
static rk_slice rows_of(const rk_polynomial *p, size_t n) {
    rk_vector others = {.size = 0};
    for (int a = 0; a < p->lambda.size; a++)
        if (a != p->swept) others.at[others.size++] = p->lambda.at[a];
    return rk_slice_of(others, n);
}

static void evaluate_piece(void *context, size_t piece) {
    const evaluation *e = context;
    const rk_polynomial *p = e->polynomial;
    rk_slice rows = rows_of(p, e->out->n);
    for (size_t i = piece; i < e->out->n; i += e->n_pieces) {
        size_t others[RK_MAX_BLOCKS] = {i}, index[RK_MAX_BLOCKS];
        do {
            for (int a = 0; a < rows.lambda.size; a++)
                index[a < p->swept ? a : a + 1] = others[a];
            index[p->swept] = 0;
            evaluate_row(e, piece, index);
        } while (rk_slice_next(&rows, others) && others[0] == i);
        if (rows.lambda.size == 0) break; /* a single row */
    }
}

/* What evaluate_row does: values and weights once a row, each monomial's rows once an entry. */
static uint64_t flops(const rk_polynomial *p, const rk_slice *sources, const rk_slice *out) {
    const monomial *monomials = p->monomials.item;
    uint64_t per_row = 2 * p->terms.n, per_entry = 0;
    const value *values = p->values.item;
    for (size_t v = 0; v < p->values.n; v++)
        per_row += values[v].left != NONE;
    for (size_t m = 0; m < p->monomials.n; m++)
        if (is_monomial_tracked(p, sources, &monomials[m]))
            per_entry += (uint64_t)monomials[m].n + 1;
    rk_slice rows = rows_of(p, out->n);
    return rk_slice_count(&rows) * per_row + rk_slice_count(out) * per_entry;
}

void rk_polynomial_evaluate(rk_work *work, const rk_polynomial *polynomial, const rk_slice *sources,
                            rk_slice *out) {
    assert(out->lambda.size == polynomial->lambda.size);
    size_t mark = rk_work_mark(work), n = out->n;
    evaluation e = {.polynomial = polynomial, .sources = sources, .out = out};
    e.n_pieces = polynomial->lambda.size == 1 ? 1 : n < MAX_PIECES ? n : MAX_PIECES;
    e.scratch_size = polynomial->values.n + polynomial->monomials.n + (polynomial->rows.n + 2) * n;
    e.rows = rk_work_take(work, e.n_pieces * polynomial->rows.n, sizeof *e.rows);
    e.scratch = rk_work_doubles(work, e.n_pieces, e.scratch_size);
    bool *tracked = rk_work_take(work, polynomial->monomials.n, sizeof *tracked);
    e.tracked = tracked;
    if (rk_work_charge(work, flops(polynomial, sources, out))) {
        const monomial *monomials = polynomial->monomials.item;
        for (size_t m = 0; m < polynomial->monomials.n; m++)
            tracked[m] = is_monomial_tracked(polynomial, sources, &monomials[m]);
        rk_pool_run(work->pool, e.n_pieces, evaluate_piece, &e);
    }
    rk_work_release(work, mark);
}

#include "format/chain.h"

#include "base/size.h"
#include "format/diagnosis.h"
#include "format/foreign.h"
#include "format/name.h"
#include "format/select.h"

#include <stdlib.h>
#include <string.h>

static rk_status refuse(rk_error *error, const rk_tensor *tensor, const char *why) {
    rk_shape_text shape;
    return rk_fail(error, RK_ERROR_FORMAT, "tensor '%s' %s: %s", tensor->name,
                   rk_array_shape_text(&tensor->array, &shape), why);
}

/* -------------------------------------------------------------- which is a weight, which a bias */

#define EXTRA                                                                                      \
    "neither a weight nor a bias by its name; leave it out of the file if the network does "       \
    "without"

/* A tensor with what its name says. */
typedef struct entry {
    const rk_tensor *tensor, *bias; /* bias: found later, of weights */
    rk_tensor_role role;
    size_t rank; /* in an order that is given */
    char *stem;  /* the name without the word for its role: what weight and bias share */
} entry;

static int by_stem(const void *a, const void *b) {
    return rk_name_compare(((const entry *)a)->stem, ((const entry *)b)->stem);
}

static rk_status classify(entry *out, const rk_tensor *tensor, rk_error *error) {
    out->tensor = tensor;
    out->stem = strdup(tensor->name);
    if (!out->stem) return rk_fail(error, RK_ERROR_MEMORY, "no memory for names");
    out->role = rk_name_split(out->stem);
    const size_t n_dims = tensor->array.n_dims;
    if (out->role == RK_ROLE_BIAS && n_dims != 1)
        return refuse(error, tensor, "a bias has one dimension; only linear layers are read");
    if (out->role != RK_ROLE_WEIGHT || n_dims == 2) return RK_OK;
    if (n_dims == 1)
        return refuse(
            error, tensor,
            tensor->array.shape[0] == 1
                ? "a weight of one number, as a PReLU has: leave it out and give "
                  "leaky_relu:SLOPE as the activation"
                : "a weight of one dimension, as LayerNorm and other normalisations have; "
                  "only linear layers with entrywise activations are read");
    return refuse(error, tensor,
                  n_dims >= 3 ? "a weight of more than two dimensions, as convolutions have; only "
                                "linear layers are read"
                              : "a weight has two dimensions; only linear layers are read");
}

/* Names like arr_0, arr_1: numbered alike and saying nothing else, so dimensions decide. */
static rk_status name_by_dimensions(entry *entries, size_t count, rk_error *error) {
    for (size_t i = 0; i < count; i++) {
        const rk_tensor *tensor = entries[i].tensor;
        size_t n_dims = tensor->array.n_dims;
        if (entries[i].role != RK_ROLE_NONE || strpbrk(tensor->name, "./") || n_dims < 1 ||
            n_dims > 2 || !rk_name_alike(entries[0].stem, entries[i].stem))
            return refuse(error, tensor, EXTRA);
    }
    qsort(entries, count, sizeof *entries, by_stem);
    for (size_t i = 0; i < count; i++)
        entries[i].role = entries[i].tensor->array.n_dims == 2 ? RK_ROLE_WEIGHT : RK_ROLE_BIAS;
    return RK_OK;
}

/* For those: a bias comes right after its matrix. Compacts the weights to the front. */
static rk_status pair_neighbours(entry *entries, size_t count, size_t *n_weights, rk_error *error) {
    for (size_t i = 0; i < count; i++)
        if (entries[i].role == RK_ROLE_BIAS) {
            if (i == 0 || entries[i - 1].role != RK_ROLE_WEIGHT)
                return refuse(error, entries[i].tensor,
                              "no matrix right before it to be a bias of");
            entries[i - 1].bias = entries[i].tensor;
        }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (entries[i].role == RK_ROLE_WEIGHT) {
            entry weight = entries[i];
            entries[i] = entries[kept];
            entries[kept++] = weight;
        }
    *n_weights = kept;
    return RK_OK;
}

static int by_role_and_stem(const void *a, const void *b) {
    const entry *x = a, *y = b;
    if (x->role != y->role) return x->role < y->role ? -1 : 1;
    return by_stem(a, b);
}

/* Biases find their weights by the stem. Leaves the weights in front, in the order of their names.
 */
static rk_status pair_by_stem(entry *entries, size_t count, size_t *n_weights, rk_error *error) {
    for (size_t i = 0; i < count; i++)
        if (entries[i].role == RK_ROLE_NONE) return refuse(error, entries[i].tensor, EXTRA);
    qsort(entries, count, sizeof *entries, by_role_and_stem);
    size_t n = 0;
    while (n < count && entries[n].role == RK_ROLE_WEIGHT)
        n++;
    for (size_t i = n; i < count; i++) {
        entry *weight = bsearch(&entries[i], entries, n, sizeof *entries, by_stem);
        if (!weight)
            return refuse(error, entries[i].tensor,
                          "a bias without a weight; a matrix that two layers share (tied weights) "
                          "is stored once: save a copy of it, transposed if need be, beside this "
                          "bias");
        if (weight->bias) return refuse(error, entries[i].tensor, "a second bias of one weight");
        weight->bias = entries[i].tensor;
    }
    *n_weights = n;
    return RK_OK;
}

static rk_status pair(entry *entries, size_t count, size_t *n_weights, rk_error *error) {
    bool named = false;
    for (size_t i = 0; i < count; i++)
        named = named || entries[i].role == RK_ROLE_WEIGHT;
    rk_status status = RK_OK;
    if (!named) status = name_by_dimensions(entries, count, error);
    if (status == RK_OK)
        status = named ? pair_by_stem(entries, count, n_weights, error)
                       : pair_neighbours(entries, count, n_weights, error);
    for (size_t i = 1; status == RK_OK && i < *n_weights; i++)
        if (by_stem(&entries[i - 1], &entries[i]) == 0)
            status = refuse(error, entries[i].tensor, "another weight has the same place");
    return status;
}

/* ------------------------------------------------------------------------------ who comes next */

/* How to read matrices that would fit transposed. */
static const char *way_out(const entry *weights) {
    return weights[0].tensor->swapped
               ? "; transposed they would fit: --layout out-in reads them so"
               : "; transposed they would fit: the weights are stored (in, out), as Conv1D of "
                 "GPT-2 does: --layout in-out reads them so";
}

/* Searches the orders in which the shapes chain and alike names stay in order. */
enum { MAX_SEARCHED = 64, MAX_STEPS = 100000 };
typedef struct search {
    const entry *weights;
    size_t count, n_groups;
    size_t group[MAX_SEARCHED]; /* of each weight: those named alike */
    bool used[MAX_SEARCHED];
    size_t trial[MAX_SEARCHED], found[MAX_SEARCHED];
    size_t n_found, steps;
} search;

static bool is_next_of_group(const search *s, size_t candidate) {
    for (size_t i = 0; i < candidate; i++)
        if (s->group[i] == s->group[candidate] && !s->used[i]) return false;
    return !s->used[candidate];
}

static void extend(search *s, size_t depth) {
    if (depth == s->count) {
        if (s->n_found++ == 0) memcpy(s->found, s->trial, sizeof s->found);
        return;
    }
    for (size_t i = 0; i < s->count && s->n_found < 2 && s->steps < MAX_STEPS; i++) {
        const size_t *shape = s->weights[i].tensor->array.shape;
        if (!is_next_of_group(s, i) ||
            (depth && shape[1] != s->weights[s->trial[depth - 1]].tensor->array.shape[0]))
            continue;
        s->steps++;
        s->used[i] = true;
        s->trial[depth] = i;
        extend(s, depth + 1);
        s->used[i] = false;
    }
}

static rk_status refuse_bias(const entry *weight, const char *more, rk_error *error) {
    return rk_fail(error, RK_ERROR_FORMAT,
                   "tensor '%s' has %zu entries, but '%s' has %zu outputs%s", weight->bias->name,
                   weight->bias->array.shape[0], weight->tensor->name,
                   weight->tensor->array.shape[0], more);
}

/* Biases tell which way a matrix lies: (in, out) throughout, as GPT-2's Conv1D has it. */
static rk_status check_orientation(const entry *weights, size_t count, rk_error *error) {
    const entry *wrong = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!weights[i].bias) continue;
        const size_t *shape = weights[i].tensor->array.shape;
        const size_t n = weights[i].bias->array.shape[0];
        if (n != shape[1]) return RK_OK;
        if (n != shape[0] && !wrong) wrong = &weights[i];
    }
    return wrong ? refuse_bias(wrong, way_out(weights), error) : RK_OK;
}

static rk_status ambiguous(const entry *a, const entry *b, rk_error *error) {
    return rk_fail(error, RK_ERROR_FORMAT,
                   "the order of the layers is ambiguous: '%s' and '%s' are not numbered alike, "
                   "and the shapes "
                   "allow several orders; --order 'FIRST,SECOND,...' tells it",
                   a->tensor->name, b->tensor->name);
}

static rk_status order_by_shape(entry *weights, size_t count, const entry *odd, rk_error *error) {
    if (count > MAX_SEARCHED) return ambiguous(&weights[0], odd, error);
    search s = {.weights = weights, .count = count};
    for (size_t i = 0; i < count; i++) {
        size_t twin = 0;
        while (!rk_name_alike(weights[twin].stem, weights[i].stem))
            twin++;
        s.group[i] = twin;
    }
    extend(&s, 0);
    if (s.n_found > 1 || s.steps >= MAX_STEPS) return ambiguous(&weights[0], odd, error);
    if (s.n_found == 0) return RK_OK; /* the check of the shapes will say what does not fit */
    entry ordered[MAX_SEARCHED];
    for (size_t i = 0; i < count; i++)
        ordered[i] = weights[s.found[i]];
    memcpy(weights, ordered, count * sizeof *weights);
    return RK_OK;
}

static int by_rank(const void *a, const void *b) {
    const entry *x = a, *y = b;
    if (x->rank != y->rank) return x->rank < y->rank ? -1 : 1;
    return by_stem(a, b);
}

static rk_status order_as_told(entry *weights, size_t count, const char *told, rk_error *error) {
    for (size_t i = 0; i < count; i++)
        if (!rk_name_rank(weights[i].tensor->name, told, &weights[i].rank))
            return refuse(error, weights[i].tensor, "the order that is given does not name it");
    qsort(weights, count, sizeof *weights, by_rank);
    return RK_OK;
}

/* Names that differ in their numbers alone are trusted; others need the shapes to agree. */
static rk_status order(entry *weights, size_t count, const char *told, bool *by_shape,
                       rk_error *error) {
    if (told) return order_as_told(weights, count, told, error);
    for (size_t i = 1; i < count; i++)
        if (!rk_name_alike(weights[0].stem, weights[i].stem)) {
            *by_shape = true;
            return order_by_shape(weights, count, &weights[i], error);
        }
    return RK_OK;
}

/* ------------------------------------------------------------------------------------- checks */

static bool chains_transposed(const entry *weights, size_t count) {
    for (size_t i = 1; i < count; i++)
        if (weights[i - 1].tensor->array.shape[1] != weights[i].tensor->array.shape[0])
            return false;
    return true;
}

static rk_status check_shapes(const entry *weights, size_t count, rk_error *error) {
    for (size_t i = 0; i < count; i++) {
        const rk_tensor *weight = weights[i].tensor, *bias = weights[i].bias;
        if (i && weights[i - 1].tensor->array.shape[0] != weight->array.shape[1])
            return rk_fail(error, RK_ERROR_FORMAT,
                           "tensor '%s' takes %zu inputs, but '%s' before it has %zu outputs%s",
                           weight->name, weight->array.shape[1], weights[i - 1].tensor->name,
                           weights[i - 1].tensor->array.shape[0],
                           chains_transposed(weights, count) ? way_out(weights) : "");
        if (bias && bias->array.shape[0] != weight->array.shape[0])
            return refuse_bias(&weights[i], "", error);
    }
    return RK_OK;
}

/* Few bits are somebody's code for numbers; the scales may be anywhere. */
static rk_status refuse_type(const rk_tensor *tensor, rk_error *error) {
    static const char *const narrow[] = {"F8", "F6", "F4", "I8", "U8", "I4", "U4"};
    for (size_t i = 0; i < sizeof narrow / sizeof *narrow; i++)
        if (strncmp(tensor->unread, narrow[i], 2) == 0)
            return rk_fail(error, RK_ERROR_FORMAT,
                           "tensor '%s': its values are quantised (%s); dequantise them first and "
                           "save them as F32: t.float() times the scale, if there is one",
                           tensor->name, tensor->unread);
    return rk_fail(error, RK_ERROR_FORMAT,
                   "tensor '%s': dtype %s is not supported (F64, F32, F16 and BF16 are)",
                   tensor->name, tensor->unread);
}

rk_status rk_chain_check_tensor(const rk_tensor *tensor, rk_error *error) {
    if (*tensor->unread) return refuse_type(tensor, error);
    return rk_array_count(&tensor->array) > 0 ? RK_OK : refuse(error, tensor, "empty");
}

/* The first number in which `a` and `b`, named alike, differ; false if there is none. */
static bool differing_number(const char *a, const char *b, size_t *first, size_t *second) {
    while (*a) {
        if (!rk_name_number(&a, first) || !rk_name_number(&b, second)) return false;
        if (*first != *second) return true;
    }
    return false;
}

/* Numbers that begin so high that a layer before them would fit: half of a network, that is one
 * shard of several. From 0 or 1 on people count; 2, 5, 8 leaves no room for -1. */
static rk_status check_beginning(const entry *weights, size_t count, rk_error *error) {
    const char *stem = weights[0].stem, *rest = stem;
    size_t first, second, step = SIZE_MAX, begin = 0;
    if (count == 1 || !rk_name_alike(stem, weights[1].stem)) {
        if (rk_name_number(&rest, &first) && !rk_name_number(&rest, &second))
            begin = first, step = 1;
    } else if (differing_number(stem, weights[1].stem, &first, &second) && second > first) {
        begin = first;
        step = second - first;
    }
    if (begin < 2 || begin < step) return RK_OK;
    return rk_fail(
        error, RK_ERROR_FORMAT,
        "the layers' numbers begin at %zu ('%s'): is this one shard of several, or a part "
        "of a network? If nothing is missing, number them from 0; if it is, join the "
        "shards, " RK_FOREIGN_JOIN,
        begin, weights[0].tensor->name);
}

/* ------------------------------------------------------------------------------------ the whole */

static rk_status alloc_links(rk_tensor_chain *out, size_t count, rk_error *error) {
    out->links = rk_alloc(count, 1, sizeof *out->links);
    out->count = count;
    return out->links ? RK_OK : rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu layers", count);
}

static rk_status chain_stack(rk_tensor_chain *out, const rk_tensor *stack, rk_error *error) {
    const size_t *shape = stack->array.shape;
    if (*stack->unread) return refuse_type(stack, error);
    if (rk_array_count(&stack->array) == 0) return refuse(error, stack, "empty");
    if (shape[0] > 1 && shape[1] != shape[2])
        return refuse(error, stack, "a stack (layer, out, in) of several layers must be square");
    rk_status status = alloc_links(out, shape[0], error);
    for (size_t l = 0; status == RK_OK && l < shape[0]; l++)
        out->links[l] = (rk_link){.weight = stack, .slice = l};
    return status;
}

static rk_status chain_entries(rk_tensor_chain *out, entry *entries, const rk_tensors *tensors,
                               rk_error *error) {
    rk_status status = RK_OK;
    for (size_t i = 0; i < tensors->count && status == RK_OK; i++)
        status = classify(&entries[i], &tensors->items[i], error);
    size_t n = 0;
    if (status == RK_OK) status = pair(entries, tensors->count, &n, error);
    if (status == RK_OK) status = check_orientation(entries, n, error);
    if (status == RK_OK) status = order(entries, n, tensors->order, &out->by_shape, error);
    if (status == RK_OK) status = check_shapes(entries, n, error);
    if (status == RK_OK) status = check_beginning(entries, n, error);
    if (status == RK_OK) status = alloc_links(out, n, error);
    for (size_t i = 0; status == RK_OK && i < n; i++)
        out->links[i] = (rk_link){.weight = entries[i].tensor, .bias = entries[i].bias};
    return status;
}

static rk_status chain(rk_tensor_chain *out, const rk_tensors *tensors, rk_error *error) {
    const size_t count = tensors->count;
    if (count == 1 && tensors->items[0].array.n_dims == 3)
        return chain_stack(out, &tensors->items[0], error);
    rk_status status = rk_diagnose_names(tensors, error);
    if (status != RK_OK) return status;
    entry *entries = rk_alloc(count, 1, sizeof *entries);
    if (!entries) return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu tensors", count);
    status = chain_entries(out, entries, tensors, error);
    if (status == RK_ERROR_FORMAT) rk_diagnose_groups(tensors, error);
    for (size_t i = 0; i < count; i++)
        free(entries[i].stem);
    free(entries);
    return status;
}

void rk_tensor_chain_destroy(rk_tensor_chain *chain) {
    free(chain->links);
    *chain = (rk_tensor_chain){0};
}

rk_status rk_tensor_chain_create(rk_tensor_chain *out, const rk_tensors *tensors, rk_error *error) {
    *out = (rk_tensor_chain){0};
    if (tensors->count == 0) return rk_fail(error, RK_ERROR_FORMAT, "the file contains no tensors");
    rk_status status = chain(out, tensors, error);
    for (size_t i = 0; status == RK_OK && i < tensors->count; i++)
        status = rk_chain_check_tensor(&tensors->items[i], error);
    if (status != RK_OK) rk_tensor_chain_destroy(out);
    return status;
}

#include "format/checkpoint.h"

#include "base/size.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------------------------- the walk */

enum { MAX_DEPTH = 64, MAX_VISITS = 1 << 22, MAX_PATH = 255 };

/* A container, the next of its items, and where its own path ends. */
typedef struct place {
    const rk_pickle_node *node;
    uint32_t first, next;
    size_t path;
} place;

typedef struct walker {
    const rk_pickle *pickle;
    place stack[MAX_DEPTH];
    size_t depth, length; /* length: of the path */
    char path[MAX_PATH + 1];
    rk_checkpoint_visit *visit;
    void *to;
    rk_error *error;
} walker;

static rk_status refuse(const walker *w, const char *why) {
    return rk_fail(w->error, RK_ERROR_FORMAT, "the pickle's containers %s", why);
}

static bool has_pairs(const rk_pickle_node *node) {
    return node->kind == RK_PICKLE_DICT || node->kind == RK_PICKLE_CALL;
}

/* Writes the next component; false if the key is neither a text nor a number. */
static rk_status append(walker *w, const rk_pickle_text *key, int64_t number) {
    char digits[24];
    const int n = snprintf(digits, sizeof digits, "%" PRId64, number);
    const rk_pickle_text text = key ? *key : (rk_pickle_text){digits, (size_t)n};
    const size_t start = w->stack[w->depth - 1].path, dot = start > 0;
    if (text.length + dot > MAX_PATH - start) return refuse(w, "have names beyond 255 bytes");
    if (memchr(text.bytes, '\0', text.length)) return refuse(w, "have a name with a zero byte");
    if (dot) w->path[start] = '.';
    memcpy(w->path + start + dot, text.bytes, text.length);
    w->length = start + dot + text.length;
    w->path[w->length] = '\0';
    return RK_OK;
}

static rk_status enter(walker *w, const rk_pickle_node *node, uint32_t first) {
    if (w->depth == MAX_DEPTH) return refuse(w, "are nested deeper than 64");
    w->stack[w->depth++] = (place){node, first, first, w->length};
    return RK_OK;
}

static rk_status meet(walker *w, const rk_pickle_node *node) {
    const uint32_t first = rk_torch_first_item(w->pickle, node);
    if (first != UINT32_MAX) return enter(w, node, first);
    rk_torch_view view;
    bool is_tensor;
    rk_status status = rk_torch_view_of(&view, &is_tensor, w->pickle, node, w->error);
    if (status != RK_OK || !is_tensor) return status;
    const size_t holder = w->depth ? w->stack[w->depth - 1].path : 0;
    return w->visit(w->to, w->length ? w->path : "tensor", holder + (holder > 0), &view, w->error);
}

/* The next item of the innermost container, or out of it. */
static rk_status step(walker *w) {
    place *p = &w->stack[w->depth - 1];
    const bool pairs = has_pairs(p->node);
    const rk_pickle_node *key = rk_pickle_item(w->pickle, p->node, p->next),
                         *value = rk_pickle_item(w->pickle, p->node, p->next + pairs);
    if (!value) {
        w->depth--;
        return RK_OK;
    }
    const uint32_t index = p->next - p->first;
    p->next += 1 + pairs;
    rk_status status;
    if (!pairs)
        status = append(w, NULL, index);
    else if (key->kind == RK_PICKLE_TEXT)
        status = append(w, &key->text, 0);
    else if (key->kind == RK_PICKLE_INTEGER)
        status = append(w, NULL, key->integer);
    else
        return RK_OK;
    return status == RK_OK ? meet(w, value) : status;
}

rk_status rk_checkpoint_walk(const rk_pickle *pickle, rk_checkpoint_visit *visit, void *to,
                             rk_error *error) {
    walker w = {.pickle = pickle, .visit = visit, .to = to, .error = error};
    rk_status status = meet(&w, &pickle->nodes[pickle->root]);
    for (size_t n = 0; status == RK_OK && w.depth > 0; n++)
        status = n < MAX_VISITS ? step(&w) : refuse(&w, "hold more than 4 million items");
    return status;
}

/* -------------------------------------------------------------------------------- the network */

/* Tensors of one dictionary; `first` is one of them. */
typedef struct group {
    const rk_tensor *first;
    size_t count, matrices;
} group;

static int by_holder(const void *a, const void *b) {
    const rk_tensor *x = *(const rk_tensor *const *)a, *y = *(const rk_tensor *const *)b;
    if (x->holder != y->holder) return x->holder < y->holder ? -1 : 1;
    return memcmp(x->name, y->name, x->holder);
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* "optimizer.…", "…state.0.…" */
static bool is_of_optimiser(const rk_tensor *tensor) {
    const char *name = tensor->name, *end = name + tensor->holder;
    for (const char *c = name; c < end; c = memchr(c, '.', (size_t)(end - c)), c++) {
        if (strncmp(c, "optim", 5) == 0) return true;
        if (strncmp(c, "state.", 6) == 0 && is_digit(c[6])) return true;
    }
    return false;
}

/* The dictionaries with a matrix, in their places at the beginning of `groups`. */
static size_t find_groups(const rk_tensor **sorted, size_t count, group *groups) {
    size_t n = 0;
    for (size_t i = 0, next; i < count; i = next) {
        group g = {.first = sorted[i]};
        for (next = i; next < count && by_holder(&sorted[i], &sorted[next]) == 0; next++)
            g.matrices += sorted[next]->array.n_dims >= 2;
        g.count = next - i;
        if (g.matrices > 0 && !is_of_optimiser(g.first)) groups[n++] = g;
    }
    return n;
}

static int shown(const group *g) {
    return g->first->holder ? (int)g->first->holder - 1 : 0;
}

static rk_status refuse_groups(const group *groups, size_t count, rk_error *error) {
    char list[256];
    size_t used = 0;
    for (size_t g = 0; g < count && g < 8 && used < sizeof list; g++) {
        const int length = shown(&groups[g]) < 40 ? shown(&groups[g]) : 40;
        used += (size_t)snprintf(list + used, sizeof list - used, "%s'%.*s' (%zu tensors)",
                                 g ? ", " : "", length, groups[g].first->name, groups[g].count);
    }
    return rk_fail(
        error, RK_ERROR_FORMAT,
        "the file holds %zu dictionaries that look like networks, %s%s; --tensors '%.*s.*' takes "
        "one",
        count, list, count > 8 ? ", ..." : "", shown(&groups[count - 1]),
        groups[count - 1].first->name);
}

/* "tensors of 'model.*', the one dictionary that looks like a network; 9 others left aside, 'epoch'
 * first", before what the reader has noted. */
static void note(rk_tensors *tensors, const char *holder, size_t left, const char *example) {
    char of[128] = "", others[128] = "", before[sizeof tensors->note];
    if (*holder)
        snprintf(of, sizeof of, "tensors of '%.60s*', the one dictionary that looks like a network",
                 holder);
    if (left > 0)
        snprintf(others, sizeof others, "%zu other%s left aside, '%.60s' first", left,
                 left == 1 ? "" : "s", example);
    memcpy(before, tensors->note, sizeof before);
    snprintf(tensors->note, sizeof tensors->note, "%.110s%s%.90s%s%.50s", of,
             *of && *others ? "; " : "", others, (*of || *others) && *before ? "; " : "", before);
}

/* Those of `kept`'s dictionary stay, or, for NULL, all but the optimisers'. */
static void keep(rk_tensors *tensors, const rk_tensor *kept) {
    char holder[MAX_PATH + 1] = "", example[64] = "";
    if (kept) memcpy(holder, kept->name, kept->holder);
    const rk_tensor pattern = {.name = holder, .holder = strlen(holder)}, *like = &pattern;
    size_t n = 0;
    for (size_t i = 0; i < tensors->count; i++) {
        rk_tensor *tensor = &tensors->items[i];
        const rk_tensor *same = tensor;
        if (kept ? by_holder(&same, &like) == 0 : !is_of_optimiser(tensor)) {
            tensors->items[n++] = *tensor;
            continue;
        }
        if (!*example) snprintf(example, sizeof example, "%.60s", tensor->name);
        rk_tensor_clear(tensor);
    }
    note(tensors, holder, tensors->count - n, example);
    tensors->count = n;
}

static rk_status choose(rk_tensors *tensors, const rk_tensor **sorted, group *groups,
                        rk_error *error) {
    const size_t count = tensors->count;
    size_t layers = 0;
    for (size_t i = 0; i < count; i++)
        sorted[i] = &tensors->items[i];
    qsort(sorted, count, sizeof(const rk_tensor *), by_holder);
    const size_t n = find_groups(sorted, count, groups);
    for (size_t g = 0; g < n; g++)
        layers += groups[g].matrices == 1;
    if (n > 1 && layers < n) return refuse_groups(groups, n, error);
    if (n > 0) keep(tensors, n == 1 ? groups[0].first : NULL);
    return RK_OK;
}

rk_status rk_checkpoint_choose(rk_tensors *tensors, rk_error *error) {
    if (tensors->count == 0) return RK_OK;
    const rk_tensor **sorted = rk_alloc(tensors->count, 1, sizeof *sorted);
    group *groups = rk_alloc(tensors->count, 1, sizeof *groups);
    rk_status status = sorted && groups
                           ? choose(tensors, sorted, groups, error)
                           : rk_fail(error, RK_ERROR_MEMORY, "no memory for a checkpoint");
    free(sorted);
    free(groups);
    return status;
}

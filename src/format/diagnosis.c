#include "format/diagnosis.h"

#include "format/name.h"

#include <stdio.h>
#include <string.h>

/* ----------------------------------------------------------------------- what single names tell */

#define BATCH_NORM                                                                                 \
    "a batch normalisation is not read; "                                                          \
    "torch.nn.utils.fusion.fuse_linear_bn_eval(linear, bn) folds it into the layer before it"
#define LORA      "a low-rank adapter is not read; model.merge_and_unload() merges it"
#define ATTENTION "attention is not read; linear layers with entrywise activations are"
#define RECURRENT "a recurrent layer is not read; linear layers with entrywise activations are"

/* Endings, digits and separators behind them aside; the first line that fits any tensor speaks. */
static const struct {
    const char *ending, *why;
} kinds[] = {
    {"running_mean", BATCH_NORM},
    {"running_var", BATCH_NORM},
    {"num_batches_tracked", BATCH_NORM},
    {"moving_mean", BATCH_NORM},
    {"weight_g", "a weight norm (old spelling) is not read; "
                 "torch.nn.utils.remove_weight_norm(layer) merges it"},
    {"weight_mask", "a pruned layer is not read; "
                    "torch.nn.utils.prune.remove(layer, 'weight') merges the mask"},
    {"weight_u", "a spectral norm is not read; "
                 "torch.nn.utils.remove_spectral_norm(layer) merges it"},
    {"parametrizations.weight.original",
     "a weight norm (new spelling) or another parametrization is not read; "
     "torch.nn.utils.parametrize.remove_parametrizations(layer, 'weight') merges it"},
    {"lora_A.weight", LORA},
    {"lora_A.default.weight", LORA},
    {"weight_ih_l", RECURRENT},
    {"weight_hh_l", RECURRENT},
    {"in_proj_weight", ATTENTION},
};

static bool ends_with(const char *name, const char *ending) {
    size_t length = strlen(name), tail = strlen(ending);
    while (length > 0 && strchr("0123456789._", name[length - 1]))
        length--;
    return length >= tail && strncmp(name + length - tail, ending, tail) == 0;
}

static rk_status diagnose_kinds(const rk_tensors *tensors, rk_error *error) {
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t i = 0; i < tensors->count; i++) {
            const rk_tensor *tensor = &tensors->items[i];
            if (!ends_with(tensor->name, kinds[k].ending)) continue;
            rk_shape_text shape;
            return rk_fail(error, RK_ERROR_FORMAT, "tensor '%s' %s: %s", tensor->name,
                           rk_array_shape_text(&tensor->array, &shape), kinds[k].why);
        }
    return RK_OK;
}

/* ------------------------------------------------------------------------- what all names tell */

/* Tensors whose names begin alike: "actor.0.weight", "actor.0.bias" are of the group "actor". */
typedef struct group {
    const char *name; /* `length` bytes of a tensor's name, the common beginning included */
    size_t length, n_tensors, n_matrices;
} group;

enum { MAX_GROUPS = 8 };
typedef struct groups {
    group items[MAX_GROUPS];
    size_t count, common; /* common: bytes at the beginning of every name, whole components */
    bool too_many;
} groups;

static size_t component(const char *name) {
    return strcspn(name, "./");
}

/* The length of the components that `a` and `b` share, the separator included. */
static size_t shared(const char *a, const char *b, size_t most) {
    size_t kept = 0;
    for (size_t i = 0; i < most && a[i] == b[i] && a[i]; i++)
        if (a[i] == '.' || a[i] == '/') kept = i + 1;
    return kept;
}

static void find_groups(const rk_tensors *tensors, groups *out) {
    *out = (groups){.common = strlen(tensors->items[0].name)};
    for (size_t i = 0; i < tensors->count; i++)
        out->common = shared(tensors->items[0].name, tensors->items[i].name, out->common);
    for (size_t i = 0; i < tensors->count; i++) {
        const rk_tensor *tensor = &tensors->items[i];
        const size_t length = out->common + component(tensor->name + out->common);
        size_t g = 0;
        while (g < out->count && (out->items[g].length != length ||
                                  strncmp(out->items[g].name, tensor->name, length) != 0))
            g++;
        if (g == MAX_GROUPS) {
            out->too_many = true;
            continue;
        }
        if (g == out->count) out->items[out->count++] = (group){tensor->name, length, 0, 0};
        out->items[g].n_tensors++;
        out->items[g].n_matrices += tensor->array.n_dims == 2;
    }
}

static bool is_number(const char *text, size_t length) {
    return length > 0 && strspn(text, "0123456789") >= length;
}

static bool in_list(const char *word, size_t length, const char *const *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (strlen(list[i]) == length && strncmp(list[i], word, length) == 0) return true;
    return false;
}

/* Any part of "target_q1" between underscores, digits aside. */
static bool is_network_of_its_own(const char *name, size_t length) {
    static const char *const words[] = {
        "actor", "critic",    "policy",        "value",    "pi",     "vf",
        "q",     "qf",        "teacher",       "student",  "online", "target",
        "ema",   "generator", "discriminator", "optimizer"};
    for (size_t from = 0, to; from < length; from = to + 1) {
        for (to = from; to < length && name[to] != '_';)
            to++;
        size_t end = to;
        while (end > from && strchr("0123456789", name[end - 1]))
            end--;
        if (in_list(name + from, end - from, words, sizeof words / sizeof *words)) return true;
    }
    return false;
}

/* "models.", the last common component. */
static bool is_container_of_networks(const char *name, size_t common) {
    static const char *const words[] = {"models",   "networks", "nets",    "members",
                                        "ensemble", "critics",  "experts", "estimators"};
    if (common == 0) return false;
    size_t start = common - 1;
    while (start > 0 && name[start - 1] != '.' && name[start - 1] != '/')
        start--;
    return in_list(name + start, common - 1 - start, words, sizeof words / sizeof *words);
}

static void list_groups(const groups *all, char *out, size_t size) {
    size_t used = 0;
    for (size_t g = 0; g < all->count && used < size; g++)
        used += (size_t)snprintf(out + used, size - used, "%s%.*s.* (%zu tensor%s)", g ? ", " : "",
                                 (int)(all->items[g].length < 40 ? all->items[g].length : 40),
                                 all->items[g].name, all->items[g].n_tensors,
                                 all->items[g].n_tensors == 1 ? "" : "s");
    if (all->too_many && used < size) snprintf(out + used, size - used, ", ...");
}

#define KEEP "; --tensors '%.*s.*' takes one"

/* Several groups with a matrix each, one of them with a layer more, are networks perhaps. */
static void add_groups(const groups *all, rk_error *error) {
    size_t with_matrix = 0, most = 0;
    for (size_t g = 0; g < all->count; g++) {
        const group *one = &all->items[g];
        with_matrix +=
            one->n_matrices > 0 && !is_number(one->name + all->common, one->length - all->common);
        if (one->n_matrices > all->items[most].n_matrices) most = g;
    }
    if (with_matrix < 2 || all->items[most].n_matrices < 2) return;
    char list[200];
    list_groups(all, list, sizeof list);
    const size_t used = strlen(error->message);
    snprintf(error->message + used, sizeof error->message - used,
             "; the file holds several groups, %s" KEEP, list, (int)all->items[most].length,
             all->items[most].name);
}

void rk_diagnose_groups(const rk_tensors *tensors, rk_error *error) {
    if (!error) return;
    groups all;
    find_groups(tensors, &all);
    add_groups(&all, error);
}

static rk_status diagnose_networks(const rk_tensors *tensors, rk_error *error) {
    groups all;
    find_groups(tensors, &all);
    const bool in_container = is_container_of_networks(tensors->items[0].name, all.common);
    size_t own = 0;
    for (size_t g = 0; g < all.count; g++) {
        const group *one = &all.items[g];
        const char *name = one->name + all.common;
        const size_t length = one->length - all.common;
        own += one->n_matrices > 0 &&
               (in_container ? is_number(name, length) : is_network_of_its_own(name, length));
    }
    if (own < 2) return RK_OK;
    char list[200];
    list_groups(&all, list, sizeof list);
    return rk_fail(error, RK_ERROR_FORMAT,
                   "the file holds several networks by their names, %s" KEEP, list,
                   (int)all.items[0].length, all.items[0].name);
}

rk_status rk_diagnose_names(const rk_tensors *tensors, rk_error *error) {
    rk_status status = diagnose_kinds(tensors, error);
    return status == RK_OK ? diagnose_networks(tensors, error) : status;
}

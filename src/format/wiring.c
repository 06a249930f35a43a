#include "format/wiring.h"

#include "activation/activation.h"
#include "base/nearest.h"
#include "base/size.h"
#include "format/name.h"
#include "format/part.h"

#include <stdlib.h>
#include <string.h>

/* What a message shows of a text that anybody may have written. */
static const char *shown(const char *text) {
    return rk_name_check(text, NULL) == RK_OK ? text : "(malformed)";
}

/* ----------------------------------------------------------------------------------- the keys */

static bool is_text(const json_t *value) {
    return json_is_string(value);
}

static bool is_value(const json_t *value) {
    return json_is_string(value) || json_integer_value(value) >= 1;
}

static bool is_scale(const json_t *value) {
    return json_is_number(value) && json_number_value(value) >= 0;
}

#define VALUE "a number from 1, which is the input, or the name of a layer before it, or \"input\""

static const struct {
    const char *key;
    bool (*holds)(const json_t *);
    const char *wanted;
} keys[] = {
    {"name", is_text, "a text"},
    {"weight", is_text, "the name of a tensor"},
    {"bias", is_text, "the name of a tensor"},
    {"activation", is_text, "the name of an activation"},
    {"reads", is_value, VALUE},
    {"adds", is_value, VALUE},
    {"weight_scale", is_scale, "a number >= 0"},
};
enum { N_KEYS = sizeof keys / sizeof *keys };

static rk_status check_key(const char *key, const json_t *value, const char *source, size_t l,
                           rk_error *error) {
    const char *near = NULL;
    for (size_t k = 0; k < N_KEYS; k++) {
        if (strcmp(keys[k].key, key) != 0) {
            if (!near) near = rk_nearest(key, &keys[k].key, 1, 2);
            continue;
        }
        if (keys[k].holds(value)) return RK_OK;
        return rk_fail(error, RK_ERROR_FORMAT, "%s: layer %zu: \"%s\" is not %s", source, l + 1,
                       key, keys[k].wanted);
    }
    return rk_fail(error, RK_ERROR_FORMAT,
                   "%s: layer %zu: the key '%.60s' is none of name, weight, bias, activation, "
                   "reads, adds, weight_scale%s%s%s",
                   source, l + 1, shown(key), near ? "; did you mean '" : "", near ? near : "",
                   near ? "'?" : "");
}

rk_status rk_wiring_check(const json_t *layers, const char *source, rk_error *error) {
    for (size_t l = 0; l < json_array_size(layers); l++) {
        json_t *layer = json_array_get(layers, l), *value;
        if (!json_is_object(layer))
            return rk_fail(error, RK_ERROR_FORMAT, "%s: layer %zu of \"layers\" is not an object",
                           source, l + 1);
        const char *key;
        json_object_foreach(layer, key, value) {
            rk_status status = check_key(key, value, source, l, error);
            if (status != RK_OK) return status;
        }
    }
    if (json_array_size(layers) > 0) return RK_OK;
    return rk_fail(error, RK_ERROR_FORMAT, "%s: \"layers\" is not a list of layers", source);
}

json_t *rk_wiring_column(const json_t *layers, const char *key, json_t *missing) {
    json_t *column = json_array();
    for (size_t l = 0; l < json_array_size(layers); l++) {
        json_t *value = json_object_get(json_array_get(layers, l), key);
        json_array_append(column, value ? value : missing);
    }
    json_decref(missing);
    if (json_array_size(column) == json_array_size(layers)) return column;
    json_decref(column);
    return NULL;
}

/* ----------------------------------------------------------------------- from names to tensors */

/* Names are looked up in objects of numbers: files may have many. */
typedef struct wiring {
    const json_t *layers;
    const char *source;
    const rk_tensors *tensors;
    json_t *by_name, *bias_by_stem; /* of tensors, their index */
    json_t *values;                 /* of what has a name so far, its number */
    bool *used;                     /* of tensors */
} wiring;

static rk_status no_memory(rk_error *error) {
    return rk_fail(error, RK_ERROR_MEMORY, "no memory for names");
}

static bool note(json_t *names, const char *name, size_t number) {
    return json_object_set_new_nocheck(names, name, json_integer((json_int_t)number)) == 0;
}

static rk_status index_tensors(wiring *w, rk_error *error) {
    for (size_t i = 0; i < w->tensors->count; i++) {
        const char *name = w->tensors->items[i].name;
        char *stem = strdup(name);
        bool done = stem && note(w->by_name, name, i);
        if (done && rk_name_split(stem) == RK_ROLE_BIAS) done = note(w->bias_by_stem, stem, i);
        free(stem);
        if (!done) return no_memory(error);
    }
    return RK_OK;
}

/* The name in `names` that `typed` may be meant for, or NULL. */
static const char *meant(json_t *names, const char *typed) {
    const char *name;
    json_t *number;
    json_object_foreach(names, name, number) if (rk_nearest(typed, &name, 1, 2)) return name;
    return NULL;
}

static rk_status refuse_name(const wiring *w, size_t l, const char *key, const char *text,
                             const char *why, json_t *names, rk_error *error) {
    const char *near = meant(names, text);
    return rk_fail(error, RK_ERROR_FORMAT, "%s: layer %zu: \"%s\": %s '%.60s'%s%s%s", w->source,
                   l + 1, key, why, shown(text), near ? "; did you mean '" : "", near ? near : "",
                   near ? "'?" : "");
}

/* Once each: a short file could else stand for as many weights as it likes. */
static rk_status use(const rk_tensor **out, wiring *w, const json_t *index, size_t l,
                     rk_error *error) {
    const size_t i = (size_t)json_integer_value(index);
    *out = &w->tensors->items[i];
    if (w->used[i])
        return rk_fail(error, RK_ERROR_FORMAT,
                       "%s: layer %zu: tensor '%s' has its place already; save a copy of what two "
                       "layers share under another name",
                       w->source, l + 1, (*out)->name);
    w->used[i] = true;
    return RK_OK;
}

/* The tensor that a layer names, or NULL; of `n_dims` dimensions. */
static rk_status find_tensor(const rk_tensor **out, wiring *w, size_t l, const char *key,
                             size_t n_dims, rk_error *error) {
    const json_t *layer = json_array_get(w->layers, l);
    const char *text = json_string_value(json_object_get(layer, key));
    *out = NULL;
    if (!text) return RK_OK;
    const json_t *index = json_object_get(w->by_name, text);
    if (!index) return refuse_name(w, l, key, text, "there is no tensor", w->by_name, error);
    rk_status status = use(out, w, index, l, error);
    if (status != RK_OK || (*out)->array.n_dims == n_dims) return status;
    rk_shape_text shape;
    return rk_fail(error, RK_ERROR_FORMAT,
                   "%s: layer %zu: \"%s\": tensor '%s' %s should have %zu dimension%s", w->source,
                   l + 1, key, (*out)->name, rk_array_shape_text(&(*out)->array, &shape), n_dims,
                   n_dims == 1 ? "" : "s");
}

/* The bias that belongs to a weight by its name, if there is one. */
static rk_status find_partner(rk_link *link, wiring *w, size_t l, rk_error *error) {
    char *stem = strdup(link->weight->name);
    if (!stem) return no_memory(error);
    const json_t *index = NULL;
    if (rk_name_split(stem) == RK_ROLE_WEIGHT) index = json_object_get(w->bias_by_stem, stem);
    free(stem);
    const bool is_vector = index && w->tensors->items[json_integer_value(index)].array.n_dims == 1;
    return is_vector ? use(&link->bias, w, index, l, error) : RK_OK;
}

/* The number of the value that layer l reads or adds; 0 if it does not say. */
static rk_status find_value(size_t *out, const wiring *w, size_t l, const char *key,
                            rk_error *error) {
    const json_t *said = json_object_get(json_array_get(w->layers, l), key), *number = said;
    if (json_is_string(said)) {
        const char *name = json_string_value(said);
        number = json_object_get(w->values, name);
        if (!number)
            return refuse_name(w, l, key, name, "no layer before it is called", w->values, error);
    }
    *out = (size_t)json_integer_value(number);
    if (*out <= l + 1) return RK_OK;
    return rk_fail(error, RK_ERROR_FORMAT,
                   "%s: layer %zu: \"%s\" is value %zu; before it there are 1 (the input) to %zu",
                   w->source, l + 1, key, *out, l + 1);
}

static rk_status name_value(wiring *w, size_t l, rk_error *error) {
    const char *name = json_string_value(json_object_get(json_array_get(w->layers, l), "name"));
    if (!name) return RK_OK;
    if (json_object_get(w->values, name))
        return rk_fail(error, RK_ERROR_FORMAT, "%s: layer %zu: the name '%.60s' is taken",
                       w->source, l + 1, shown(name));
    return note(w->values, name, l + 2) ? RK_OK : no_memory(error);
}

static rk_status link_layer(rk_link *link, wiring *w, size_t l, rk_error *error) {
    rk_status status = find_tensor(&link->weight, w, l, "weight", 2, error);
    if (status == RK_OK) status = find_tensor(&link->bias, w, l, "bias", 1, error);
    if (status == RK_OK && link->weight && !link->bias) status = find_partner(link, w, l, error);
    if (status == RK_OK) status = find_value(&link->reads, w, l, "reads", error);
    if (status == RK_OK) status = find_value(&link->adds, w, l, "adds", error);
    if (status == RK_OK) status = name_value(w, l, error);
    if (status == RK_OK && l == 0 && !link->weight)
        status =
            rk_fail(error, RK_ERROR_FORMAT,
                    "%s: layer 1 has no \"weight\" to tell how many inputs there are", w->source);
    return status;
}

static rk_status check_tensors(const wiring *w, rk_error *error) {
    rk_status status = RK_OK;
    for (size_t i = 0; status == RK_OK && i < w->tensors->count; i++) {
        const rk_tensor *tensor = &w->tensors->items[i];
        rk_shape_text shape;
        status =
            w->used[i]
                ? rk_chain_check_tensor(tensor, error)
                : rk_fail(error, RK_ERROR_FORMAT,
                          "tensor '%s' %s is in none of the \"layers\" of the %s: name it "
                          "there, or leave it out of the file",
                          tensor->name, rk_array_shape_text(&tensor->array, &shape), w->source);
    }
    return status;
}

rk_status rk_wiring_chain(rk_tensor_chain *out, const json_t *layers, const char *source,
                          const rk_tensors *tensors, rk_error *error) {
    const size_t n = json_array_size(layers);
    *out = (rk_tensor_chain){.links = rk_alloc(n, 1, sizeof *out->links), .count = n};
    wiring w = {layers,
                source,
                tensors,
                json_object(),
                json_object(),
                json_object(),
                rk_alloc(tensors->count, 1, sizeof *w.used)};
    rk_status status = RK_OK;
    if (!out->links || !w.by_name || !w.bias_by_stem || !w.values || !w.used ||
        !note(w.values, "input", 1))
        status = no_memory(error);
    if (status == RK_OK) status = index_tensors(&w, error);
    for (size_t l = 0; status == RK_OK && l < n; l++)
        status = link_layer(&out->links[l], &w, l, error);
    if (status == RK_OK) status = check_tensors(&w, error);
    json_decref(w.by_name);
    json_decref(w.bias_by_stem);
    json_decref(w.values);
    free(w.used);
    if (status != RK_OK) rk_tensor_chain_destroy(out);
    return status;
}

/* ------------------------------------------------------------------------------------- writing */

static bool set(json_t *object, const char *key, json_t *value) {
    return json_object_set_new(object, key, value) == 0;
}

static json_t *describe(const rk_layer *layer, size_t l) {
    char weight[RK_PART_NAME], bias[RK_PART_NAME];
    rk_activation_text activation;
    rk_part_name(weight, l, "weight");
    rk_part_name(bias, l, "bias");
    const char *name = rk_activation_format(&layer->activation, &activation);
    json_t *object = json_object();
    if ((!layer->weight || set(object, "weight", json_string(weight))) &&
        (!layer->bias || set(object, "bias", json_string(bias))) &&
        set(object, "activation", json_string(name)) &&
        (!layer->reads || set(object, "reads", json_integer((json_int_t)layer->reads))) &&
        (!layer->adds || set(object, "adds", json_integer((json_int_t)layer->adds))) &&
        (layer->weight_scale == 0 || set(object, "weight_scale", json_real(layer->weight_scale))))
        return object;
    json_decref(object);
    return NULL;
}

json_t *rk_wiring_of(const rk_network *net) {
    json_t *layers = json_array();
    for (size_t l = 0; l < rk_network_n_layers(net); l++) {
        const rk_layer layer = rk_network_layer(net, l);
        json_array_append_new(layers, describe(&layer, l));
    }
    if (json_array_size(layers) == rk_network_n_layers(net)) return layers;
    json_decref(layers);
    return NULL;
}

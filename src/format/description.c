#include "format/description.h"

#include "activation/activation.h"
#include "base/nearest.h"
#include "base/number.h"
#include "format/layout.h"
#include "format/tensor.h"
#include "format/wiring.h"
#include "network/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------ reading */

/* "relu, tanh" to ["relu", "tanh"]; NULL without memory (or for text that is not UTF-8). */
static json_t *split(const char *text) {
    json_t *list = json_array();
    while (list) {
        text += strspn(text, " \t");
        size_t length = strcspn(text, ","), kept = length;
        while (kept > 0 && (text[kept - 1] == ' ' || text[kept - 1] == '\t'))
            kept--;
        if (json_array_append_new(list, json_stringn(text, kept)) != 0) {
            json_decref(list);
            return NULL;
        }
        if (text[length] == '\0') break;
        text += length + 1;
    }
    return list;
}

/* "1, 2.5" to [1, 2.5]; JSON's numbers, so independent of the locale. */
static json_t *split_numbers(const char *text) {
    size_t length = strlen(text);
    char *bracketed = malloc(length + 3);
    if (!bracketed) return NULL;
    sprintf(bracketed, "[%s]", text);
    json_t *list = json_loads(bracketed, 0, NULL);
    free(bracketed);
    return list;
}

static bool all(const json_t *list, bool (*holds)(const json_t *)) {
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!holds(json_array_get(list, i))) return false;
    return json_is_array(list);
}

static bool is_text(const json_t *value) {
    return json_is_string(value);
}

static bool is_scale(const json_t *value) {
    return json_is_number(value) && json_number_value(value) >= 0;
}

/* Which of our keys an unknown one misspells. Metadata of others may well have "labels" or
 * "original". */
static const char *meant(const char *key, bool strict) {
    static const char *const known[] = {
        "activation", "output_activation", "weight_scale", "layers", "origin", "layout"};
    const size_t n = sizeof known / sizeof *known;
    return rk_nearest(key, known, strict ? n : n - 3, strict ? 5 : 2);
}

static void swap_quotes(char *text, char from, char to) {
    for (; *text; text++)
        if (*text == from) *text = to;
}

/* The text of a list. Ours quotes with ', for a string of JSON would have to escape ", where
 * jansson 2.14 aborts if memory runs out. */
static json_t *parse_layers(const char *text) {
    char *copy = strlen(text) <= RK_DESCRIPTION_MAX ? strdup(text) : NULL;
    if (!copy) return NULL;
    if (!strchr(copy, '"')) swap_quotes(copy, '\'', '"');
    json_t *list = json_loads(copy, JSON_REJECT_DUPLICATES, NULL);
    free(copy);
    return list;
}

/* In the metadata of others "layers" may be something else. */
static bool is_list_of_objects(const json_t *value) {
    const char *text = json_string_value(value);
    if (!text) return json_is_object(json_array_get(value, 0));
    text += strspn(text, " ");
    return *text == '[' && text[1 + strspn(text + 1, " ")] == '{';
}

static rk_status read_layers(rk_description *out, json_t *value, bool strict, rk_error *error) {
    if (!strict && !is_list_of_objects(value)) return RK_OK;
    out->layers =
        json_is_string(value) ? parse_layers(json_string_value(value)) : json_incref(value);
    return rk_wiring_check(out->layers, out->source, error);
}

/* "layers" says everything, in columns from here on. */
static rk_status take_columns(rk_description *out, rk_error *error) {
    if (!out->layers) return RK_OK;
    if (out->activations || out->output_activation || out->weight_scales)
        return rk_fail(error, RK_ERROR_FORMAT,
                       "%s: \"layers\" says it layer by layer; leave \"%s\" out", out->source,
                       out->activations     ? "activation"
                       : out->weight_scales ? "weight_scale"
                                            : "output_activation");
    out->activations = rk_wiring_column(out->layers, "activation", json_string("identity"));
    out->weight_scales = rk_wiring_column(out->layers, "weight_scale", json_real(0));
    return out->activations && out->weight_scales
               ? RK_OK
               : rk_fail(error, RK_ERROR_MEMORY, "no memory for a description");
}

/* Others may mean something else by it. */
static rk_status read_origin(rk_description *out, json_t *value, bool strict, rk_error *error) {
    const bool ours = json_is_string(value) && rk_network_is_origin(json_string_value(value));
    if (ours) out->origin = json_incref(value);
    return ours || !strict
               ? RK_OK
               : rk_fail(error, RK_ERROR_FORMAT, "%s: \"origin\" is not a line of printable ASCII",
                         out->source);
}

/* Likewise. */
static rk_status read_layout(rk_description *out, json_t *value, bool strict, rk_error *error) {
    const bool ours =
        json_is_string(value) && rk_layout_read(json_string_value(value), &out->layout);
    return ours || !strict
               ? RK_OK
               : rk_fail(error, RK_ERROR_FORMAT,
                         "%s: \"layout\" is neither \"in-out\" nor \"out-in\"", out->source);
}

static rk_status read_key(rk_description *out, const char *key, json_t *value, bool strict,
                          bool *known, rk_error *error) {
    *known = true;
    if (strcmp(key, "layers") == 0) return read_layers(out, value, strict, error);
    if (strcmp(key, "origin") == 0) return read_origin(out, value, strict, error);
    if (strcmp(key, "layout") == 0) return read_layout(out, value, strict, error);
    if (strcmp(key, "activation") == 0) {
        out->activations =
            json_is_string(value) ? split(json_string_value(value)) : json_incref(value);
        if (!out->activations)
            return rk_fail(error, RK_ERROR_MEMORY, "no memory for a description");
        if (!all(out->activations, is_text))
            return rk_fail(error, RK_ERROR_FORMAT,
                           "%s: \"activation\" is neither a name nor a list of names", out->source);
    } else if (strcmp(key, "output_activation") == 0) {
        out->output_activation = json_incref(value);
        if (!json_is_string(value))
            return rk_fail(error, RK_ERROR_FORMAT, "%s: \"output_activation\" is not a name",
                           out->source);
    } else if (strcmp(key, "weight_scale") == 0) {
        out->weight_scales =
            json_is_string(value) ? split_numbers(json_string_value(value)) : json_incref(value);
        if (!all(out->weight_scales, is_scale))
            return rk_fail(error, RK_ERROR_FORMAT,
                           "%s: \"weight_scale\" is not a list of numbers >= 0", out->source);
    } else {
        *known = strcmp(key, "format") == 0;
    }
    return RK_OK;
}

static rk_status read_object(rk_description *out, json_t *object, bool strict, rk_error *error) {
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        bool known;
        rk_status status = read_key(out, key, value, strict, &known, error);
        if (status != RK_OK) return status;
        if (known) continue;
        const char *near = meant(key, strict);
        const bool printable = rk_name_check(key, NULL) == RK_OK;
        if (strict)
            return rk_fail(error, RK_ERROR_FORMAT,
                           "%s: the key '%.60s' is none of activation, output_activation, "
                           "weight_scale, layers, origin%s%s%s",
                           out->source, printable ? key : "(malformed)",
                           near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        if (near && printable && !json_object_get(object, near))
            snprintf(out->misspelt, sizeof out->misspelt, "'%.60s' for '%s'", key, near);
    }
    rk_status status = take_columns(out, error);
    if (status != RK_OK) return status;
    if (out->output_activation && !out->activations)
        return rk_fail(error, RK_ERROR_FORMAT, "%s: \"output_activation\" without \"activation\"",
                       out->source);
    return RK_OK;
}

rk_status rk_description_parse(rk_description *out, const char *source, const unsigned char *bytes,
                               size_t size, rk_error *error) {
    *out = (rk_description){.source = source, .fault = RK_ERROR_FORMAT};
    if (size > RK_DESCRIPTION_MAX)
        return rk_fail(error, RK_ERROR_FORMAT, "%s: longer than 1 MiB", source);
    json_error_t why;
    json_t *root = json_loadb((const char *)bytes, size, JSON_REJECT_DUPLICATES, &why);
    if (!root)
        return rk_fail_at(error, RK_ERROR_FORMAT, why.position,
                          "%s: not valid JSON, or too much for the memory", source);
    rk_status status = json_is_object(root)
                           ? read_object(out, root, true, error)
                           : rk_fail(error, RK_ERROR_FORMAT, "%s: not a JSON object", source);
    json_decref(root);
    return status;
}

rk_status rk_description_from_metadata(rk_description *out, json_t *object, rk_error *error) {
    *out = (rk_description){.source = "metadata", .fault = RK_ERROR_FORMAT};
    return read_object(out, object, false, error);
}

rk_status rk_description_from_text(rk_description *out, const char *source, const char *activations,
                                   const char *output_activation, rk_error *error) {
    *out = (rk_description){.source = source, .fault = RK_ERROR_ARGUMENT};
    out->activations = split(activations);
    if (output_activation) out->output_activation = json_string(output_activation);
    return out->activations && (out->output_activation || !output_activation)
               ? RK_OK
               : rk_fail(error, out->fault, "%s: not a list of activations", source);
}

void rk_description_destroy(rk_description *description) {
    json_decref(description->activations);
    json_decref(description->output_activation);
    json_decref(description->weight_scales);
    json_decref(description->layers);
    json_decref(description->origin);
    *description = (rk_description){0};
}

/* ----------------------------------------------------------------------------------- applying */

static rk_status parse_activation(rk_activation *out, const json_t *name,
                                  const rk_description *from, rk_error *error) {
    const char *text = json_string_value(name);
    rk_error why;
    if (rk_name_check(text, NULL) != RK_OK)
        return rk_fail(error, from->fault, "%s: an activation's name is malformed", from->source);
    if (rk_activation_parse(text, out, &why) != RK_OK)
        return rk_fail(error, from->fault, "%s: %s", from->source, why.message);
    return RK_OK;
}

static rk_status apply_activations(const rk_description *from, rk_layer *layers, size_t n_layers,
                                   rk_deciders *by, rk_error *error) {
    size_t n_named = json_array_size(from->activations), n_hidden = n_layers - 1;
    bool names_output = n_named == n_layers && !from->output_activation;
    if (n_named != 1 && n_named != n_hidden && !names_output)
        return rk_fail(error, from->fault,
                       "%s: %zu activations for %zu layers; give one for all hidden layers, or "
                       "%zu, or %zu with the output's",
                       from->source, n_named, n_layers, n_hidden, n_layers);
    by->hidden = from->source;
    by->output = names_output || from->output_activation ? from->source : NULL;
    for (size_t l = 0; l < n_layers; l++) {
        bool is_output = l == n_hidden;
        const json_t *name = is_output && !names_output
                                 ? from->output_activation
                                 : json_array_get(from->activations, n_named == 1 ? 0 : l);
        if (!name) continue; /* the identity */
        rk_status status = parse_activation(&layers[l].activation, name, from, error);
        if (status != RK_OK) return status;
    }
    return RK_OK;
}

static rk_status apply_scales(const rk_description *from, rk_layer *layers, size_t n_layers,
                              rk_error *error) {
    size_t count = json_array_size(from->weight_scales);
    if (count != n_layers)
        return rk_fail(error, RK_ERROR_FORMAT, "%s: %zu weight scales for %zu layers", from->source,
                       count, n_layers);
    for (size_t l = 0; l < n_layers; l++)
        layers[l].weight_scale = json_number_value(json_array_get(from->weight_scales, l));
    return RK_OK;
}

static rk_status nothing_says(const rk_description *sources, size_t n_sources, size_t n_hidden,
                              rk_error *error) {
    const char *misspelt = "", *source = "";
    for (size_t i = 0; i < n_sources && !*misspelt; i++) {
        misspelt = sources[i].misspelt;
        source = sources[i].source;
    }
    return rk_fail(error, RK_ERROR_FORMAT,
                   "nothing says which activation the %zu hidden layers have: pass one "
                   "(--activation relu), or write {\"activation\": \"relu\"} to a side-car "
                   "file named like the model with .json appended%s%s%s%s",
                   n_hidden, *misspelt ? "; does the " : "", *misspelt ? source : "",
                   *misspelt ? " say " : "", misspelt);
}

const rk_description *rk_description_wiring(const rk_description *sources, size_t n_sources) {
    for (size_t i = 0; i < n_sources; i++)
        if (sources[i].layers) return &sources[i];
    return NULL;
}

rk_status rk_description_apply(const rk_description *sources, size_t n_sources, rk_layer *layers,
                               size_t n_layers, rk_deciders *by, rk_error *error) {
    const rk_description *activations = NULL, *scales = NULL;
    for (size_t i = n_sources; i-- > 0;) {
        if (sources[i].activations) activations = &sources[i];
        if (sources[i].weight_scales) scales = &sources[i];
    }
    *by = (rk_deciders){NULL, NULL};
    if (!activations && n_layers > 1) return nothing_says(sources, n_sources, n_layers - 1, error);
    if (activations && *activations->misspelt)
        return rk_fail(error, activations->fault, "%s: does it say %s? Rename the key",
                       activations->source, activations->misspelt);
    const rk_description *wiring = rk_description_wiring(sources, n_sources);
    if (wiring && activations != wiring && n_layers > 1 &&
        json_array_size(activations->activations) == 1)
        return rk_fail(error, activations->fault,
                       "%s: one activation for all hidden layers, but in the %s each layer has its "
                       "own: give %zu, one a layer",
                       activations->source, wiring->source, n_layers);
    rk_status status =
        activations ? apply_activations(activations, layers, n_layers, by, error) : RK_OK;
    if (status == RK_OK && scales) status = apply_scales(scales, layers, n_layers, error);
    return status;
}

/* ------------------------------------------------------------------------------------ writing */

char *rk_json_text(const json_t *value, size_t *length) {
    /* 17 digits are enough for the same bits to come back. */
    const size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(17);
    *length = json_dumpb(value, NULL, 0, flags);
    char *text = *length ? malloc(*length + 1) : NULL;
    if (text && json_dumpb(value, text, *length, flags) != *length) {
        free(text);
        return NULL;
    }
    if (text) text[*length] = '\0';
    return text;
}

/* "relu,relu,identity", or NULL without memory. */
static json_t *activation_list(const rk_network *net) {
    size_t n = rk_network_n_layers(net), used = 0;
    rk_activation_text one;
    char *text = malloc(n * sizeof one.text);
    if (!text) return NULL;
    for (size_t l = 0; l < n; l++) {
        rk_layer layer = rk_network_layer(net, l);
        used += (size_t)sprintf(text + used, l ? ",%s" : "%s",
                                rk_activation_format(&layer.activation, &one));
    }
    json_t *list = json_string(text);
    free(text);
    return list;
}

/* "1.0,2.0", or NULL without memory. */
static json_t *scale_list(const rk_network *net) {
    json_t *numbers = json_array();
    for (size_t l = 0; l < rk_network_n_layers(net); l++)
        json_array_append_new(numbers, json_real(rk_network_layer(net, l).weight_scale));
    bool complete = json_array_size(numbers) == rk_network_n_layers(net);
    size_t length;
    char *text = complete ? rk_json_text(numbers, &length) : NULL;
    json_t *list = text ? json_stringn(text + 1, length - 2) : NULL; /* without the brackets */
    json_decref(numbers);
    free(text);
    return list;
}

static bool has_scales(const rk_network *net) {
    for (size_t l = 0; l < rk_network_n_layers(net); l++)
        if (rk_network_layer(net, l).weight_scale != 0) return true;
    return false;
}

/* As a text, or NULL without memory. */
static json_t *layer_list(const rk_network *net) {
    json_t *layers = rk_wiring_of(net);
    size_t length;
    char *text = layers ? rk_json_text(layers, &length) : NULL;
    if (text) swap_quotes(text, '"', '\'');
    json_t *list = text ? json_stringn(text, length) : NULL;
    json_decref(layers);
    free(text);
    return list;
}

const char *rk_description_origin(const rk_description *sources, size_t n_sources) {
    for (size_t i = 0; i < n_sources; i++)
        if (sources[i].origin) return json_string_value(sources[i].origin);
    return NULL;
}

json_t *rk_description_of(const rk_network *net) {
    json_t *object = json_object();
    bool done = json_object_set_new(object, "format", json_string("reckon")) == 0;
    if (rk_network_is_plain(net))
        done =
            done && json_object_set_new(object, "activation", activation_list(net)) == 0 &&
            (!has_scales(net) || json_object_set_new(object, "weight_scale", scale_list(net)) == 0);
    else
        done = done && json_object_set_new(object, "layers", layer_list(net)) == 0;
    if (*rk_network_origin(net))
        done =
            done && json_object_set_new(object, "origin", json_string(rk_network_origin(net))) == 0;
    if (done) return object;
    json_decref(object);
    return NULL;
}

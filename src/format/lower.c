#include "format/lower.h"

#include "activation/activation.h"
#include "base/size.h"
#include "format/name.h"
#include "network/network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* --------------------------------------------------------------------------------- the weights */

static rk_status check_finite(const rk_tensor *tensor, const double *values, rk_error *error) {
    const rk_array *array = &tensor->array;
    const size_t count = rk_array_count(array);
    size_t at = 0;
    while (at < count && isfinite(values[at]))
        at++;
    if (at == count) return RK_OK;
    rk_array index = {.n_dims = array->n_dims};
    for (size_t d = index.n_dims, rest = at; d-- > 0; rest /= array->shape[d])
        index.shape[d] = rest % array->shape[d];
    rk_shape_text text;
    return rk_fail(error, RK_ERROR_FORMAT, "tensor '%s': the value at %s is %s", tensor->name,
                   rk_array_shape_text(&index, &text),
                   isnan(values[at]) ? "not a number" : "infinite");
}

static rk_status decode(const rk_tensors *tensors, const rk_tensor *tensor, double *out,
                        rk_error *error) {
    rk_status status = tensors->decode(tensors->source, tensor, out, error);
    return status == RK_OK ? check_finite(tensor, out, error) : status;
}

/* A stack goes into all of its layers at once: having no biases, they are one after the other. */
static rk_status fill(rk_network *net, const rk_tensor_chain *chain, const rk_tensors *tensors,
                      rk_error *error) {
    rk_status status = RK_OK;
    for (size_t l = 0; status == RK_OK && l < chain->count; l++) {
        const rk_link *link = &chain->links[l];
        if (link->weight && link->slice == 0)
            status = decode(tensors, link->weight, rk_network_weights(net, l), error);
        if (status == RK_OK && link->bias)
            status = decode(tensors, link->bias, rk_network_biases(net, l), error);
    }
    return status;
}

/* ----------------------------------------------------------------------------------- the notes */

/* "layer 1: fc1.weight 256x784, fc1.bias; relu from metadata" */
static void note_layer(FILE *notes, size_t l, const rk_link *link, const rk_layer *layer,
                       const char *source) {
    rk_activation_text activation;
    fprintf(notes, "layer %zu: %s", l + 1, link->weight ? link->weight->name : "no weights");
    if (link->weight && link->weight->array.n_dims == 3) fprintf(notes, "[%zu]", link->slice);
    fprintf(notes, " %zux%zu", layer->rows, layer->cols);
    if (link->bias) fprintf(notes, ", %s", link->bias->name);
    if (link->reads) fprintf(notes, "; reads value %zu", link->reads);
    if (link->adds) fprintf(notes, "; adds value %zu", link->adds);
    fprintf(notes, "; %s", rk_activation_format(&layer->activation, &activation));
    fprintf(notes, source ? " from %s\n" : " by default\n", source);
}

/* Square matrices tell nobody which way they lie; "0.weight" is PyTorch's, which is known. */
static bool may_be_transposed(const rk_network *net, const rk_tensor_chain *chain) {
    for (size_t l = 0; l < chain->count; l++) {
        const rk_layer layer = rk_network_layer(net, l);
        const rk_tensor *weight = chain->links[l].weight;
        if (weight && (layer.rows != layer.cols || rk_name_ends_with(weight->name, "weight")))
            return false;
    }
    return true;
}

static rk_status write_notes(rk_network *net, const rk_tensor_chain *chain,
                             const rk_tensors *tensors, rk_deciders by, rk_error *error) {
    char *text = NULL;
    size_t length;
    FILE *notes = open_memstream(&text, &length);
    if (!notes) return rk_fail(error, RK_ERROR_MEMORY, "no memory for notes");
    if (*tensors->note) fprintf(notes, "%s\n", tensors->note);
    if (chain->by_shape) fprintf(notes, "order of the layers: the only one their shapes allow\n");
    if (tensors->layout)
        fprintf(notes, "weights taken as stored %s: by %s\n", tensors->layout, tensors->layout_by);
    else if (may_be_transposed(net, chain))
        fprintf(notes, "weights taken as (out, in): being square, they do not tell; if they are "
                       "not, --layout in-out\n");
    for (size_t l = 0; l < chain->count; l++) {
        rk_layer layer = rk_network_layer(net, l);
        note_layer(notes, l, &chain->links[l], &layer,
                   l + 1 < chain->count ? by.hidden : by.output);
    }
    bool complete = !ferror(notes);
    complete &= fclose(notes) == 0;
    rk_status status = complete ? rk_network_set_notes(net, text, error)
                                : rk_fail(error, RK_ERROR_MEMORY, "no memory for notes");
    free(text);
    return status;
}

/* ----------------------------------------------------------------------------------- the whole */

/* To be filled: of weights and biases it says that there are some. */
static rk_layer layer_of(const rk_link *link, const rk_layer *layers, size_t l) {
    static const double to_come[1];
    rk_layer layer = {.reads = link->reads, .adds = link->adds};
    const size_t read = link->reads ? link->reads - 1 : l;
    if (link->weight) {
        const rk_array *weight = &link->weight->array;
        layer.rows = weight->shape[weight->n_dims - 2];
        layer.cols = weight->shape[weight->n_dims - 1];
        layer.weight = to_come;
    } else if (l > 0 && read <= l) {
        layer.rows = layer.cols = read > 0 ? layers[read - 1].rows : layers[0].cols;
    }
    if (link->bias) layer.bias = to_come;
    return layer;
}

/* Sizes that do not fit are the file's mistake. */
static rk_status make_room(rk_network **out, const rk_layer *layers, size_t n_layers,
                           rk_error *error) {
    rk_status status = rk_network_make_room(out, layers, n_layers, error);
    if (status != RK_ERROR_ARGUMENT) return status;
    if (error) error->status = RK_ERROR_FORMAT;
    return RK_ERROR_FORMAT;
}

/* Layers without weights cost a file nothing, but us their neurons. */
static rk_status check_weightless(const rk_layer *layers, size_t n_layers, rk_error *error) {
    size_t numbers = 1 << 20, neurons = 0;
    for (size_t l = 0; l < n_layers; l++) {
        if (layers[l].weight)
            numbers += layers[l].rows * layers[l].cols; /* no more than the file has */
        else
            neurons += layers[l].rows; /* each at most INT_MAX, or refused soon */
    }
    return neurons <= numbers
               ? RK_OK
               : rk_fail(error, RK_ERROR_FORMAT,
                         "the layers without weights have %zu neurons, more than a million and one "
                         "for each weight",
                         neurons);
}

static rk_status build(rk_network **out, rk_layer *layers, const rk_tensor_chain *chain,
                       const rk_tensors *tensors, const rk_description *sources, size_t n_sources,
                       rk_error *error) {
    for (size_t l = 0; l < chain->count; l++) {
        const rk_tensor *bias = chain->links[l].bias;
        layers[l] = layer_of(&chain->links[l], layers, l);
        if (bias && bias->array.shape[0] != layers[l].rows)
            return rk_fail(error, RK_ERROR_FORMAT,
                           "tensor '%s' has %zu entries, but layer %zu, whose bias it is, has %zu "
                           "outputs",
                           bias->name, bias->array.shape[0], l + 1, layers[l].rows);
    }
    rk_deciders by;
    rk_status status = rk_description_apply(sources, n_sources, layers, chain->count, &by, error);
    if (status == RK_OK) status = check_weightless(layers, chain->count, error);
    if (status == RK_OK) status = make_room(out, layers, chain->count, error);
    if (status == RK_OK) status = fill(*out, chain, tensors, error);
    if (status == RK_OK) status = rk_network_seal(out, error);
    const char *origin = rk_description_origin(sources, n_sources);
    if (status == RK_OK && origin) status = rk_network_set_origin(*out, origin, error);
    return status == RK_OK ? write_notes(*out, chain, tensors, by, error) : status;
}

rk_status rk_chain_lower(rk_network **out, const rk_tensor_chain *chain, const rk_tensors *tensors,
                         const rk_description *sources, size_t n_sources, rk_error *error) {
    *out = NULL;
    rk_layer *layers = rk_alloc(chain->count, 1, sizeof *layers);
    if (!layers) return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu layers", chain->count);
    rk_status status = build(out, layers, chain, tensors, sources, n_sources, error);
    free(layers);
    if (status == RK_OK) return RK_OK;
    rk_network_destroy(*out);
    *out = NULL;
    return status;
}

#include "format/read.h"

#include "base/size.h"
#include "format/chain.h"
#include "format/description.h"
#include "format/file.h"
#include "format/foreign.h"
#include "format/name.h"
#include "format/npy.h"
#include "format/npz.h"
#include "format/safetensors.h"
#include "network/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Who may describe the layers; the first one that speaks is believed. */
enum { FROM_OPTIONS, FROM_SIDECAR, FROM_FILE, N_SOURCES };

static rk_status read_tensors(rk_tensors *tensors, rk_description *description,
                              const rk_model_bytes *model, rk_error *error) {
    if (rk_npz_recognise(model->bytes, model->size))
        return rk_npz_read(tensors, description, model->bytes, model->size, error);
    rk_status status = RK_OK;
    if (rk_npy_recognise(model->bytes, model->size)) {
        rk_tensor *tensor;
        status = rk_tensors_add(tensors, "array", &tensor, error);
        if (status == RK_OK)
            status = rk_npy_read(&tensor->array, tensor->name, model->bytes, model->size, error);
        return status;
    }
    if (!rk_safetensors_recognise(model->bytes, model->size))
        status = rk_foreign_check(model->bytes, model->size, error);
    return status == RK_OK
               ? rk_safetensors_read(tensors, description, model->bytes, model->size, error)
               : status;
}

/* "layer 1: fc1.weight 256x784, fc1.bias; relu from metadata" */
static void note_layer(FILE *notes, size_t l, const rk_link *link, const rk_layer *layer,
                       const char *source) {
    rk_activation_text activation;
    fprintf(notes, "layer %zu: %s", l + 1, link->weight->name);
    if (link->weight->array.n_dims == 3) fprintf(notes, "[%zu]", link->slice);
    fprintf(notes, " %zux%zu", layer->rows, layer->cols);
    if (link->bias) fprintf(notes, ", %s", link->bias->name);
    fprintf(notes, "; %s", rk_activation_format(&layer->activation, &activation));
    fprintf(notes, source ? " from %s\n" : " by default\n", source);
}

/* Square matrices tell nobody which way they lie; "0.weight" is PyTorch's, which is known. */
static bool may_be_transposed(const rk_network *net, const rk_chain *chain) {
    for (size_t l = 0; l < chain->count; l++) {
        const rk_layer layer = rk_network_layer(net, l);
        if (layer.rows != layer.cols || rk_name_ends_with(chain->links[l].weight->name, "weight"))
            return false;
    }
    return true;
}

static rk_status write_notes(rk_network *net, const rk_chain *chain, rk_deciders by,
                             rk_error *error) {
    char *text = NULL;
    size_t length;
    FILE *notes = open_memstream(&text, &length);
    if (!notes) return rk_fail(error, RK_ERROR_MEMORY, "no memory for notes");
    if (chain->by_shape) fprintf(notes, "order of the layers: the only one their shapes allow\n");
    if (may_be_transposed(net, chain))
        fprintf(notes, "weights taken as (out, in): being square, they do not tell\n");
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

static rk_status build(rk_network **out, const rk_chain *chain, const rk_description *sources,
                       rk_error *error) {
    rk_layer *layers = rk_alloc(chain->count, 1, sizeof *layers);
    if (!layers) return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu layers", chain->count);
    for (size_t l = 0; l < chain->count; l++)
        layers[l] = rk_link_layer(&chain->links[l]);
    rk_deciders by;
    rk_status status = rk_description_apply(sources, N_SOURCES, layers, chain->count, &by, error);
    if (status == RK_OK) status = rk_network_create(out, layers, chain->count, error);
    free(layers);
    if (status != RK_OK) return status;
    status = write_notes(*out, chain, by, error);
    if (status == RK_OK) return RK_OK;
    rk_network_destroy(*out);
    *out = NULL;
    return status;
}

rk_status rk_network_parse(rk_network **out, const rk_model_bytes *model,
                           const rk_read_options *options, rk_error *error) {
    *out = NULL;
    rk_tensors tensors = {0};
    rk_chain chain = {0};
    rk_description sources[N_SOURCES] = {{0}};
    rk_status status = RK_OK;
    if (options && options->activation)
        status =
            rk_description_from_text(&sources[FROM_OPTIONS], "options", options->activation, error);
    if (status == RK_OK && model->sidecar)
        status = rk_description_parse(&sources[FROM_SIDECAR], "side-car", model->sidecar,
                                      model->sidecar_size, error);
    if (status == RK_OK) status = read_tensors(&tensors, &sources[FROM_FILE], model, error);
    if (status == RK_OK) status = rk_chain_create(&chain, &tensors, error);
    if (status == RK_OK) status = build(out, &chain, sources, error);
    rk_chain_destroy(&chain);
    rk_tensors_destroy(&tensors);
    for (int i = 0; i < N_SOURCES; i++)
        rk_description_destroy(&sources[i]);
    return status;
}

/* A part of a network may well look like a whole one. */
static rk_status check_shard(const char *path, rk_error *error) {
    size_t which, count;
    if (!rk_name_is_shard(path, &which, &count) || count < 2) return RK_OK;
    return rk_fail(error, RK_ERROR_FORMAT,
                   "this is shard %zu of %zu, by its name; the index beside it (.index.json) lists "
                   "all, and reckon reads one file: " RK_FOREIGN_JOIN,
                   which, count);
}

/* "<path>.json", if it exists; stdin has none. */
static rk_status read_sidecar(unsigned char **bytes, size_t *size, const char *path,
                              rk_error *error) {
    *bytes = NULL;
    if (strcmp(path, "-") == 0) return RK_OK;
    size_t length = strlen(path);
    char *name = malloc(length + sizeof ".json");
    if (!name) return rk_fail(error, RK_ERROR_MEMORY, "no memory for a file name");
    memcpy(name, path, length);
    memcpy(name + length, ".json", sizeof ".json");
    rk_status status = rk_file_read_if_there(bytes, size, name, error);
    free(name);
    return status;
}

rk_status rk_network_read(rk_network **out, const char *path, const rk_read_options *options,
                          rk_error *error) {
    *out = NULL;
    unsigned char *bytes, *sidecar = NULL;
    size_t size, sidecar_size = 0;
    rk_status status = check_shard(path, error);
    if (status == RK_OK) status = rk_file_read(&bytes, &size, path, error);
    if (status != RK_OK) return status;
    status = read_sidecar(&sidecar, &sidecar_size, path, error);
    rk_model_bytes model = {bytes, sidecar, size, sidecar_size};
    if (status == RK_OK) status = rk_network_parse(out, &model, options, error);
    free(bytes);
    free(sidecar);
    return status;
}

rk_status rk_array_read(rk_array *out, const char *path, rk_error *error) {
    *out = (rk_array){0};
    unsigned char *bytes;
    size_t size;
    rk_status status = rk_file_read(&bytes, &size, path, error);
    if (status != RK_OK) return status;
    if (rk_npz_recognise(bytes, size) || rk_safetensors_recognise(bytes, size))
        status = rk_fail(error, RK_ERROR_FORMAT,
                         "this is a file of several arrays (.npz or .safetensors): save the one "
                         "as .npy, in Python: numpy.save('array.npy', a)");
    else if (!rk_npy_recognise(bytes, size))
        status = rk_foreign_check(bytes, size, error);
    if (status == RK_OK) status = rk_npy_read(out, path, bytes, size, error);
    free(bytes);
    return status;
}

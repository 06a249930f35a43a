#include "format/read.h"

#include "format/chain.h"
#include "format/checkpoint.h"
#include "format/description.h"
#include "format/foreign.h"
#include "format/layout.h"
#include "format/lower.h"
#include "format/name.h"
#include "format/npy.h"
#include "format/npz.h"
#include "format/safetensors.h"
#include "format/select.h"
#include "format/torch.h"
#include "format/wiring.h"

#include <stdlib.h>
#include <string.h>

/* Who may describe the layers; the first one that speaks is believed. */
enum { FROM_OPTIONS, FROM_SIDECAR, FROM_FILE, N_SOURCES };

static rk_status read_tensors(rk_tensors *tensors, rk_description *description, rk_file *file,
                              rk_error *error) {
    unsigned char *bytes;
    size_t size;
    rk_status status = rk_file_begin(&bytes, &size, file, error);
    const bool known = status == RK_OK, torch = known && rk_torch_recognise(file, bytes, size),
               npz = known && rk_npz_recognise(bytes, size),
               npy = known && rk_npy_recognise(bytes, size);
    if (known && !torch && !npz && !npy && !rk_safetensors_recognise(bytes, size))
        status = rk_foreign_check(bytes, size, error);
    free(bytes);
    if (status != RK_OK) return status;
    return torch ? rk_torch_read(tensors, file, error)
           : npz ? rk_npz_read(tensors, description, file, error)
           : npy ? rk_npy_read(tensors, "array", file, error)
                 : rk_safetensors_read(tensors, description, file, error);
}

/* As somebody spells the layers out, or as names and shapes tell. */
static rk_status chain_layers(rk_tensor_chain *out, const rk_tensors *tensors,
                              const rk_description *sources, rk_error *error) {
    const rk_description *told = rk_description_wiring(sources, N_SOURCES);
    return told ? rk_wiring_chain(out, told->layers, told->source, tensors, error)
                : rk_tensor_chain_create(out, tensors, error);
}

static void apply_layout(rk_tensors *tensors, const rk_description *sources,
                         const rk_read_options *options) {
    rk_layout layout = options ? options->layout : RK_LAYOUT_BY_NAME;
    const char *by = "options";
    for (int i = 0; layout == RK_LAYOUT_BY_NAME && i < N_SOURCES; i++) {
        layout = sources[i].layout;
        by = sources[i].source;
    }
    rk_layout_apply(tensors, layout, by);
}

static rk_status parse(rk_network **out, rk_file *file, const unsigned char *sidecar,
                       size_t sidecar_size, const rk_read_options *options, rk_error *error) {
    *out = NULL;
    rk_tensors tensors = {0};
    rk_tensor_chain chain = {0};
    rk_description sources[N_SOURCES] = {{0}};
    rk_status status = RK_OK;
    if (options && options->activation)
        status = rk_description_from_text(&sources[FROM_OPTIONS], "options", options->activation,
                                          options->output_activation, error);
    if (status == RK_OK && sidecar)
        status =
            rk_description_parse(&sources[FROM_SIDECAR], "side-car", sidecar, sidecar_size, error);
    if (status == RK_OK) status = read_tensors(&tensors, &sources[FROM_FILE], file, error);
    if (status == RK_OK)
        status = rk_tensors_select(&tensors, options ? options->tensors : NULL, error);
    if (status == RK_OK && !(options && options->tensors))
        status = rk_checkpoint_choose(&tensors, error);
    tensors.order = options ? options->order : NULL;
    if (status == RK_OK) apply_layout(&tensors, sources, options);
    if (status == RK_OK) status = chain_layers(&chain, &tensors, sources, error);
    if (status == RK_OK) status = rk_chain_lower(out, &chain, &tensors, sources, N_SOURCES, error);
    rk_tensor_chain_destroy(&chain);
    rk_tensors_destroy(&tensors);
    for (int i = 0; i < N_SOURCES; i++)
        rk_description_destroy(&sources[i]);
    return status;
}

rk_status rk_network_parse(rk_network **out, const rk_model_bytes *model,
                           const rk_read_options *options, rk_error *error) {
    rk_file file = {.bytes = model->bytes, .size = model->size};
    return parse(out, &file, model->sidecar, model->sidecar_size, options, error);
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
    rk_status status = rk_file_load_if_there(bytes, size, name, error);
    free(name);
    return status;
}

rk_status rk_network_read(rk_network **out, const char *path, const rk_read_options *options,
                          rk_error *error) {
    *out = NULL;
    rk_file file;
    unsigned char *sidecar = NULL;
    size_t sidecar_size = 0;
    rk_status status = check_shard(path, error);
    if (status == RK_OK) status = rk_file_open(&file, path, error);
    if (status != RK_OK) return status;
    status = read_sidecar(&sidecar, &sidecar_size, path, error);
    if (status == RK_OK) status = parse(out, &file, sidecar, sidecar_size, options, error);
    rk_file_close(&file);
    free(sidecar);
    return status;
}

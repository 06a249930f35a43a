#include "format/file.h"
#include "format/name.h"
#include "format/npz.h"
#include "format/safetensors.h"

#include <stdlib.h>

rk_status rk_network_write(const rk_network *net, const char *path, rk_error *error) {
    static const struct {
        const char *ending;
        rk_status (*write)(unsigned char **, size_t *, const rk_network *, rk_error *);
    } known[] = {{".safetensors", rk_safetensors_write}, {".npz", rk_npz_write}};
    for (size_t l = 0; l < rk_network_n_layers(net); l++)
        if (rk_network_layer(net, l).activation.kind == RK_CUSTOM)
            return rk_fail(error, RK_ERROR_UNSUPPORTED,
                           "layer %zu: a custom activation cannot be written to a file", l + 1);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!rk_name_ends_with(path, known[i].ending)) continue;
        unsigned char *bytes;
        size_t size;
        rk_status status = known[i].write(&bytes, &size, net, error);
        if (status != RK_OK) return status;
        status = rk_file_replace(path, bytes, size, error);
        free(bytes);
        return status;
    }
    return rk_fail(error, RK_ERROR_ARGUMENT,
                   "'%s': a model file to write must end in .safetensors or .npz", path);
}

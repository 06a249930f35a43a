#include "fuzz/target.h"

#include "format/description.h"
#include "format/npy.h"
#include "format/read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void require(bool holds) {
    if (!holds) abort();
}

/* Small enough to touch every value. */
static void use(const rk_network *net) {
    require(rk_network_n_layers(net) > 0 && *rk_network_notes(net));
    for (size_t l = 0; l < rk_network_n_layers(net); l++) {
        rk_layer layer = rk_network_layer(net, l);
        double sum = 0;
        for (size_t i = 0; layer.weight && i < layer.rows * layer.cols; i++)
            sum += fabs(layer.weight[i]);
        for (size_t i = 0; layer.bias && i < layer.rows; i++)
            sum += fabs(layer.bias[i]);
        require(!isnan(sum));
        require(layer.reads <= l + 1 && layer.adds <= l + 1);
        if (!layer.reads) require(l == 0 || layer.cols == rk_network_layer(net, l - 1).rows);
    }
}

static bool read_with(const rk_model_bytes *model, const rk_read_options *options) {
    rk_network *net;
    rk_error error = {.status = RK_OK};
    rk_status status = rk_network_parse(&net, model, options, &error);
    require((status == RK_OK) == (net != NULL));
    if (status == RK_OK)
        use(net);
    else
        require(error.status == status && *error.message &&
                memchr(error.message, '\0', sizeof error.message));
    rk_network_destroy(net);
    return status == RK_OK;
}

static void read_parts(const uint8_t *bytes, size_t size) {
    rk_file file = {.bytes = bytes, .size = size};
    rk_tensors tensors = {0};
    if (rk_npy_read(&tensors, "array", &file, NULL) == RK_OK)
        require(rk_tensor_load(&tensors, &tensors.items[0], NULL) == RK_OK);
    rk_tensors_destroy(&tensors);
    rk_description description;
    rk_description_parse(&description, "side-car", bytes, size, NULL);
    rk_description_destroy(&description);
}

bool target_read(const uint8_t *bytes, size_t size) {
    rk_model_bytes model = {.bytes = bytes, .size = size};
    bool alone = read_with(&model, NULL);
    bool told = read_with(&model, &(rk_read_options){.activation = "relu"});
    read_parts(bytes, size);
    return told || alone;
}

#include "format/layout.h"

#include "format/name.h"

#include <string.h>

bool rk_layout_read(const char *text, rk_layout *out) {
    const bool in_out = strcmp(text, "in-out") == 0, out_in = strcmp(text, "out-in") == 0;
    *out = in_out ? RK_LAYOUT_IN_OUT : out_in ? RK_LAYOUT_OUT_IN : RK_LAYOUT_BY_NAME;
    return in_out || out_in;
}

static void transpose(rk_tensor *tensor) {
    size_t *last = &tensor->array.shape[tensor->array.n_dims - 1], side = *last;
    *last = last[-1];
    last[-1] = side;
    tensor->swapped = !tensor->swapped;
}

/* A vector has no layout, whatever ones stand beside it. */
static void flatten(rk_tensor *tensor) {
    rk_array *array = &tensor->array;
    if (array->n_dims != 2 || (array->shape[0] != 1 && array->shape[1] != 1)) return;
    array->shape[0] *= array->shape[1];
    array->n_dims = 1;
    tensor->fortran_order = tensor->swapped = false;
}

void rk_layout_apply(rk_tensors *tensors, rk_layout layout, const char *by) {
    const bool by_name = layout == RK_LAYOUT_BY_NAME;
    for (size_t i = 0; i < tensors->count; i++) {
        rk_tensor *tensor = &tensors->items[i];
        const bool in_out = by_name ? rk_name_is_in_out(tensor->name) : layout == RK_LAYOUT_IN_OUT;
        const bool is_bias = rk_name_role(tensor->name) == RK_ROLE_BIAS;
        if (is_bias) flatten(tensor);
        if (!in_out || is_bias || tensor->array.n_dims < 2) continue;
        transpose(tensor);
        tensors->layout = "(in, out)";
        tensors->layout_by = "their names";
    }
    if (by_name) return;
    tensors->layout = layout == RK_LAYOUT_IN_OUT ? "(in, out)" : "(out, in)";
    tensors->layout_by = by;
}

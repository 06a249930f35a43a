/* Which way matrices lie: (out, in), as PyTorch stores them, or (in, out). */
#ifndef RK_FORMAT_LAYOUT_H
#define RK_FORMAT_LAYOUT_H

#include "format/tensor.h"

/**
 * From here on matrices are (out, in), stacks (layer, out, in) and biases vectors: those stored
 * otherwise are seen transposed, biases (1, n) and (n, 1) without their 1. `layout` is what `by`
 * says, of all matrices; RK_LAYOUT_BY_NAME: a kernel (Flax, Keras) and coefs (scikit-learn) are
 * (in, out), all else (out, in). tensors->layout tells it, for the notes.
 */
void rk_layout_apply(rk_tensors *tensors, rk_layout layout, const char *by);

/** "in-out" or "out-in"; false for anything else. */
bool rk_layout_read(const char *text, rk_layout *out);

#endif

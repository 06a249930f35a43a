/* What every reader delivers: named real arrays. */
#ifndef RK_FORMAT_TENSOR_H
#define RK_FORMAT_TENSOR_H

#include "base/status.h"

enum { RK_MAX_DIMS = sizeof((rk_array *)0)->shape / sizeof *((rk_array *)0)->shape };

typedef struct rk_tensor {
    char *name;
    rk_array array;  /**< without data if the values are of a type that is not read */
    char unread[16]; /**< that type, or "" */
} rk_tensor;

/** A growing list; zero-initialise, free with rk_tensors_destroy. */
typedef struct rk_tensors {
    rk_tensor *items;
    size_t count, capacity;
} rk_tensors;

/** Appends an empty tensor called `name` (copied) and points *out at it; it stays there until the
 *  next call. */
rk_status rk_tensors_add(rk_tensors *list, const char *name, rk_tensor **out, rk_error *error);
/** The tensor called `name`, or NULL. */
const rk_tensor *rk_tensors_find(const rk_tensors *list, const char *name);
void rk_tensors_destroy(rk_tensors *list);

/** Names go into messages and onto terminals, so those of more than 255 bytes or with control
 *  characters are refused. */
rk_status rk_name_check(const char *name, rk_error *error);

/** The product of the shape and of `size`; false if it does not fit. */
bool rk_shape_bytes(const size_t *shape, size_t n_dims, size_t size, size_t *out);

/** Sets the shape and allocates zeroed data; `name` is for the message. */
rk_status rk_array_create(rk_array *out, const char *name, const size_t *shape, size_t n_dims,
                          rk_error *error);
/** Number of entries. */
size_t rk_array_count(const rk_array *array);

/** "(3, 4)", the shape as Python writes a tuple; the answer points into `out`. */
typedef struct rk_shape_text {
    char text[8 * 22 + 4];
} rk_shape_text;
const char *rk_array_shape_text(const rk_array *array, rk_shape_text *out);

#endif

/* What every reader delivers: named real arrays, whose values stay in the file until they are
 * decoded to where they are wanted. */
#ifndef RK_FORMAT_TENSOR_H
#define RK_FORMAT_TENSOR_H

#include "base/status.h"
#include "format/element.h"
#include "format/file.h"

enum { RK_MAX_DIMS = sizeof((rk_array *)0)->shape / sizeof *((rk_array *)0)->shape };

typedef struct rk_tensor {
    char *name;
    rk_array array;     /**< its shape; data only after rk_tensor_load */
    rk_element element; /**< of the values in the file */
    bool fortran_order;
    bool swapped;          /**< the last two dimensions of the file's are exchanged in the shape */
    char unread[16];       /**< their type, if it is not read, or "" */
    size_t offset, member; /**< where they begin; in which member of an archive */
    size_t holder;         /**< bytes of its name that are of the dictionary around it: "model." */
} rk_tensor;

/** Decodes all values in C order. */
typedef rk_status rk_decoder(void *source, const rk_tensor *tensor, double *out, rk_error *error);

/** A growing list; zero-initialise, free with rk_tensors_destroy. */
typedef struct rk_tensors {
    rk_tensor *items;
    size_t count, capacity;
    const char *order; /**< patterns of the weights' names one after another, or NULL; borrowed */
    const char *layout, *layout_by; /**< of its matrices and who says so (layout.h), or NULL */
    rk_decoder *decode;             /**< of the format, and what it reads from: set by the reader */
    void *source;
    void (*close)(void *source); /**< or NULL */
    char note[256];              /**< which of them were left aside, for people, or "" */
} rk_tensors;

/** Appends an empty tensor called `name` (copied) and points *out at it; it stays there until the
 *  next call. */
rk_status rk_tensors_add(rk_tensors *list, const char *name, rk_tensor **out, rk_error *error);
/** The tensor called `name`, or NULL. */
const rk_tensor *rk_tensors_find(const rk_tensors *list, const char *name);
/** Allocates and fills array.data of a tensor in the list. */
rk_status rk_tensor_load(const rk_tensors *list, rk_tensor *tensor, rk_error *error);
void rk_tensors_destroy(rk_tensors *list);
/** Frees what one tensor holds. */
void rk_tensor_clear(rk_tensor *tensor);

/** The next `size` bytes of a tensor's values. */
typedef rk_status rk_next_bytes(void *from, unsigned char *bytes, size_t size, rk_error *error);
/** For decoders: all values of a tensor from the bytes that `next` gives, a block at a time. */
rk_status rk_tensor_decode(const rk_tensor *tensor, rk_next_bytes *next, void *from, double *out,
                           rk_error *error);
/** The decoder of formats without compression: `source` is the rk_file. */
rk_decoder rk_tensor_decode_file;

/** Names go into messages and onto terminals, so those of more than 255 bytes or with control
 *  characters are refused. */
rk_status rk_name_check(const char *name, rk_error *error);

/** The product of the shape and of `size`; false if it does not fit. */
bool rk_shape_bytes(const size_t *shape, size_t n_dims, size_t size, size_t *out);

/** Number of entries. */
size_t rk_array_count(const rk_array *array);

/** "(3, 4)", the shape as Python writes a tuple; the answer points into `out`. */
typedef struct rk_shape_text {
    char text[8 * 22 + 4];
} rk_shape_text;
const char *rk_array_shape_text(const rk_array *array, rk_shape_text *out);

#endif

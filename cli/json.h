/* JSON with a schema name, 17 significant digits, and null for what JSON cannot say. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "reckon/reckon.h"

typedef struct json_document {
    json_t *root;
    json_t *warnings;    /* array of strings, ends up in root */
    size_t n_not_finite; /* numbers written as null */
} json_document;

/** {"schema": schema, "version": ..., "blas": ..., "blas_core": ...}: on all of the latter, besides
 *  the input, the last bits depend. */
json_document json_begin(const char *schema);

/** Adds the warnings, prints the object on one line and frees it. Returns 0 or an exit code; errors
 *  of `stream` are left to its owner. Nothing is printed if memory ran out on the way: the object
 *  would lack something. */
int json_end(json_document *doc, FILE *stream);

/** rk_build_info as an object. */
json_t *json_build(void);

/** Values; NaN and infinities become null and are counted. */
json_t *json_double(json_document *doc, double x);
json_t *json_vector(json_document *doc, const double *x, size_t n);
json_t *json_matrix(json_document *doc, const double *x, size_t rows, size_t cols);
/* n^degree numbers as nested arrays. */
json_t *json_tensor(json_document *doc, const double *x, size_t n, int degree);

/** null for a quantity that does not exist here (NaN by agreement): no warning. */
json_t *json_optional(json_document *doc, double x);
json_t *json_count(uint64_t n);
json_t *json_text_or_null(const char *text);

/** {"executed": .., "convention": ..}. */
json_t *json_flops(json_document *doc, const rk_cost *cost);
json_t *json_weights_sha256(const rk_network *net);

void json_warn(json_document *doc, const char *text);

#endif

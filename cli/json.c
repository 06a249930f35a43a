#include "json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"

/* Jansson builds on without what it had no memory for. */
static bool memory_ran_out;

static void *watched_malloc(size_t size) {
    void *memory = malloc(size);
    if (!memory) memory_ran_out = true;
    return memory;
}

json_t *json_build(void) {
    enum { PLENTY = 1000 };
    char text[PLENTY];
    json_t *o = json_object();
    rk_build_info(text, sizeof text);
    for (char *rest, *line = strtok_r(text, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        char *value = strchr(line, ' ');
        if (!value) continue;
        *value++ = 0;
        json_object_set_new(o, line, json_string(value));
    }
    return o;
}

json_document json_begin(const char *schema) {
    memory_ran_out = false;
    json_set_alloc_funcs(watched_malloc, free);
    json_document doc = {.root = json_object(), .warnings = json_array()};
    json_object_set_new(doc.root, "schema", json_string(schema));
    json_object_set_new(doc.root, "version", json_string(rk_version()));
    json_t *build = json_build();
    json_object_set(doc.root, "blas", json_object_get(build, "blas"));
    json_object_set(doc.root, "blas_core", json_object_get(build, "blas_core"));
    json_decref(build);
    return doc;
}

int json_end(json_document *doc, FILE *stream) {
    if (doc->n_not_finite) {
        char text[80];
        snprintf(text, sizeof text, "%zu numbers are not finite and written as null",
                 doc->n_not_finite);
        json_warn(doc, text);
    }
    json_object_set_new(doc->root, "warnings", doc->warnings);
    int code = 0;
    if (memory_ran_out)
        code = fail(EXIT_FAILED, "out of memory while making JSON");
    else if (json_dumpf(doc->root, stream, JSON_REAL_PRECISION(17)) != 0 && !ferror(stream))
        code = fail(EXIT_FAILED, "out of memory while writing JSON");
    else
        fputc('\n', stream);
    json_decref(doc->root);
    return code;
}

json_t *json_double(json_document *doc, double x) {
    if (isfinite(x)) return json_real(x);
    doc->n_not_finite++;
    return json_null();
}

json_t *json_vector(json_document *doc, const double *x, size_t n) {
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, json_double(doc, x[i]));
    return array;
}

json_t *json_matrix(json_document *doc, const double *x, size_t rows, size_t cols) {
    json_t *array = json_array();
    for (size_t i = 0; i < rows; i++)
        json_array_append_new(array, json_vector(doc, x + i * cols, cols));
    return array;
}

json_t *json_tensor(json_document *doc, const double *x, size_t n, int degree) {
    if (degree == 1) return json_vector(doc, x, n);
    json_t *array = json_array();
    size_t slab = 1;
    for (int d = 1; d < degree; d++)
        slab *= n;
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, json_tensor(doc, x + i * slab, n, degree - 1));
    return array;
}

json_t *json_optional(json_document *doc, double x) {
    return isnan(x) ? json_null() : json_double(doc, x);
}

json_t *json_count(uint64_t n) {
    return n <= INT64_MAX ? json_integer((json_int_t)n) : json_real((double)n);
}

json_t *json_text_or_null(const char *text) {
    json_t *string = text ? json_string(text) : NULL;
    return string ? string : json_null(); /* jansson refuses what is not UTF-8 */
}

void json_warn(json_document *doc, const char *text) {
    json_array_append_new(doc->warnings, json_text_or_null(text));
}

json_t *json_flops(json_document *doc, const rk_cost *cost) {
    json_t *flops = json_object();
    json_object_set_new(flops, "executed", json_count(cost->flops_executed));
    json_object_set_new(flops, "convention", json_optional(doc, cost->flops_convention));
    return flops;
}

json_t *json_weights_sha256(const rk_network *net) {
    char hex[65];
    if (rk_network_sha256(net, hex, NULL) == RK_OK) return json_string(hex);
    memory_ran_out = true; /* nothing else can fail */
    return json_null();
}

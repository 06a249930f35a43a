#include "support/golden.h"

#include "base/size.h"
#include "format/npy.h"
#include "format/npz.h"
#include "support/bytes.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants setjmp.h and stdarg.h above */
#include <cmocka.h>

static rk_tensors read_npz(const char *name) {
    size_t size;
    unsigned char *bytes = read_data(name, &size);
    rk_tensors arrays = {0};
    rk_description description = {0};
    rk_error error;
    if (rk_npz_read(&arrays, &description, &(rk_file){.bytes = bytes, .size = size}, &error) ||
        load_all(&arrays, &error))
        fail_msg("%s: %s", name, error.message);
    rk_description_destroy(&description);
    free(bytes);
    return arrays;
}

static json_t *load_index(void) {
    json_error_t error;
    json_t *index = json_load_file(RK_TEST_DATA "/goldens/index.json", 0, &error);
    if (!index) fail_msg("index.json: %s", error.text);
    return index;
}

/* "relu_n8_L2" of an entry whose file is "relu_n8_L2.npz". */
static void entry_name(const json_t *entry, char name[64]) {
    const char *file = json_string_value(json_object_get(entry, "file"));
    assert_non_null(file);
    snprintf(name, 64, "%.*s", (int)(strlen(file) - strlen(".npz")), file);
}

static json_t *find_entry(json_t *index, const char *name) {
    for (size_t i = 0; i < json_array_size(index); i++) {
        char candidate[64];
        entry_name(json_array_get(index, i), candidate);
        if (strcmp(candidate, name) == 0) return json_array_get(index, i);
    }
    return NULL;
}

static rk_activation activation_named(const char *name, size_t length) {
    static const struct {
        const char *name;
        rk_activation activation;
    } known[] = {{"sgn", {.kind = RK_SIGN}}, /* the reference's name for it */
#define ENTRY(text, code, value) {#text, {.kind = code, .parameter = value}},
                 RK_ACTIVATION_LIST(ENTRY)
#undef ENTRY
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i].name) == length && memcmp(known[i].name, name, length) == 0)
            return known[i].activation;
    fail_msg("unknown activation %s", name);
    return known[0].activation;
}

/* From the index or, for "trace_relu_n6_L3", from the name. */
static rk_activation hidden_activation(const json_t *entry, const char *name, size_t layer) {
    if (!entry) {
        const char *start = name + strlen("trace_");
        return activation_named(start, strcspn(start, "_"));
    }
    const json_t *nonlin = json_object_get(entry, "nonlin");
    if (json_is_array(nonlin)) nonlin = json_array_get(nonlin, layer);
    const char *text = json_string_value(nonlin);
    assert_non_null(text);
    return activation_named(text, strlen(text));
}

static void build_network(golden *g, const char *name) {
    enum { MAX_LAYERS = 16 };
    rk_layer layers[MAX_LAYERS] = {0};
    json_t *index = load_index();
    const json_t *entry = find_entry(index, name);
    const double *scale = golden_get(g, "init_scale");
    size_t n = 0;
    for (const rk_array *weight; (weight = golden_find(g, "W%zu", n)); n++) {
        assert_true(n < MAX_LAYERS && weight->n_dims == 2);
        const rk_array *bias = golden_find(g, "b%zu", n);
        layers[n] = (rk_layer){.rows = weight->shape[0],
                               .cols = weight->shape[1],
                               .weight = weight->data,
                               .bias = bias ? bias->data : NULL,
                               .weight_scale = scale[n]};
    }
    for (size_t l = 0; l + 1 < n; l++)
        layers[l].activation = hidden_activation(entry, name, l);
    json_decref(index);
    rk_error error;
    if (rk_network_create(&g->net, layers, n, &error) != RK_OK)
        fail_msg("%s: %s", name, error.message);
}

static const double *values_or_null(const rk_array *array) {
    return array ? array->data : NULL;
}

golden golden_open(const char *name) {
    char path[128];
    snprintf(path, sizeof path, "goldens/%s.npz", name);
    golden g = {.arrays = read_npz(path)};
    if (golden_find(&g, "W0")) build_network(&g, name);
    g.input = (rk_input){.mean = values_or_null(golden_find(&g, "Kin1")),
                         .covariance = values_or_null(golden_find(&g, "Kin2")),
                         .third_cumulant = values_or_null(golden_find(&g, "Kin3"))};
    return g;
}

void golden_close(golden *g) {
    rk_tensors_destroy(&g->arrays);
    rk_network_destroy(g->net);
    *g = (golden){0};
}

static const rk_array *find(const rk_tensors *arrays, const char *name) {
    const rk_tensor *tensor = rk_tensors_find(arrays, name);
    return tensor ? &tensor->array : NULL;
}

const rk_array *golden_find(const golden *g, const char *format, ...) {
    char name[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    return find(&g->arrays, name);
}

static const double *values(const rk_tensors *arrays, const char *name) {
    const rk_array *array = find(arrays, name);
    if (!array) fail_msg("no array '%s'", name);
    return array->data;
}

const double *golden_get(const golden *g, const char *format, ...) {
    char name[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    return values(&g->arrays, name);
}

const char *golden_name(size_t index) {
    static char name[64];
    json_t *entries = load_index();
    const json_t *entry = json_array_get(entries, index);
    if (entry) entry_name(entry, name);
    json_decref(entries);
    return entry ? name : NULL;
}

bool golden_is_doubtful(const char *name, const char *config) {
    json_t *index = load_index();
    const json_t *entry = find_entry(index, name);
    bool doubtful = json_object_get(json_object_get(entry, "warnings"), config) != NULL;
    json_decref(index);
    return doubtful;
}

static rk_network *relu_stack(const rk_array *weights) {
    size_t m = weights->shape[0], n = weights->shape[1];
    assert_true(weights->n_dims == 3 && weights->shape[2] == n);
    rk_layer *layers = rk_alloc(m, 1, sizeof *layers);
    assert_non_null(layers);
    for (size_t l = 0; l < m; l++)
        layers[l] = (rk_layer){.rows = n,
                               .cols = n,
                               .weight = weights->data + l * n * n,
                               .activation = {.kind = l + 1 < m ? RK_RELU : RK_IDENTITY},
                               .weight_scale = l ? 2 : 1};
    rk_network *net;
    assert_int_equal(rk_network_create(&net, layers, m, NULL), RK_OK);
    free(layers);
    return net;
}

truth truth_open(int n, int L, int t) {
    char path[128];
    snprintf(path, sizeof path, "truth/W_n%d_L%d_t%d.npy", n, L, t);
    size_t size;
    unsigned char *bytes = read_data(path, &size);
    rk_tensors weights = {0};
    rk_error error;
    if (rk_npy_read(&weights, path, &(rk_file){.bytes = bytes, .size = size}, &error) ||
        load_all(&weights, &error))
        fail_msg("%s", error.message);
    free(bytes);
    snprintf(path, sizeof path, "truth/truth_n%d_L%d_t%d.npz", n, L, t);
    truth answer = {
        .arrays = read_npz(path), .net = relu_stack(&weights.items[0].array), .n = (size_t)n};
    rk_tensors_destroy(&weights);
    answer.mean = values(&answer.arrays, "mean");
    answer.se = values(&answer.arrays, "se");
    answer.output_var = values(&answer.arrays, "output_var");
    return answer;
}

void truth_close(truth *t) {
    rk_tensors_destroy(&t->arrays);
    rk_network_destroy(t->net);
    *t = (truth){0};
}

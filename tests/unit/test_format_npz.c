/* Archives that NumPy and its imitators wrote: tests/data/formats/make.py. */
#include "format/npz.h"
#include "format/read.h"
#include "support/bytes.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants setjmp.h and stdarg.h */
#include <cmocka.h>

static rk_tensors read_ok(const char *name) {
    size_t size;
    unsigned char *bytes = read_data(name, &size);
    rk_tensors tensors = {0};
    rk_description description = {0};
    rk_error error;
    if (rk_npz_read(&tensors, &description, &(rk_file){.bytes = bytes, .size = size}, &error) ||
        load_all(&tensors, &error))
        fail_msg("%s: %s", name, error.message);
    rk_description_destroy(&description);
    free(bytes);
    return tensors;
}

static void test_every_type_and_layout(void **state) {
    (void)state;
    static const double wanted[6] = {1, -2, 3, 4, 5, -6};
    rk_tensors tensors = read_ok("formats/types.npz");
    assert_int_equal(tensors.count, 27);
    for (size_t i = 0; i < tensors.count; i++) {
        const rk_array *array = &tensors.items[i].array;
        bool is_unsigned = strstr(tensors.items[i].name, "_u") != NULL;
        assert_int_equal(array->n_dims, 2);
        assert_int_equal(array->shape[0], 2);
        assert_int_equal(array->shape[1], 3);
        for (size_t k = 0; k < 6; k++)
            if (array->data[k] != (is_unsigned ? fabs(wanted[k]) : wanted[k]))
                fail_msg("%s[%zu] = %g", tensors.items[i].name, k, array->data[k]);
    }
    rk_tensors_destroy(&tensors);
}

static void test_every_shape(void **state) {
    (void)state;
    rk_tensors tensors = read_ok("formats/shapes.npz");
    static const char *const cubes[] = {"cube", "fortran_cube"};
    for (size_t c = 0; c < 2; c++)
        for (size_t i = 0; i < 24; i++)
            assert_true(rk_tensors_find(&tensors, cubes[c])->array.data[i] == (double)i);
    assert_int_equal(rk_tensors_find(&tensors, "scalar")->array.n_dims, 0);
    assert_true(rk_tensors_find(&tensors, "scalar")->array.data[0] == 7);
    assert_true(rk_tensors_find(&tensors, "vector")->array.data[4] == 4);
    assert_int_equal(rk_array_count(&rk_tensors_find(&tensors, "empty")->array), 0);
    assert_null(rk_tensors_find(&tensors, "other"));
    rk_tensors_destroy(&tensors);
}

static const struct {
    const char *name, *refusal;
} bad[] = {
    {"complex", "type '<c16'"},
    {"bool", "type '|b1'"},
    {"text", "type '<U1'"},
    {"longdouble", "type '<f16'"},
    {"date", "type '<M8[D]'"},
    {"struct", "not plain numbers"},
    {"object", "is a pickled object array, perhaps a list of arrays (type '|O')"},
    {"duplicate", "two members of the archive share a name"},
    {"same_name", "two members of the archive share a name"},
    {"member", "member 'README.txt' is not an array"},
    {"folder", "member 'folder/' is not an array"},
    {"pickle", "the pickle"},
    {"torchscript", "this is a TorchScript archive"},
    {"keras", "this is a Keras model"},
    {"bfloat16", "raw bytes or records, perhaps bfloat16 (type '|V2'): save it as"},
    {"name", "not a sound ZIP archive"},
    {"long_name", "304 bytes long"},
    {"bzip2", "member 'W0.npy' is compressed in an unknown way"},
    {"empty", "no tensors"},
    {"not_npy", "'W0.npy' is not in .npy format"},
    {"description", "reckon.json: the key 'activaton' is none of"},
    {"description_twice", "two members of the archive share a name"},
    {"description_long", "'reckon.json' is longer than 1 MiB"},
    {"cut", "not a sound ZIP archive"},
    {"crc", "member 'W0.npy' is damaged"},
    {"encrypted", "member 'W0.npy' is encrypted"},
    {"bomb", "has 1000136 bytes where its header announces"},
    {"liar", "claims to be larger than its data can be"},
    {"overlap", "member 'W1.npy' overlaps another"},
    {"modest", "bytes where its header announces"},
};

static void test_bad_archives_are_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char path[64];
        snprintf(path, sizeof path, "formats/bad_%s.npz", bad[i].name);
        rk_model_bytes model = {0};
        unsigned char *bytes = read_data(path, &model.size);
        model.bytes = bytes;
        rk_network *net;
        rk_error error;
        if (rk_network_parse(&net, &model, NULL, &error) != RK_ERROR_FORMAT)
            fail_msg("%s: accepted", path);
        if (!strstr(error.message, bad[i].refusal)) fail_msg("%s: %s", path, error.message);
        assert_null(net);
        free(bytes);
    }
}

static void test_archives_cut_short(void **state) {
    (void)state;
    size_t size;
    unsigned char *bytes = read_data("formats/net.npz", &size);
    for (size_t length = 1; length < size; length++) { /* libzip takes 0 for a new archive */
        unsigned char *prefix = malloc(length ? length : 1);
        assert_non_null(prefix);
        memcpy(prefix, bytes, length);
        rk_tensors tensors = {0};
        rk_description description = {0};
        rk_file file = {.bytes = prefix, .size = length};
        assert_int_equal(rk_npz_read(&tensors, &description, &file, NULL), RK_ERROR_FORMAT);
        rk_tensors_destroy(&tensors);
        rk_description_destroy(&description);
        free(prefix);
    }
    free(bytes);
}

/* The same network in every container, type and naming. */
static void test_one_network_many_files(void **state) {
    (void)state;
    static const char *const names[] = {"net_F64.safetensors",
                                        "net_F32.safetensors",
                                        "net_F16.safetensors",
                                        "net_BF16.safetensors",
                                        "net.npz",
                                        "net_deflated.npz",
                                        "net_f32.npz",
                                        "net_described.npz",
                                        "net_positional.npz",
                                        "net_letters.npz"};
    char first[65];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[512], hash[65];
        snprintf(path, sizeof path, RK_TEST_DATA "/formats/%s", names[i]);
        rk_network *net;
        rk_error error;
        bool says_itself = strstr(names[i], "safetensors") || strstr(names[i], "described");
        rk_read_options options = {.activation = says_itself ? NULL : "relu"};
        if (rk_network_read(&net, path, &options, &error) != RK_OK)
            fail_msg("%s: %s", names[i], error.message);
        assert_int_equal(rk_network_sha256(net, i ? hash : first, NULL), RK_OK);
        if (i) assert_string_equal(hash, first);
        assert_int_equal(rk_network_layer(net, 0).activation.kind, RK_RELU);
        rk_network_destroy(net);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type_and_layout),    cmocka_unit_test(test_every_shape),
        cmocka_unit_test(test_bad_archives_are_refused), cmocka_unit_test(test_archives_cut_short),
        cmocka_unit_test(test_one_network_many_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

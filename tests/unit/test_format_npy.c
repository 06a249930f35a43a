#include "format/npy.h"
#include "support/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants setjmp.h and stdarg.h */
#include <cmocka.h>

static rk_status read_bytes(rk_array *out, const unsigned char *bytes, size_t size,
                            rk_error *error) {
    rk_file file = {.bytes = bytes, .size = size};
    rk_tensors tensors = {0};
    *out = (rk_array){0};
    rk_status status = rk_npy_read(&tensors, "x", &file, error);
    if (status == RK_OK) status = load_all(&tensors, error);
    if (status == RK_OK) {
        *out = tensors.items[0].array;
        tensors.items[0].array.data = NULL;
    }
    rk_tensors_destroy(&tensors);
    return status;
}

static void test_what_is_written_is_read(void **state) {
    (void)state;
    static const double data[6] = {1, -0.5, 1.0 / 3, 1e-300, 5e-324, -0.0};
    static const struct {
        size_t n_dims, shape[3];
    } shapes[] = {{0, {0}}, {1, {6}}, {2, {2, 3}}, {3, {1, 3, 2}}, {2, {0, 4}}};
    for (size_t i = 0; i < 5; i++) {
        size_t size, n_dims = shapes[i].n_dims;
        unsigned char *bytes = rk_npy_write(data, shapes[i].shape, n_dims, &size);
        assert_non_null(bytes);
        rk_array back;
        assert_int_equal(read_bytes(&back, bytes, size, NULL), RK_OK);
        assert_int_equal(back.n_dims, n_dims);
        assert_memory_equal(back.shape, shapes[i].shape, n_dims * sizeof *back.shape);
        assert_memory_equal(back.data, data, rk_array_count(&back) * sizeof *data);
        rk_array_destroy(&back);
        free(bytes);
    }
}

/* We pad and align as NumPy does: the same array gives the same bytes. */
static void test_written_bytes_are_numpys(void **state) {
    (void)state;
    double data[12];
    for (int i = 0; i < 12; i++)
        data[i] = i;
    size_t size, wanted_size;
    unsigned char *bytes = rk_npy_write(data, (size_t[]){3, 2, 2}, 3, &size);
    unsigned char *wanted = read_data("formats/stack.npy", &wanted_size);
    assert_int_equal(size, wanted_size);
    assert_memory_equal(bytes, wanted, size);
    free(bytes);
    free(wanted);
}

#define GOOD "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }\n"

/* Header, how many bytes of values follow, and NULL or a part of the refusal. */
static const struct {
    int version;
    const char *header;
    size_t values;
    const char *refusal;
} cases[] = {
    {1, GOOD, 16, NULL},
    {2, GOOD, 16, NULL},
    {3, GOOD, 16, NULL},
    {1, "{\"shape\":(2,),\"fortran_order\":False,\"descr\":\"<f8\"}", 16, NULL},
    {1, "{'descr': '<f8', 'fortran_order': True, 'shape': (), }", 8, NULL},
    {1, "{'descr': '<f8', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1)}", 8, NULL},
    {1, "{'descr': '<f8', 'fortran_order': True, 'shape': (0, 18446744073709551615)}", 0, NULL},

    {1, GOOD, 15, "has 15 bytes of values where its header announces 16"},
    {1, GOOD, 17, "has 17 bytes"},
    {0, GOOD, 16, "version 0.0 is unknown"},
    {4, GOOD, 16, "version 4.0 is unknown"},
    {1, "", 0, "not a dictionary"},
    {1, "[]", 0, "not a dictionary"},
    {1, "{}", 0, "lacks descr, fortran_order or shape"},
    {1, "{'descr': '<f8', 'shape': (2,)}", 16, "lacks"},
    {1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2,)", 16, "malformed header"},
    {1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2,)} x", 16, "text after the header"},
    {1, "{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (2,)}", 16,
     "unexpected key"},
    {1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), 'x': 1}", 16, "unexpected key"},
    {1, "{'descr': '<f8' 'fortran_order': False, 'shape': (2,)}", 16, "malformed header"},
    {1, "{'descr': '<f8', 'fortran_order': 0, 'shape': (2,)}", 16, "neither True nor False"},
    {1, "{'descr': '<f8', 'fortran_order': False, 'shape': 2}", 16, "malformed shape"},
    {1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2)}", 16, "malformed shape"},
    {1, "{'descr': '<f8', 'fortran_order': False, 'shape': (-2,)}", 16, "malformed shape"},
    {1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2.0,)}", 16, "malformed shape"},
    {1, "{'descr': '<f8', 'fortran_order': False, 'shape': (,)}", 16, "malformed shape"},
    {1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2 2)}", 32, "malformed shape"},
    {1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2,", 16, "malformed shape"},
    {1, "{'descr': '<f8', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", 8,
     "malformed shape"},
    {1, "{'descr': '<f8', 'fortran_order': False, 'shape': (18446744073709551616,)}", 0,
     "malformed shape"},
    {1, "{'descr': '<f8', 'fortran_order': False, 'shape': (18446744073709551615,)}", 0,
     "its shape overflows"},
    {1, "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", 0,
     "its shape overflows"},
    {1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2305843009213693951,)}", 0,
     "its shape overflows"},
    {1, "{'descr': '<c16', 'fortran_order': False, 'shape': (1,)}", 16, "type '<c16'"},
    {1, "{'descr': '|b1', 'fortran_order': False, 'shape': (1,)}", 1, "type '|b1'"},
    {1, "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", 8, "type '|O'"},
    {1, "{'descr': '<U1', 'fortran_order': False, 'shape': (1,)}", 4, "type '<U1'"},
    {1, "{'descr': '|f8', 'fortran_order': False, 'shape': (1,)}", 8, "type '|f8'"},
    {1, "{'descr': 'f8', 'fortran_order': False, 'shape': (1,)}", 8, "type 'f8'"},
    {1, "{'descr': '', 'fortran_order': False, 'shape': (1,)}", 8, "type ''"},
    {1, "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,)}", 8, "not plain numbers"},
    {1, "{'descr': '<f8\\'', 'fortran_order': False, 'shape': (1,)}", 8, "not plain numbers"},
    {1, "{'descr': '<f8", 8, "not plain numbers"},
};

static unsigned char *make(int version, const char *header, size_t values, size_t *size) {
    size_t length = strlen(header), preamble = version == 1 ? 10 : 12;
    unsigned char *bytes = calloc(1, preamble + length + values + 1);
    assert_non_null(bytes);
    memcpy(bytes, "\x93NUMPY", 6);
    bytes[6] = (unsigned char)version;
    bytes[8] = (unsigned char)length;
    bytes[9] = (unsigned char)(length >> 8);
    memcpy(bytes + preamble, header, length);
    *size = preamble + length + values;
    return bytes;
}

static void test_headers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size;
        unsigned char *bytes = make(cases[i].version, cases[i].header, cases[i].values, &size);
        rk_array array;
        rk_error error;
        rk_status status = read_bytes(&array, bytes, size, &error);
        if (cases[i].refusal) {
            if (status != RK_ERROR_FORMAT) fail_msg("accepted: %s", cases[i].header);
            if (!strstr(error.message, cases[i].refusal) || error.offset < 0)
                fail_msg("%s: %s", cases[i].header, error.message);
        } else if (status != RK_OK) {
            fail_msg("%s: %s", cases[i].header, error.message);
        }
        rk_array_destroy(&array);
        free(bytes);
    }
}

/* Every prefix of a sound file, in a buffer of exactly its length, is refused. */
static void test_files_cut_short(void **state) {
    (void)state;
    size_t size;
    unsigned char *bytes = read_data("formats/matrix.npy", &size);
    for (size_t length = 0; length < size; length++) {
        unsigned char *prefix = malloc(length ? length : 1);
        assert_non_null(prefix);
        memcpy(prefix, bytes, length);
        rk_array array;
        assert_int_equal(read_bytes(&array, prefix, length, NULL), RK_ERROR_FORMAT);
        assert_null(array.data);
        free(prefix);
    }
    free(bytes);
}

static void test_absurd_header_lengths(void **state) {
    (void)state;
    size_t size;
    unsigned char *bytes = make(2, GOOD, 16, &size);
    bytes[11] = 0xff;
    rk_array array;
    rk_error error;
    assert_int_equal(read_bytes(&array, bytes, size, &error), RK_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "is absurd"));
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_written_bytes_are_numpys),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_files_cut_short),
        cmocka_unit_test(test_absurd_header_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

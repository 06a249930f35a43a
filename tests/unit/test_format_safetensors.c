#include "format/safetensors.h"
#include "support/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants setjmp.h and stdarg.h */
#include <cmocka.h>

#define A "\"a\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16]}"
#define ONE(dtype, shape, offsets)                                                                 \
    "{\"a\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

/* Header, how many bytes of values follow, and NULL or a part of the refusal. */
static const struct {
    const char *header;
    size_t values;
    const char *refusal;
} cases[] = {
    {"{" A "}", 16, NULL},
    {"{" A "}   ", 16, NULL},
    {"{}", 0, NULL},
    {"{\"__metadata__\":{\"format\":\"pt\",\"who\":\"me\"}," A "}", 16, NULL},
    {ONE("\"F32\"", "[]", "[0,4]"), 4, NULL},
    {ONE("\"BF16\"", "[0,3]", "[0,0]"), 0, NULL},
    {ONE("\"F16\"", "[1,1,1,1,1,1,1,1]", "[0,2]"), 2, NULL},
    {"{" A ",\"b\":{\"dtype\":\"F64\",\"shape\":[0],\"data_offsets\":[16,16]}}", 16, NULL},
    {"{\"b\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[16,18]}," A "}", 18, NULL},

    /* the header */
    {"", 0, "not a JSON object"},
    {"[]", 0, "not a JSON object"},
    {" {}", 0, "not a JSON object"},
    {"{", 0, "not valid JSON"},
    {"{} x", 0, "not valid JSON"},
    {"{" A "," A "}", 16, "has a key twice"},
    {"{\"a\":{\"dtype\":\"F64\",\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16]}}", 16,
     "has a key twice"},
    {"{\"a\\u0000b\":1}", 0, "not valid JSON"},
    {"{\"a\xff\":1}", 0, "not valid JSON"},
    {"{\"a\\u001b[31m\":{}}", 0, "control characters"},
    {"{\"a\\u009b31m\":{}}", 0, "control characters"},
    {"{\"a\\u202eb\":{}}", 0, "control characters"},
    {"{\"a\\u2066b\":{}}", 0, "control characters"},
    {"{\"__metadata__\":1}", 0, "not an object"},
    {"{\"__metadata__\":{\"step\":1000,\"who\":[null]}," A "}", 16, NULL},
    {"{\"__metadata__\":{\"activation\":1}}", 0, "neither a name nor a list"},
    {"{\"__metadata__\":{\"weight_scale\":\"1,x\"}}", 0, "not a list of numbers"},
    {"{\"__metadata__\":{\"weight_scale\":\"1],[2\"}}", 0, "not a list of numbers"},
    {"{\"__metadata__\":{\"weight_scale\":\"-1\"}}", 0, "not a list of numbers"},
    {"{\"__metadata__\":{\"output_activation\":\"relu\"}}", 0, "without \"activation\""},

    /* one tensor */
    {"{\"a\":1}", 0, "tensor 'a' is not described by"},
    {"{\"a\":{\"dtype\":\"F64\",\"shape\":[2]}}", 16, "tensor 'a' is not described by"},
    {"{\"a\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16],\"x\":1}}", 16,
     "tensor 'a' is not described by"},
    {ONE("\"I64\"", "[2]", "[0,16]"), 16, NULL}, /* the chain refuses the values */
    {ONE("\"F8_E4M3\"", "[2]", "[0,2]"), 2, NULL},
    {ONE("\"F4\"", "[4294967296,4294967295]", "[0,2]"), 2, NULL},
    {ONE("\"I64\"", "[4294967296,4294967296]", "[0,16]"), 16, "its shape overflows"},
    {ONE("8", "[2]", "[0,16]"), 16, "malformed dtype"},
    {ONE("\"\"", "[2]", "[0,16]"), 16, "malformed dtype"},
    {ONE("\"\\u001b\"", "[2]", "[0,16]"), 16, "malformed dtype"},
    {ONE("\"A_TYPE_WITHOUT_END\"", "[2]", "[0,16]"), 16, "malformed dtype"},
    {ONE("\"F64\"", "2", "[0,16]"), 16, "malformed shape"},
    {ONE("\"F64\"", "[2.0]", "[0,16]"), 16, "malformed shape"},
    {ONE("\"F64\"", "[-2]", "[0,16]"), 16, "malformed shape"},
    {ONE("\"F64\"", "[1,1,1,1,1,1,1,1,2]", "[0,16]"), 16, "malformed shape"},
    {ONE("\"F64\"", "[9223372036854775808]", "[0,16]"), 16, "not valid JSON"},
    {ONE("\"F64\"", "[4294967296,4294967296]", "[0,0]"), 0, "its shape overflows"},
    {ONE("\"F64\"", "[2305843009213693952]", "[0,0]"), 0, "its shape overflows"},
    {ONE("\"F64\"", "[2]", "[0]"), 16, "malformed data_offsets"},
    {ONE("\"F64\"", "[2]", "[0,16,16]"), 16, "malformed data_offsets"},
    {ONE("\"F64\"", "[2]", "[-16,0]"), 16, "malformed data_offsets"},
    {ONE("\"F64\"", "[2]", "[16,0]"), 16, "malformed data_offsets"},
    {ONE("\"F64\"", "[2]", "[0,8]"), 16, "its shape needs 16 bytes, its data_offsets hold 8"},

    /* all together */
    {"{" A "}", 15, "reaches beyond the end"},
    {"{" A "}", 17, "1 bytes after the last tensor"},
    {"{}", 8, "8 bytes after the last tensor"},
    {ONE("\"F64\"", "[1]", "[8,16]"), 16, "leaves a gap"},
    {"{" A ",\"b\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[24,32]}}", 32,
     "tensor 'b' leaves a gap"},
    {"{" A ",\"b\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[8,24]}}", 24,
     "tensor 'b' overlaps"},
    {"{" A ",\"b\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16]}}", 16, "overlaps"},
    {ONE("\"F64\"", "[1]", "[9223372036854775799,9223372036854775807]"), 16, "leaves a gap"},
};

static unsigned char *make(const char *header, size_t values, size_t *size) {
    size_t length = strlen(header);
    unsigned char *bytes = calloc(1, 8 + length + values);
    assert_non_null(bytes);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)length >> (8 * i));
    memcpy(bytes + 8, header, length);
    *size = 8 + length + values;
    return bytes;
}

static rk_status read_bytes(const unsigned char *bytes, size_t size, rk_error *error) {
    rk_tensors tensors = {0};
    rk_description description = {0};
    rk_file file = {.bytes = bytes, .size = size};
    rk_status status = rk_safetensors_read(&tensors, &description, &file, error);
    rk_tensors_destroy(&tensors);
    rk_description_destroy(&description);
    return status;
}

static void test_headers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size;
        unsigned char *bytes = make(cases[i].header, cases[i].values, &size);
        rk_error error;
        rk_status status = read_bytes(bytes, size, &error);
        if (cases[i].refusal) {
            if (status != RK_ERROR_FORMAT) fail_msg("accepted: %s", cases[i].header);
            if (!strstr(error.message, cases[i].refusal))
                fail_msg("%s: %s", cases[i].header, error.message);
        } else if (status != RK_OK) {
            fail_msg("%s: %s", cases[i].header, error.message);
        }
        free(bytes);
    }
}

static void test_header_lengths(void **state) {
    (void)state;
    static const struct {
        unsigned char length[8];
        const char *refusal;
    } lengths[] = {
        {{1, 1}, "longer than the file"},
        {{0, 0xe1, 0xf5, 0x05}, "longer than the file"},
        {{1, 0xe1, 0xf5, 0x05}, "longer than 100 MB"},
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "longer than 100 MB"},
    };
    for (size_t i = 0; i < 4; i++) {
        size_t size;
        unsigned char *bytes = make("{}", 0, &size);
        memcpy(bytes, lengths[i].length, 8);
        rk_error error;
        assert_int_equal(read_bytes(bytes, size, &error), RK_ERROR_FORMAT);
        assert_non_null(strstr(error.message, lengths[i].refusal));
        free(bytes);
    }
}

static void test_files_cut_short(void **state) {
    (void)state;
    size_t size;
    unsigned char *bytes = read_data("formats/net_F32.safetensors", &size);
    for (size_t length = 0; length < size; length++) {
        unsigned char *prefix = malloc(length ? length : 1);
        assert_non_null(prefix);
        memcpy(prefix, bytes, length);
        assert_int_equal(read_bytes(prefix, length, NULL), RK_ERROR_FORMAT);
        free(prefix);
    }
    free(bytes);
}

static void test_deep_nesting_is_refused(void **state) {
    (void)state;
    enum { DEPTH = 100000 };
    char *header = malloc(DEPTH + 6);
    assert_non_null(header);
    strcpy(header, "{\"a\":");
    memset(header + 5, '[', DEPTH);
    header[DEPTH + 5] = '\0';
    size_t size;
    unsigned char *bytes = make(header, 0, &size);
    assert_int_equal(read_bytes(bytes, size, NULL), RK_ERROR_FORMAT);
    free(bytes);
    free(header);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_header_lengths),
        cmocka_unit_test(test_files_cut_short),
        cmocka_unit_test(test_deep_nesting_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

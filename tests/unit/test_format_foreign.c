/* Files that are not read say what they are and how to make a readable one of them. */
#include "format/foreign.h"
#include "format/read.h"
#include "support/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants setjmp.h and stdarg.h */
#include <cmocka.h>

static const struct {
    const char *name, *refusal, *way_out;
} files[] = {
    {"net.onnx", "this is ONNX", "onnx.load('net.onnx').graph.initializer"},
};

static void check(const char *what, const unsigned char *bytes, size_t size, const char *refusal,
                  const char *way_out) {
    rk_model_bytes model = {.bytes = bytes, .size = size};
    rk_network *net;
    rk_error error;
    assert_int_equal(rk_network_parse(&net, &model, NULL, &error), RK_ERROR_FORMAT);
    if (!strstr(error.message, refusal) || !strstr(error.message, way_out))
        fail_msg("%s: %s", what, error.message);
    assert_true(strlen(error.message) + 1 < sizeof error.message); /* nothing cut off */
}

static void test_files_of_others(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[64];
        size_t size;
        snprintf(path, sizeof path, "formats/foreign_%s", files[i].name);
        unsigned char *bytes = read_data(path, &size);
        check(path, bytes, size, files[i].refusal, files[i].way_out);
        free(bytes);
    }
}

/* Followed by zeros, up to 600 bytes. */
static const struct {
    size_t at;
    const char *text, *refusal, *way_out;
} beginnings[] = {
    {0, "\x89HDF\r\n\x1a\n", "HDF5, as Keras", "get_weights()"},
    {512, "\x89HDF\r\n\x1a\n", "HDF5, as MATLAB", "h5py"},
    {0, "MATLAB 5.0 MAT-file, Platform: GLNXA64", "a MATLAB file", "scipy.io.loadmat"},
    {0, "GGUF\3", "GGUF", ".safetensors that it was made from"},
    {4, "TFL3", "TensorFlow Lite", "get_weights()"},
    {0, "\x1f\x8b\x08", "compressed with gzip", "unpack it first"},
    {0, "BZh91AY", "compressed with bzip2", "unpack"},
    {0,
     "\xfd"
     "7zXZ",
     "compressed with xz", "unpack"},
    {0, "\x28\xb5\x2f\xfd", "compressed with zstd", "unpack"},
    {257, "ustar", "a tar archive", "unpack"},
    {0, "version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer", "git lfs pull"},
    {0, "<!DOCTYPE html><html>", "a web page", "download"},
    {0, "\x80\4\x95", "a Python pickle", "numpy.savez"},
    {0, "{\"metadata\": {}, \"weight_map\": {\"0.weight\": \"model-00001-of-00002.safetensors\"}}",
     "the index of a model in shards", "load_file(f).items()"},
    {0, " \n{\"activation\": \"relu\"}", "JSON, which holds no weights", "name the file"},
    {0, "[1, 2]", "JSON", "name the file"},
};

static void test_beginnings(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
        unsigned char bytes[600] = {0};
        memcpy(bytes + beginnings[i].at, beginnings[i].text, strlen(beginnings[i].text));
        check(beginnings[i].refusal, bytes, sizeof bytes, beginnings[i].refusal,
              beginnings[i].way_out);
    }
    check("empty", (const unsigned char *)"", 0, "the file is empty", "");
    check("text", (const unsigned char *)"hello, world", 12, "neither .npz nor .npy nor", "");
}

/* Every beginning of every such file is refused without reading beyond it. */
static void test_files_cut_short(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[64];
        size_t size;
        snprintf(path, sizeof path, "formats/foreign_%s", files[i].name);
        unsigned char *bytes = read_data(path, &size);
        for (size_t length = 0; length < size; length++) {
            unsigned char *prefix = malloc(length ? length : 1);
            assert_non_null(prefix);
            memcpy(prefix, bytes, length);
            check(path, prefix, length, "", "");
            free(prefix);
        }
        free(bytes);
    }
}

/* A safetensors file of a header whose length looks like gzip's signature is one nevertheless. */
static void test_ours_comes_first(void **state) {
    (void)state;
    const size_t length = 0x088b1f;
    unsigned char *bytes = malloc(8 + length);
    assert_non_null(bytes);
    memcpy(bytes, "\x1f\x8b\x08\0\0\0\0\0", 8);
    memset(bytes + 8, ' ', length);
    memcpy(bytes + 8, "{}", 2);
    check("gzip?", bytes, 8 + length, "no tensors", "");
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_of_others),
        cmocka_unit_test(test_beginnings),
        cmocka_unit_test(test_files_cut_short),
        cmocka_unit_test(test_ours_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

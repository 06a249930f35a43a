#include "support/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants setjmp.h and stdarg.h */
#include <cmocka.h>

unsigned char *read_data(const char *name, size_t *size) {
    char path[512];
    snprintf(path, sizeof path, RK_TEST_DATA "/%s", name);
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("cannot open %s", path);
    fseek(file, 0, SEEK_END);
    long length = ftell(file);
    rewind(file);
    assert_true(length >= 0);
    unsigned char *bytes = malloc((size_t)length + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)length, file), length);
    fclose(file);
    *size = (size_t)length;
    return bytes;
}

rk_status load_all(rk_tensors *tensors, rk_error *error) {
    rk_status status = RK_OK;
    for (size_t i = 0; status == RK_OK && i < tensors->count; i++)
        status = rk_tensor_load(tensors, &tensors->items[i], error);
    return status;
}

#include "format/element.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants setjmp.h and stdarg.h */
#include <cmocka.h>

static double decode(rk_element_kind kind, size_t size, uint64_t bits) {
    unsigned char little[8], big[8];
    for (size_t i = 0; i < size; i++)
        little[i] = big[size - 1 - i] = (unsigned char)(bits >> (8 * i));
    double x, y;
    rk_element_decode((rk_element){kind, size, false}, little, 1, &x);
    rk_element_decode((rk_element){kind, size, true}, big, 1, &y);
    assert_memory_equal(&x, &y, sizeof x);
    return x;
}

/* A half's bits moved to where a float has them; 2^112 makes up for the exponents' biases. */
static double half_through_float(uint16_t bits) {
    uint32_t moved = (uint32_t)(bits & 0x8000) << 16 | (uint32_t)(bits & 0x7fff) << 13;
    float x;
    memcpy(&x, &moved, sizeof x);
    return (double)x * 0x1p112;
}

static void test_every_half(void **state) {
    (void)state;
    for (uint32_t bits = 0; bits <= UINT16_MAX; bits++) {
        double x = decode(RK_FLOAT, 2, bits);
        bool special = (bits & 0x7c00) == 0x7c00, fraction = bits & 0x3ff;
        if (special)
            assert_true(fraction ? isnan(x) : isinf(x) && signbit(x) == (int)(bits >> 15));
        else
            assert_true(x == half_through_float((uint16_t)bits) && !signbit(x) == !(bits & 0x8000));
    }
}

static void test_known_values(void **state) {
    (void)state;
    static const struct {
        rk_element_kind kind;
        size_t size;
        uint64_t bits;
        double value;
    } known[] = {
        {RK_FLOAT, 2, 0x3555, 0.333251953125},
        {RK_FLOAT, 2, 0x7bff, 65504},
        {RK_FLOAT, 2, 0x0001, 0x1p-24},
        {RK_BFLOAT, 2, 0x3fc0, 1.5},
        {RK_BFLOAT, 2, 0xff7f, -0x1.fep127},
        {RK_FLOAT, 4, 0x00000001, 0x1p-149},
        {RK_FLOAT, 4, 0xc0490fdb, -3.1415927410125732},
        {RK_FLOAT, 8, 0x400921fb54442d18, M_PI},
        {RK_SIGNED, 1, 0x80, -128},
        {RK_SIGNED, 1, 0xff, -1},
        {RK_SIGNED, 2, 0x7fff, 32767},
        {RK_SIGNED, 4, 0x80000000, -2147483648.0},
        {RK_SIGNED, 8, 0x8000000000000000, -0x1p63},
        {RK_SIGNED, 8, 0xffffffffffffffff, -1},
        {RK_UNSIGNED, 1, 0xff, 255},
        {RK_UNSIGNED, 8, 0x20000000000000, 9007199254740992.0},
        {RK_UNSIGNED, 8, 0xffffffffffffffff, 0x1p64},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_true(decode(known[i].kind, known[i].size, known[i].bits) == known[i].value);
    assert_true(isinf(decode(RK_BFLOAT, 2, 0x7f80)));
    assert_true(isnan(decode(RK_FLOAT, 4, 0x7fc00000)));
}

static void test_stored_doubles_come_back(void **state) {
    (void)state;
    static const double values[] = {0, -0.0, 1.0 / 3, -5e-324, 1e308};
    for (size_t i = 0; i < 5; i++) {
        unsigned char bytes[8];
        double back;
        rk_store_double(bytes, values[i]);
        rk_element_decode((rk_element){RK_FLOAT, 8, false}, bytes, 1, &back);
        assert_memory_equal(&back, &values[i], sizeof back);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_half),
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_stored_doubles_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

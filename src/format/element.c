#include "format/element.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static uint64_t load(rk_element element, const unsigned char *bytes) {
    uint64_t bits = 0;
    for (size_t i = 0; i < element.size; i++)
        bits = bits << 8 | bytes[element.big_endian ? i : element.size - 1 - i];
    return bits;
}

static double float_from_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static double double_from_bits(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static double half_from_bits(unsigned bits) {
    int exponent = (int)(bits >> 10 & 31);
    double fraction = bits & 1023;
    double magnitude = exponent == 31  ? (fraction != 0 ? NAN : INFINITY)
                       : exponent == 0 ? ldexp(fraction, -24)
                                       : ldexp(1024 + fraction, exponent - 25);
    return bits >> 15 ? -magnitude : magnitude;
}

static double signed_from_bits(uint64_t bits, size_t size) {
    uint64_t sign = UINT64_C(1) << (8 * size - 1);
    return bits & sign ? -(double)((sign - 1 - (bits & (sign - 1))) + 1) : (double)bits;
}

static double value(rk_element element, uint64_t bits) {
    switch (element.kind) {
    case RK_SIGNED:
        return signed_from_bits(bits, element.size);
    case RK_UNSIGNED:
        return (double)bits;
    case RK_BFLOAT:
        return float_from_bits((uint32_t)bits << 16);
    case RK_FLOAT:
        break;
    }
    return element.size == 8   ? double_from_bits(bits)
           : element.size == 4 ? float_from_bits((uint32_t)bits)
                               : half_from_bits((unsigned)bits);
}

void rk_element_decode(rk_element element, const unsigned char *bytes, size_t count, double *out) {
    for (size_t i = 0; i < count; i++, bytes += element.size)
        out[i] = value(element, load(element, bytes));
}

void rk_store_double(unsigned char bytes[8], double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(bits >> (8 * i));
}

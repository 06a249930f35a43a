#include "sample/bases.h"

#include "base/simd.h"

#include <assert.h>
#include <stdbool.h>

size_t rk_bases_dimension(size_t n) {
    size_t dimension = RK_BASES_MIN;
    while (dimension < n)
        dimension *= 4;
    assert(dimension <= RK_BASES_MAX);
    return dimension;
}

/* A coordinate x < N = 2^(t+1) is a bit e and an element y of GF(2^t), t odd: x = e 2^t + y. */
static unsigned degree_of(size_t dimension) {
    unsigned t = 0;
    while (((size_t)2 << t) < dimension)
        t++;
    return t;
}

/* x y in GF(2^t), modulo an irreducible polynomial. */
static size_t multiply(unsigned t, size_t x, size_t y) {
    static const size_t modulus[] = {
        [3] = 0xb, [5] = 0x25, [7] = 0x83, [9] = 0x203, [11] = 0x805, [13] = 0x201b};
    size_t product = 0;
    for (; y; y >>= 1) {
        if (y & 1) product ^= x;
        x <<= 1;
        if (x >> t & 1) x ^= modulus[t];
    }
    return product;
}

enum { TRACE = 1, QUADRATIC = 2 };

/* Tr(y) = sum of y^(2^i) over i < t; Q(y) = sum of Tr(y^(2^i + 1)) over 1 <= i <= (t - 1) / 2. */
void rk_bases_fill(size_t dimension, unsigned char *table) {
    const unsigned t = degree_of(dimension);
    for (size_t y = 0; y < rk_bases_table(dimension); y++) {
        size_t trace = 0, power = y;
        for (unsigned i = 0; i < t; i++, power = multiply(t, power, power))
            trace ^= power;
        table[y] = trace ? TRACE : 0;
    }
    for (size_t y = 0; y < rk_bases_table(dimension); y++) {
        size_t sum = 0, power = y;
        for (unsigned i = 1; i <= (t - 1) / 2; i++) {
            power = multiply(t, power, power);
            sum ^= multiply(t, power, y);
        }
        if (table[sum] & TRACE) table[y] |= QUADRATIC; /* the trace is additive */
    }
}

/* Q_a(e, y) = Q(a y) + e Tr(a y). */
static bool is_negative(size_t dimension, const unsigned char *table, size_t a, size_t x) {
    const unsigned t = degree_of(dimension);
    const size_t e = x >> t, y = x & (dimension / 2 - 1), form = table[multiply(t, y, a)];
    return (form & QUADRATIC ? 1 : 0) ^ (e && form & TRACE);
}

static bool parity(size_t x) {
    bool odd = false;
    for (; x; x &= x - 1)
        odd = !odd;
    return odd;
}

/* out += x or -x, or = instead of +=. */
RK_HOT static void add_row(size_t m, bool fresh, float sign, const float *restrict x,
                           float *restrict out) {
    for (size_t i = 0; i < m; i++)
        out[i] = (fresh ? 0 : out[i]) + sign * x[i];
}

/* Two stages of the transform at once, which halves the traffic. */
RK_HOT static void butterfly(size_t m, float *restrict a, float *restrict b, float *restrict c,
                             float *restrict d) {
    for (size_t i = 0; i < m; i++) {
        const float sum = a[i] + b[i], difference = a[i] - b[i];
        const float other_sum = c[i] + d[i], other_difference = c[i] - d[i];
        a[i] = sum + other_sum;
        b[i] = difference + other_difference;
        c[i] = sum - other_sum;
        d[i] = difference - other_difference;
    }
}

void rk_bases_products(size_t dimension, const unsigned char *table, size_t basis, size_t first,
                       size_t rows, size_t m, const float *a, float *out) {
    if (basis == dimension / 2) { /* sqrt(N) is a power of two */
        float root = 1;
        while ((size_t)(root * root) < dimension)
            root *= 2;
        for (size_t r = 0; r < rows; r++)
            add_row(m, true, root, a + (first + r) * m, out + r * m);
        return;
    }
    /* H of N is the Kronecker product of H of N / rows, of which we want one row, and of H of rows
     */
    for (size_t x = 0; x < dimension; x++) {
        const bool negative =
            is_negative(dimension, table, basis, x) != parity(x / rows & first / rows);
        add_row(m, x < rows, negative ? -1 : 1, a + x * m, out + x % rows * m);
    }
    for (size_t step = 1; step < rows; step *= 4)
        for (size_t group = 0; group < rows; group += 4 * step)
            for (size_t r = group; r < group + step; r++)
                butterfly(m, out + r * m, out + (r + step) * m, out + (r + 2 * step) * m,
                          out + (r + 3 * step) * m);
}

/* Sums in a fixed order that vector units can follow. */
#ifndef RK_BASE_SUM_H
#define RK_BASE_SUM_H

#include <stddef.h>

/** x_0 + ... + x_{count-1}, in eight interleaved partial sums: same bits everywhere. */
static inline double rk_sum(size_t count, const double *x) {
    double part[8] = {0};
    size_t i = 0;
    for (; i + 8 <= count; i += 8)
        for (size_t lane = 0; lane < 8; lane++)
            part[lane] += x[i + lane];
    for (; i < count; i++)
        part[i % 8] += x[i];
    return ((part[0] + part[1]) + (part[2] + part[3])) +
           ((part[4] + part[5]) + (part[6] + part[7]));
}

/** x . y, summed the same way. */
static inline double rk_dot(size_t count, const double *x, const double *y) {
    double part[8] = {0};
    size_t i = 0;
    for (; i + 8 <= count; i += 8)
        for (size_t lane = 0; lane < 8; lane++)
            part[lane] += x[i + lane] * y[i + lane];
    for (; i < count; i++)
        part[i % 8] += x[i] * y[i];
    return rk_sum(8, part);
}

#endif

#include "support/differences.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants some of the above */
#include <cmocka.h>

/* Four points: the error is O(h^4). */
static double difference(double *x, double (*f)(void *context), void *context) {
    const double at = *x, h = 1e-4 * fmax(1e-2, fabs(at));
    double values[4];
    static const double steps[] = {1, -1, 2, -2};
    for (int k = 0; k < 4; k++) {
        *x = at + steps[k] * h;
        values[k] = f(context);
    }
    *x = at;
    return (8 * (values[0] - values[1]) - (values[2] - values[3])) / (12 * h);
}

void assert_gradient(const char *what, size_t n, double *x, const double *gradient,
                     double (*f)(void *context), void *context, double tolerance) {
    double largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(gradient[i]));
    for (size_t i = 0; i < n; i++) {
        const double expected = difference(x + i, f, context);
        if (!(fabs(gradient[i] - expected) <= tolerance * largest))
            fail_msg("%s: entry %zu is %.12g, by differences %.12g", what, i, gradient[i],
                     expected);
    }
}

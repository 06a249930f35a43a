/* Gradients against central differences. */
#ifndef TEST_DIFFERENCES_H
#define TEST_DIFFERENCES_H

#include <stddef.h>

/** Fails the running test unless d f / d x[i] by differences of a few steps is gradient[i], i < n,
 *  each to `tolerance` of the largest of them. `f` sees x with one entry moved; `what` names it. */
void assert_gradient(const char *what, size_t n, double *x, const double *gradient,
                     double (*f)(void *context), void *context, double tolerance);

#endif

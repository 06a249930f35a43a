/* A kernel with its way back as a function of numbers, to be held against differences of itself. */
#ifndef RK_SUPPORT_KERNEL_H
#define RK_SUPPORT_KERNEL_H

#include "third/legs.h"

/* All are of N neurons. */
enum { N = 6, SQUARE = N * N };

/* A kernel as a function of numbers x: fills y (n_y); with `bar`, y's adjoint, also x_bar. */
typedef struct kernel {
    const char *name;
    void (*run)(rk_work *work, const struct kernel *kernel, const double *x, double *y,
                const double *bar, double *x_bar);
    size_t n_x, n_y;
    int kind;
    double size; /* of x */
    double step, tolerance;
} kernel;

/* Takes numbers from a list, or puts them there, in the order in which it is asked. */
typedef struct list {
    double *next;
} list;

void list_get(list *from, size_t n, double *x);
void list_get_symmetric(list *from, double *x); /* N x N */
void list_put(list *to, size_t n, double *x);

rk_legs kernel_matrix(rk_work *work, size_t cols); /* N x cols, double */
double *kernel_vector(rk_work *work);              /* N */

/** Fails where x_bar is not what differences say. */
void kernel_check(const kernel *k);

#endif

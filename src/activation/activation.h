/* Activations: values and Gaussian (Wick) coefficients, one table.
 *
 * CONTRIBUTING.md#how-to-add lists what a new one touches. */
#ifndef RK_ACTIVATION_ACTIVATION_H
#define RK_ACTIVATION_ACTIVATION_H

#include "base/status.h"

/** Largest orders anyone asks for: K = 4 augmented needs k = 8 and p = 6, and gradients two more
 *  derivatives. */
enum { RK_WICK_MAX_K = 16, RK_WICK_MAX_P = 6 };

enum { RK_NO_DEGREE = -1 };

typedef struct rk_activation_ops {
    const char *name;
    int degree; /* phi(c z) = c^degree phi(z) for every c > 0; RK_NO_DEGREE: it has units */
    rk_activation_kind asymptote; /* piecewise: what it is far from zero; RK_CUSTOM: not known */
    /** h_i = phi(z_i); `z` and `h` may be the same array. */
    void (*value)(const rk_activation *self, size_t n, const double *z, double *h);
    void (*value_float)(const rk_activation *self, size_t n, const float *z, float *h);
    /** d_i = phi'(z_i), at a kink that of one side, at a jump 0; not in place. */
    void (*slope)(const rk_activation *self, size_t n, const double *z, double *d);
    /** As rk_wick. */
    void (*wick)(const rk_activation *self, size_t n, const double *mu, const double *var,
                 int k_max, int p_max, double *centre, double *w);
} rk_activation_ops;

/** Never NULL for a kind below RK_ACTIVATION_COUNT. */
const rk_activation_ops *rk_activation_get(rk_activation_kind kind);

/** Wick coefficients of n neurons about their value at the mean (docs/MATH.md#wick): centre[i] =
 *  phi(mu_i) and w[p-1][k][i] = E[d^k/dz^k (phi(Z) - centre_i)^p], Z ~ N(mu_i, var_i), for k =
 *  0..k_max, p = 1..p_max: no digit is lost where the mean is large against the deviation. Without
 *  variance, which is what a negative one counts as, derivatives are those of phi at mu_i. Fails on
 *  nothing: NaN in, NaN out. */
void rk_wick(const rk_activation *activation, size_t n, const double *mu, const double *var,
             int k_max, int p_max, double *centre, double *w);

/** Index into what rk_wick fills: coefficient (k, p) of neuron 0. */
static inline size_t rk_wick_at(size_t n, int k_max, int k, int p) {
    return ((size_t)(p - 1) * (size_t)(k_max + 1) + (size_t)k) * n;
}

/** Coefficients about c become those about c - shift, n of each: of (phi - c + shift)^p. */
void rk_wick_shift(size_t n, int k_max, int p_max, const double *shift, double *w);

/** The same coefficients about zero: E[d^k/dz^k phi(Z)^p]; the centres become 0. */
void rk_wick_about_zero(size_t n, int k_max, int p_max, double *centre, double *w);

/** E[d^k/dz^k phi(Z)^p] for Z ~ N(mu, var), about zero: one coefficient, for set-up code. */
double rk_wick_one(const rk_activation *activation, double mu, double var, int k, int p);

/** "leaky_relu:0.01": the text that rk_activation_parse reads back. */
typedef struct rk_activation_text {
    char text[64];
} rk_activation_text;
const char *rk_activation_format(const rk_activation *activation, rk_activation_text *out);

#endif

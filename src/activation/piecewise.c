#include "activation/piecewise.h"

#include "activation/vector_math.h"

#include <assert.h>
#include <cerf.h>
#include <math.h>

#define VALUE(name, type, suffix, expression)                                                      \
    void rk_##name##_value##suffix(const rk_activation *self, size_t n, const type *x, type *h) {  \
        const type slope = (type)self->parameter;                                                  \
        (void)slope;                                                                               \
        for (size_t i = 0; i < n; i++) {                                                           \
            const type z = x[i];                                                                   \
            h[i] = expression;                                                                     \
        }                                                                                          \
    }
#define VALUES(name, expression)                                                                   \
    VALUE(name, double, , expression)                                                              \
    VALUE(name, float, _float, expression)
RK_PIECEWISE_LIST(VALUES)

/* phi(z) = right z^degree for z > 0 and left z^degree for z < 0. */
typedef struct shape {
    int degree;
    double left, right;
} shape;

static shape shape_of(const rk_activation *self) {
    switch (self->kind) {
    case RK_HEAVISIDE:
        return (shape){0, 0, 1};
    case RK_SIGN:
        return (shape){0, -1, 1};
    case RK_RELU:
        return (shape){1, 0, 1};
    case RK_LEAKY_RELU:
        return (shape){1, self->parameter, 1};
    case RK_ABS:
        return (shape){1, -1, 1};
    case RK_IDENTITY:
        return (shape){1, 1, 1};
    case RK_SQUARE:
        return (shape){2, 1, 1};
    case RK_CUBE:
        return (shape){3, 1, 1};
    default:
        assert(false && "a piecewise activation");
        return (shape){0, 0, 0};
    }
}

/* Neurons are taken in blocks of a fixed size, so that every loop over them is a vector loop. */
enum { BLOCK = 32, LOWEST = -RK_WICK_MAX_K, HIGHEST = 3 * RK_WICK_MAX_P };

/* A ladder holds E[d-th antiderivative of f] for a block, rungs d = LOWEST..HIGHEST, negative d
 * being derivatives. For f = 1 and for f = [z > 0] antiderivatives are z^d/d!, on either the whole
 * line or the right half, and all of them obey d l_d = mu l_{d-1} + var l_{d-2}. */
typedef double ladder[HIGHEST - LOWEST + 1][BLOCK];

static double *rung(ladder l, int d) {
    return l[d - LOWEST];
}

typedef struct block {
    double mu[BLOCK], var[BLOCK];
} block;

/* From rungs 0 and -1 up to `highest` and down to `lowest`. */
static void climb(const block *b, int lowest, int highest, ladder l) {
    for (int d = 1; d <= highest; d++) {
        double *next = rung(l, d), *last = rung(l, d - 1), *before = rung(l, d - 2);
        for (int i = 0; i < BLOCK; i++)
            next[i] = (b->mu[i] * last[i] + b->var[i] * before[i]) * (1.0 / d);
    }
    for (int d = -2; d >= lowest; d--) {
        double *next = rung(l, d), *last = rung(l, d + 1), *before = rung(l, d + 2);
        for (int i = 0; i < BLOCK; i++)
            next[i] = ((d + 2) * before[i] - b->mu[i] * last[i]) / b->var[i];
    }
}

static void whole_line(const block *b, int lowest, int highest, ladder l) {
    for (int i = 0; i < BLOCK; i++) {
        rung(l, 0)[i] = 1;
        rung(l, -1)[i] = 0;
    }
    climb(b, lowest, highest, l);
}

/* Far left of zero the upward recurrence subtracts nearly equal numbers: the sequence sought is its
 * smallest solution. Ratios of neighbours, started from anything far enough up, come down stably.
 * How far does not depend on `highest`, so that asking for more rungs does not change a bit. */
static void climb_from_afar(double mu, double var, double alpha, int highest, int i, ladder l) {
    double ratio[HIGHEST + 1], r = 0;
    for (int d = HIGHEST + 8 + (int)(22 * 22 / (alpha * alpha)); d > 0; d--) {
        r = var / (d * r - mu); /* l_{d-1} / l_{d-2} */
        if (d - 1 <= highest) ratio[d - 1] = r;
    }
    for (int d = 0; d <= highest; d++)
        rung(l, d)[i] = ratio[d] * rung(l, d - 1)[i];
}

static void right_half(const block *b, int lowest, int highest, ladder l) {
    double sigma[BLOCK], alpha[BLOCK], bell[BLOCK];
    for (int i = 0; i < BLOCK; i++) {
        sigma[i] = sqrt(b->var[i]);
        alpha[i] = b->mu[i] / sigma[i];
        bell[i] = -0.5 * alpha[i] * alpha[i];
    }
    rk_vector_exp(BLOCK, bell);
    for (int i = 0; i < BLOCK; i++) {
        const double tail = 0.5 * bell[i] * erfcx(fabs(alpha[i]) * M_SQRT1_2);
        rung(l, 0)[i] = alpha[i] < 0 ? tail : 1 - tail;
        rung(l, -1)[i] = bell[i] * (0.5 * M_2_SQRTPI * M_SQRT1_2) / sigma[i];
    }
    climb(b, lowest, highest, l);
    for (int i = 0; i < BLOCK; i++)
        if (alpha[i] < -2) climb_from_afar(b->mu[i], b->var[i], alpha[i], highest, i, l);
}

/* An absent term is absent even where it overflows. */
static double scaled(double factor, double x) {
    return factor == 0 ? 0 : factor * x;
}

/* phi^p = left^p z^q + (right^p - left^p) [z > 0] z^q with q = p degree: both terms are q! times an
 * antiderivative of order q, and the k-th derivative is q - k rungs up. Equal sides leave an exact
 * zero, so that polynomials stay free of the singular part. */
void rk_piecewise_wick(const rk_activation *self, size_t n, const double *mu, const double *var,
                       int k_max, int p_max, double *w, size_t stride) {
    const shape s = shape_of(self);
    const int lowest = s.degree - k_max, highest = s.degree * p_max;
    const bool smooth = s.left == s.right;
    ladder whole = {{0}}, half = {{0}};
    for (size_t first = 0; first < n; first += BLOCK) {
        const int count = n - first < BLOCK ? (int)(n - first) : BLOCK;
        block b;
        for (int i = 0; i < BLOCK; i++) {
            b.mu[i] = i < count ? mu[first + (size_t)i] : 0;
            b.var[i] = i < count ? var[first + (size_t)i] : 1;
        }
        if (s.left != 0) whole_line(&b, lowest, highest, whole);
        if (!smooth) right_half(&b, lowest, highest, half);

        double *row = w + first;
        double left = 1, right = 1, factorial = 1;
        for (int p = 1; p <= p_max; p++) {
            left *= s.left;
            right *= s.right;
            for (int j = 0; j < s.degree; j++)
                factorial *= s.degree * p - j;
            const double of_whole = factorial * left, of_half = factorial * (right - left);
            for (int k = 0; k <= k_max; k++, row += stride) {
                const double *on_whole = rung(whole, s.degree * p - k);
                const double *on_half = rung(half, s.degree * p - k);
                for (int i = 0; i < count; i++)
                    row[i] = scaled(of_whole, on_whole[i]) + scaled(of_half, on_half[i]);
            }
        }
    }
}

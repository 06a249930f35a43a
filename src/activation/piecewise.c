#include "activation/piecewise.h"

#include "activation/local.h"
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

/* A ladder holds E[d-th antiderivative of f] for a block, f = [z > 0], rungs d = LOWEST..HIGHEST,
 * negative d being derivatives. Antiderivatives are z^d/d! on the right half, and all rungs obey
 * d l_d = mu l_{d-1} + var l_{d-2}. */
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

/* mu <= 0. Without variance nothing reaches the right half. */
static void right_half(const block *b, int lowest, int highest, ladder l) {
    block spread = *b;
    double sigma[BLOCK], alpha[BLOCK], bell[BLOCK];
    for (int i = 0; i < BLOCK; i++) {
        const bool still = b->var[i] == 0;
        if (still) spread.var[i] = 1;
        sigma[i] = sqrt(spread.var[i]);
        alpha[i] = still ? -(double)INFINITY : b->mu[i] / sigma[i];
        bell[i] = -0.5 * alpha[i] * alpha[i];
    }
    rk_vector_exp(BLOCK, bell);
    for (int i = 0; i < BLOCK; i++) {
        rung(l, 0)[i] = 0.5 * bell[i] * erfcx(-alpha[i] * M_SQRT1_2);
        rung(l, -1)[i] = bell[i] * (0.5 * M_2_SQRTPI * M_SQRT1_2) / sigma[i];
    }
    climb(&spread, lowest, highest, l);
    for (int i = 0; i < BLOCK; i++)
        if (alpha[i] < -2 && b->var[i] > 0)
            climb_from_afar(b->mu[i], b->var[i], alpha[i], highest, i, l);
}

/* The side of zero where the mean is goes on as a polynomial over the whole line, */
typedef struct side {
    double near, far; /* phi(z) = near z^degree on this side, far z^degree beyond zero */
    double mirror;    /* -1: beyond zero is the left half */
    double centre;    /* phi(mu) */
} side;

static side side_of(const shape *s, double mu) {
    const bool right = mu > 0;
    side at = {right ? s->right : s->left, right ? s->left : s->right, right ? -1 : 1, 0};
    at.centre = at.near;
    for (int j = 0; j < s->degree; j++)
        at.centre *= mu;
    return at;
}

/* phi - centre there, in powers of z - mu. */
static void expand(const shape *s, const side *at, double mu, double q[RK_LOCAL_DEGREE]) {
    const double x = s->degree > 1 ? mu : 0;
    q[0] = s->degree == 0 ? 0
                          : at->near * (s->degree == 1   ? 1
                                        : s->degree == 2 ? 2 * x
                                                         : 3 * x * x);
    q[1] = s->degree < 2 ? 0 : at->near * (s->degree == 2 ? 1 : 3 * x);
    q[2] = s->degree < 3 ? 0 : at->near;
}

/* An absent term is absent even where it overflows. */
static double scaled(double factor, double x) {
    return factor == 0 ? 0 : factor * x;
}

/* and what phi^p is else beyond zero is a polynomial on that half: the sum over j of (p over j)
 * (far^j - near^j) z^(j degree) (-centre)^(p - j). */
static void add_beyond(const shape *s, const side *at, ladder half, int i, int k_max, int p_max,
                       double *w, size_t stride) {
    double centre[RK_WICK_MAX_P + 1] = {1}, factor[RK_WICK_MAX_P + 1], near = 1, far = 1;
    double factorial = 1;
    for (int j = 1; j <= p_max; j++) {
        near *= at->near;
        far *= at->far;
        for (int d = 0; d < s->degree; d++)
            factorial *= s->degree * j - d;
        factor[j] = factorial * (far - near);
        centre[j] = -centre[j - 1] * at->centre;
    }
    for (int p = 1; p <= p_max; p++)
        for (int k = 0; k <= k_max; k++, w += stride) {
            double binomial = 1, sum = 0;
            for (int j = p; j >= 1; j--) {
                const int q = s->degree * j;
                const double sign = (q - k) % 2 ? at->mirror : 1;
                sum += scaled(binomial * factor[j] * centre[p - j] * sign, rung(half, q - k)[i]);
                binomial = binomial * j / (p - j + 1);
            }
            *w += sum;
        }
}

void rk_piecewise_wick(const rk_activation *self, size_t n, const double *mu, const double *var,
                       int k_max, int p_max, double *centre, double *w) {
    const shape s = shape_of(self);
    const int lowest = s.degree - k_max, highest = s.degree * p_max;
    const bool kinked = s.left != s.right;
    ladder half = {{0}};
    for (size_t first = 0; first < n; first += BLOCK) {
        const int count = n - first < BLOCK ? (int)(n - first) : BLOCK;
        block b;
        for (int i = 0; i < BLOCK; i++) {
            b.mu[i] = i < count ? -fabs(mu[first + (size_t)i]) : 0;
            b.var[i] = i < count ? var[first + (size_t)i] : 1;
            if (b.var[i] < 0) b.var[i] = 0;
        }
        if (kinked) right_half(&b, lowest, highest, half);
        for (int i = 0; i < count; i++) {
            const size_t at = first + (size_t)i;
            const side here = side_of(&s, mu[at]);
            double q[RK_LOCAL_DEGREE];
            expand(&s, &here, mu[at], q);
            rk_local_wick(q, b.var[i], k_max, p_max, w + at, n);
            if (kinked) add_beyond(&s, &here, half, i, k_max, p_max, w + at, n);
            centre[at] = here.centre;
            if (b.var[i] == 0) rk_activation_get(self->kind)->value(self, 1, mu + at, centre + at);
        }
    }
}

#include "activation/piecewise.h"

#include "activation/local.h"
#include "activation/vector_math.h"

#include <assert.h>
#include <cerf.h>
#include <math.h>

#define EACH(name, type, expression)                                                               \
    void rk_##name(const rk_activation *self, size_t n, const type *x, type *out) {                \
        const type left = (type)self->parameter;                                                   \
        (void)left;                                                                                \
        for (size_t i = 0; i < n; i++) {                                                           \
            const type z = x[i];                                                                   \
            (void)z;                                                                               \
            out[i] = expression;                                                                   \
        }                                                                                          \
    }
#define FUNCTIONS(name, value, slope)                                                              \
    EACH(name##_value, double, value)                                                              \
    EACH(name##_value_float, float, value)                                                         \
    EACH(name##_slope, double, slope)
RK_PIECEWISE_LIST(FUNCTIONS)

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

/* The side of zero where the mean is goes on as a polynomial over the whole line, and what phi is
 * else beyond zero is a polynomial on that half. */
typedef struct sides {
    double near[BLOCK], far[BLOCK]; /* phi(z) = near z^degree on this side, far z^degree beyond */
    double mirror[BLOCK];           /* -1: beyond zero is the left half */
    double centre[BLOCK];           /* phi(mu) */
} sides;

static void find_sides(const shape *s, const double *mu, int count, sides *at) {
    for (int i = 0; i < BLOCK; i++) {
        const double x = i < count ? mu[i] : 0;
        const bool right = x > 0;
        at->near[i] = right ? s->right : s->left;
        at->far[i] = right ? s->left : s->right;
        at->mirror[i] = right ? -1 : 1;
        at->centre[i] = at->near[i] * (s->degree > 0 ? x : 1);
        for (int j = 1; j < s->degree; j++)
            at->centre[i] *= x;
    }
}

/* Without a kink: phi - centre in powers of z - mu. */
static void smooth_wick(const shape *s, double mu, double var, int k_max, int p_max, double *w,
                        size_t stride) {
    const double b = s->right;
    const double q[][RK_LOCAL_DEGREE] = {
        {0, 0, 0}, {b, 0, 0}, {2 * b * mu, b, 0}, {3 * b * mu * mu, 3 * b * mu, b}};
    rk_local_wick(q[s->degree], var, k_max, p_max, w, stride);
}

/* With one, degree 0 or 1: phi - centre is near (z - mu), and phi^p beyond zero more than that by
 * the sum over j of (p over j) (far^j - near^j) z^(j degree) (-centre)^(p - j). */
static void kinked_wick(const shape *s, const sides *at, const block *b, ladder half, int count,
                        int k_max, int p_max, double *w, size_t stride) {
    double power[RK_WICK_MAX_P + 1][BLOCK], beyond[RK_WICK_MAX_P + 1][BLOCK];
    double near[RK_WICK_MAX_P + 1][BLOCK], far[BLOCK];
    double moment[RK_WICK_MAX_P + 1][BLOCK]; /* E[(z - mu)^d/d!], d even */
    double factorial = 1;
    for (int i = 0; i < BLOCK; i++)
        power[0][i] = near[0][i] = far[i] = moment[0][i] = 1;
    for (int p = 1; p <= p_max; p++) {
        if (s->degree > 0) factorial *= p;
        for (int i = 0; i < BLOCK; i++) {
            power[p][i] = -power[p - 1][i] * at->centre[i];
            near[p][i] = near[p - 1][i] * at->near[i];
            far[i] *= at->far[i];
            beyond[p][i] = factorial * (far[i] - near[p][i]);
            moment[p][i] = p % 2 ? 0 : moment[p - 2][i] * b->var[i] / p;
        }
        double binomial = 1, weight[RK_WICK_MAX_P + 1][BLOCK];
        for (int j = p; j >= 1; j--) {
            for (int i = 0; i < BLOCK; i++)
                weight[j][i] = binomial * beyond[j][i] * power[p - j][i];
            binomial = binomial * j / (p - j + 1);
        }
        for (int k = 0; k <= k_max; k++, w += stride) {
            double sum[BLOCK];
            const bool has_main = s->degree > 0 && k <= p && (p - k) % 2 == 0;
            for (int i = 0; i < BLOCK; i++)
                sum[i] = has_main ? factorial * near[p][i] * moment[p - k][i] : 0;
            for (int j = p; j >= 1; j--) {
                const int q = s->degree * j - k;
                const double *on_half = rung(half, q);
                for (int i = 0; i < BLOCK; i++) { /* an absent term is absent where it overflows */
                    const double term = weight[j][i] * (q % 2 ? at->mirror[i] : 1) * on_half[i];
                    sum[i] += weight[j][i] == 0 ? 0 : term;
                }
            }
            for (int i = 0; i < count; i++)
                w[i] = sum[i];
        }
    }
}

/* At a jump phi has a value that neither side has: sign(0) = 0. */
static void centre_on_value(const rk_activation *self, double mu, double var, int k_max, int p_max,
                            size_t stride, double *centre, double *w) {
    double value, own[(RK_WICK_MAX_K + 1) * RK_WICK_MAX_P];
    rk_activation_get(self->kind)->value(self, 1, &mu, &value);
    const double shift = *centre - value;
    *centre = value;
    if (shift == 0 || var == 0 || isnan(shift)) return; /* without variance nothing is about it */
    const size_t count = (size_t)(k_max + 1) * (size_t)p_max;
    for (size_t c = 0; c < count; c++)
        own[c] = w[c * stride];
    rk_wick_shift(1, k_max, p_max, &shift, own);
    for (size_t c = 0; c < count; c++)
        w[c * stride] = own[c];
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
        sides at;
        for (int i = 0; i < BLOCK; i++) {
            b.mu[i] = i < count ? -fabs(mu[first + (size_t)i]) : 0;
            b.var[i] = i < count ? var[first + (size_t)i] : 1;
            if (b.var[i] < 0) b.var[i] = 0;
        }
        find_sides(&s, mu + first, count, &at);
        if (kinked) {
            right_half(&b, lowest, highest, half);
            kinked_wick(&s, &at, &b, half, count, k_max, p_max, w + first, n);
        }
        for (int i = 0; i < count; i++) {
            const size_t j = first + (size_t)i;
            if (!kinked) smooth_wick(&s, mu[j], b.var[i], k_max, p_max, w + j, n);
            centre[j] = at.centre[i];
            if (s.degree == 0)
                centre_on_value(self, mu[j], b.var[i], k_max, p_max, n, centre + j, w + j);
        }
    }
}

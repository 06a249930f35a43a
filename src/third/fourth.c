#include "third/fourth.h"

#include "base/simd.h"
#include "base/sum.h"

#include <math.h>

rk_followed_fourth rk_followed_fourth_take(rk_work *work, size_t width, size_t bent, bool in_double,
                                           size_t reach, bool each) {
    rk_followed_fourth followed = {
        .reach = reach,
        .k22 = rk_legs_take(work, in_double, each ? bent : 0, bent),
        .scratch = rk_fourth_scratch_take(work, width, bent, in_double, each),
        .k4_carried = rk_work_doubles(work, width, 1),
        .var = rk_work_doubles(work, width, 1),
        .var_before = rk_work_doubles(work, width, 1),
    };
    for (size_t age = 0; age < reach; age++) {
        followed.born[age] = rk_newborn_fourth_take(work, width, bent, in_double, each);
        followed.H[age] = rk_legs_take(work, in_double, width, width);
        followed.G[age] = rk_legs_take(work, in_double, width, width);
        if (age > 0) followed.T_below[age] = rk_legs_take(work, in_double, width, width);
    }
    return followed;
}

void rk_followed_fourth_keep(rk_work *work, size_t n, size_t l, const rk_slices *z,
                             const rk_neurons *neurons, rk_followed_fourth *followed) {
    if (!rk_work_charge(work, 10 * (uint64_t)n)) return;
    double core = 0, metric = 0, both = 0, k4 = 0;
    for (size_t i = 0; i < n; i++) {
        double square = neurons->w.k1[i] * neurons->w.k1[i];
        core += square * z->core[i];
        metric += square * z->metric[i];
        both += square * square * z->core[i] * z->metric[i];
        k4 += square * square * z->k4[i];
    }
    double total = rk_sum(n, neurons->k4) + rk_sum(n, neurons->k22);
    double old = k4 + 1. / 3 * (core * metric - both);
    double kept = l > 0 && total > 0 ? old / total : 0;
    followed->kept[l % followed->reach] = fmin(fmax(kept, 0), 1);
}

double rk_followed_fourth_share(const rk_followed_fourth *followed, size_t l) {
    double old = 1;
    for (size_t age = 1; age < followed->reach && age <= l; age++)
        old *= followed->kept[(l - age) % followed->reach];
    return 1 - old;
}

enum { ROWS = 16, CHUNK = 256 };

void rk_followed_fourth_join(rk_work *work, size_t bent, size_t heard, const rk_legs *H,
                             const double *w1, const rk_legs *G) {
    if (!rk_work_charge(work, 2 * (uint64_t)bent * heard)) return;
    double h[CHUNK], g[CHUNK], sum[CHUNK];
    for (size_t i = 0; i < bent; i++)
        for (size_t j = 0; j < heard; j += CHUNK) {
            size_t count = rk_legs_within(heard, j, CHUNK);
            const double *old = rk_legs_read(H, i, j, count, h);
            const double *born = rk_legs_read(G, i, j, count, g);
            for (size_t r = 0; r < count; r++)
                sum[r] = born[r] + old[r] * w1[j + r];
            rk_legs_write(G, i, j, count, sum);
        }
}

typedef struct ageing {
    size_t n, width;
    const rk_legs *p;
    const double *c;
    double *var;
} ageing;

static void age_rows(void *context, size_t block) {
    const ageing *x = context;
    size_t first = block * ROWS, last = x->n - first < ROWS ? x->n : first + ROWS;
    double buffer[CHUNK], term[CHUNK];
    for (size_t i = first; i < last; i++)
        for (size_t r = 0; r < x->width; r += CHUNK) {
            size_t count = rk_legs_within(x->width, r, CHUNK);
            const double *p = rk_legs_read(x->p, i, r, count, buffer);
            for (size_t k = 0; k < count; k++)
                term[k] = p[k] * p[k] * x->c[r + k];
            x->var[i] -= rk_sum(count, term);
        }
}

void rk_followed_fourth_age(rk_work *work, size_t n, size_t width, const rk_legs *p,
                            const double *c, double *var) {
    ageing job = {n, width, p, c, var};
    if (rk_work_charge(work, 3 * (uint64_t)n * width))
        rk_pool_run(work->pool, rk_pool_blocks(n, ROWS), age_rows, &job);
}

/* By bench/regeneration, on seven relu networks without biases, 128 and 256 wide, of 16 layers. */
static const rk_amplitude fitted = {.far = 1.575, .gap = 0.08, .ratio = 0.85};

typedef struct variances {
    const rk_layer *layer;
    const double *h, *z;
    double lambda, *core;
} variances;

/* The diagonal of lambda times what W makes of C without its diagonal. */
static void add_coherent_rows(void *context, size_t block) {
    const variances *x = context;
    size_t n = x->layer->rows, k = x->layer->cols, first = block * ROWS;
    size_t last = n - first < ROWS ? n : first + ROWS;
    for (size_t i = first; i < last; i++) {
        const double *W = x->layer->weight + i * k;
        double own = 0;
        for (size_t j = 0; j < k; j++)
            own += W[j] * W[j] * x->h[j];
        x->core[i] += x->lambda * (x->z[i] - own);
    }
}

void rk_regenerate(rk_work *work, const rk_amplitude *amplitude, size_t l, const rk_layer *layer,
                   const double *var_h, const double *var, rk_slices *z) {
    size_t n = layer->rows;
    if (!rk_work_charge(work, 5 * (uint64_t)n * layer->cols)) return;
    if (!amplitude) amplitude = &fitted;
    double c = amplitude->far - amplitude->gap * pow(amplitude->ratio, (double)l - 1);
    double total = rk_sum(n, var), lambda = total > 0 ? c * rk_sum(n, z->core) / total : 0;
    *z->coherence = lambda * rk_sum(n, z->metric) / (2 * (double)n); /* fitted where that is 1 */
    variances x = {layer, var_h, var, lambda, z->core};
    rk_pool_run(work->pool, rk_pool_blocks(n, ROWS), add_coherent_rows, &x);
}

typedef struct feeding {
    size_t n, heard, bent;
    const double *var, *C, *feed;
    const rk_legs *residual;
} feeding;

RK_HOT static void take_off_rows(void *context, size_t block) {
    const feeding *x = context;
    const double *var = x->var, *feed = x->feed;
    size_t n = x->n, first = block * ROWS, last = x->heard - first < ROWS ? x->heard : first + ROWS;
    double buffer[CHUNK], left[CHUNK];
    for (size_t i = first; i < last; i++)
        for (size_t from = 0; from < x->bent; from += CHUNK) {
            size_t count = rk_legs_within(x->bent, from, CHUNK);
            const double *C = x->C + i * n + from;
            const double *residual = rk_legs_read(x->residual, i, from, count, buffer);
            RK_INDEPENDENT
            for (size_t k = 0; k < count; k++)
                left[k] = residual[k] - feed[i] * var[from + k] - 2 * feed[from + k] * C[k];
            if (from <= i && i < from + count) left[i - from] = residual[i - from];
            rk_legs_write(x->residual, i, from, count, left);
        }
}

void rk_regenerated_feed(rk_work *work, size_t n, size_t heard, const rk_slices *z,
                         const rk_neurons *neurons, const double *C, const rk_source *newborn,
                         const rk_legs *residual, rk_tilt *tilt) {
    if (!rk_work_charge(work, 6 * (uint64_t)n * n)) return;
    for (size_t i = 0; i < n; i++) {
        tilt->core[i] = neurons->k4[i] + neurons->k22[i];
        tilt->feed[i] = 0.5 * *z->coherence * neurons->w.k2[i];
    }
    rk_core_of_traces(n, tilt->core);
    for (size_t i = 0; i < newborn->width; i++)
        newborn->s[i] -= tilt->feed[i] * neurons->var[i];
    feeding x = {n, heard, newborn->width, neurons->var, C, tilt->feed, residual};
    rk_pool_run(work->pool, rk_pool_blocks(heard, ROWS), take_off_rows, &x);
}

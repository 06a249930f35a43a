#include "propagate/regenerated.h"

#include "base/simd.h"
#include "base/sum.h"

#include <math.h>

enum { ROWS = 16, CHUNK = 256 };

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

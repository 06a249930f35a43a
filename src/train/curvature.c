#include "train/curvature.h"

#include "linalg/blas.h"
#include "propagate/back.h"

/* How finely Q_ii is told: slopes E phi'^2 = sum_k k (the k-th term of Var phi) / var. */
static const rk_pairs_spec TERMS = {RK_PAIRS_COMPLETED, 4};

rk_curvature rk_curvature_take(rk_work *work, const rk_network *net) {
    const size_t n = rk_network_max_width(net);
    return (rk_curvature){.product = rk_work_doubles(work, n, n),
                          .N = rk_work_doubles(work, n, n),
                          .G = rk_work_doubles(work, n, n),
                          .side = rk_pairs_side_take(work, &TERMS, n),
                          .var_h = rk_work_doubles(work, n, 1),
                          .m = rk_work_doubles(work, n, 1),
                          .centre = rk_work_doubles(work, n, 1),
                          .w = rk_work_doubles(work, n, 6)};
}

static void set_identity(rk_work *work, size_t n, double *I) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < n * n; i++)
        I[i] = i % (n + 1) == 0;
}

/* N of what `layer` reads from its G; NULL: 1. */
static void pull(rk_work *work, rk_curvature *c, const rk_layer *layer, const double *G,
                 double *N) {
    const size_t m = layer->rows, n = layer->cols;
    if (!layer->weight) {
        if (G)
            rk_set(work, n * n, G, N);
        else
            set_identity(work, n, N);
        return;
    }
    const double *GW = layer->weight;
    if (G) {
        rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, m, n, m, 1, G, m, layer->weight, n, 0, c->product,
                n);
        GW = c->product;
    }
    rk_gemm_symmetric(work, RK_TRANS, RK_NO_TRANS, n, m, 1, layer->weight, n, GW, n, 0, N, n);
}

static void multiply(rk_work *work, size_t n, const rk_pairs_side *side, const double *N,
                     double *G) {
    const size_t terms = (size_t)TERMS.order + 1;
    if (!rk_work_charge(work, 2 * (uint64_t)n * (n + terms))) return;
    for (size_t i = 0; i < n; i++) {
        double own = 0;
        for (size_t j = 0; j < n; j++)
            G[i * n + j] = N[i * n + j] * side->g[i] * side->g[j];
        for (size_t t = 0; t < terms; t++)
            own += (double)(t + 1) * side->g[t * n + i] * side->g[t * n + i];
        G[i * n + i] = N[i * n + i] * own;
    }
}

/* G of z from c->N of what `activation` makes of it. */
static void activate(rk_work *work, rk_curvature *c, const rk_activation *activation, size_t n,
                     rk_marginals z, const double *N, double *G) {
    rk_wick_step(work, activation, n, z.mu, z.var, 2, 2, c->centre, c->w);
    rk_wick_moments(work, n, 2, c->centre, c->w, c->m, c->var_h);
    rk_pairs_side_prepare(work, &TERMS, activation, n, z.mu, z.var, c->w + rk_wick_at(n, 2, 1, 1),
                          c->var_h, &c->side);
    multiply(work, n, &c->side, N, G);
}

void rk_curvature_descend(rk_work *work, rk_curvature *c, const rk_network *net,
                          const rk_tape *tape, size_t l, bool last) {
    const rk_layer *above = &net->layers[l + 1], *layer = &net->layers[l];
    pull(work, c, above, last ? NULL : c->G, c->N);
    if (last && layer->activation.kind == RK_IDENTITY) /* the tape ends before it */
        rk_set(work, layer->rows * layer->rows, c->N, c->G);
    else
        activate(work, c, &layer->activation, layer->rows, rk_covariance_marginals(tape, l), c->N,
                 c->G);
}

void rk_curvature_fill(rk_work *work, rk_curvature *c, const rk_network *net, const rk_input *input,
                       rk_tape *tape, rk_moments last, rk_kfac *kfac) {
    const size_t depth = net->n_layers - 1;
    for (size_t l = depth + 1; l-- > 0;) {
        const size_t rows = net->layers[l].rows;
        if (l < depth) rk_curvature_descend(work, c, net, tape, l, l + 1 == depth);
        if (l >= kfac->n_layers || !rk_kfac_G(kfac, l)) continue;
        rk_moments read = {input->mean, input->covariance};
        if (l == depth) read = last;
        if (l > 0 && l < depth) read = rk_covariance_read(tape, l);
        rk_kfac_set_inputs(work, kfac, l, read.m, read.C);
        if (l < depth)
            rk_set(work, rows * rows, c->G, rk_kfac_G(kfac, l));
        else
            set_identity(work, rows, rk_kfac_G(kfac, l));
    }
}

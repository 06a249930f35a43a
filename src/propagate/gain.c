#include "propagate/gain.h"

#include "base/gamma.h"
#include "base/simd.h"
#include "base/sum.h"
#include "base/sweep.h"
#include "linalg/blas.h"
#include "propagate/gain_state.h"

#include <math.h>

enum { TERMS = RK_GAIN_TERMS, BLOCK_ROWS = RK_GAIN_ROWS, CHUNK = RK_GAIN_CHUNK };

static rk_gain_layer take_activations(rk_work *work, size_t width) {
    rk_gain_layer h = {.mean = rk_work_doubles(work, width, 1),
                       .var = rk_work_doubles(work, width, 1),
                       .C = rk_work_doubles(work, width, width),
                       .R = rk_work_doubles(work, width, width),
                       .A = rk_work_doubles(work, TERMS + 1, width),
                       .B = rk_work_doubles(work, TERMS + 1, width),
                       .k3 = rk_work_doubles(work, width, 1),
                       .k4 = rk_work_doubles(work, width, 1)};
    return h;
}

typedef struct couples {
    const rk_layer *layer;
    const double *w, *q;
    rk_gain_coupling *c;
} couples;

static void couple_columns(void *context, size_t first, size_t last) {
    const couples *x = context;
    const rk_gain_coupling *c = x->c;
    size_t m = x->layer->rows, n = x->layer->cols;
    for (size_t j = first; j < last; j++)
        c->u[j] = c->v[j] = c->t[j] = 0;
    for (size_t i = 0; i < m; i++) {
        const double *row = x->layer->weight + i * n;
        double inverse = x->q[i] > 0 ? 1 / x->q[i] : 0, ratio = x->w[i] * inverse;
        for (size_t j = first; j < last; j++) {
            double square = row[j] * row[j] * inverse;
            c->u[j] += square;
            c->v[j] += square * square;
            c->t[j] += row[j] * ratio;
        }
    }
}

/* q = E z^2 given gain 1, z of mean w. */
static void second_moments(rk_work *work, size_t n, const double *var, const double *w, double *q) {
    if (!rk_work_charge(work, 2 * n)) return;
    for (size_t i = 0; i < n; i++)
        q[i] = var[i] + w[i] * w[i];
}

void rk_gain_couple(rk_gain_state *s, const rk_layer *layer, const double *mu, const double *var) {
    couples x = {layer, mu, s->q, &s->coupling};
    second_moments(s->work, layer->rows, var, mu, s->q);
    if (rk_work_charge(s->work, 8 * (uint64_t)layer->rows * layer->cols))
        rk_sweep(s->work->pool, layer->cols, layer->rows, couple_columns, &x);
}

/* Sum of Cov(z_i^2, z_j^2) / (q_i q_j) over pairs i != j of the next layer, z = W h: the part of it
 * that means a common gain (docs/MATH.md#gain). */
typedef struct pairs {
    const rk_gain_layer *h;
    const rk_gain_coupling *c;
    double *partial; /* one a block */
} pairs;

/* The sum over k of u B_k,i sum_j R_ij^k (u B_k,j + 4 t A_k,j): columns [start, start + count). */
RK_HOT_PART double series(const pairs *p, size_t i, size_t start, size_t count) {
    const rk_gain_layer *h = p->h;
    const double *restrict R = h->R + i * h->n + start;
    const double *restrict u = p->c->u + start, *restrict t = p->c->t + start;
    double power[CHUNK], part[8] = {0}, sum = 0;
    for (size_t j = 0; j < count; j++)
        power[j] = 1;
    for (size_t k = 1; k <= TERMS; k++) {
        const double *restrict A = h->A + k * h->n + start, *restrict B = h->B + k * h->n + start;
        size_t j = 0;
        for (size_t lane = 0; lane < 8; lane++)
            part[lane] = 0;
        for (; j + 8 <= count; j += 8)
            for (size_t lane = j; lane < j + 8; lane++) {
                power[lane] *= R[lane];
                part[lane - j] += power[lane] * (u[lane] * B[lane] + 4 * t[lane] * A[lane]);
            }
        for (; j < count; j++) {
            power[j] *= R[j];
            part[0] += power[j] * (u[j] * B[j] + 4 * t[j] * A[j]);
        }
        sum += h->B[k * h->n + i] * rk_sum(8, part);
    }
    return p->c->u[i] * sum;
}

RK_HOT static void sum_pairs(void *context, size_t block) {
    const pairs *p = context;
    size_t n = p->h->n, first = block * BLOCK_ROWS;
    size_t last = first + BLOCK_ROWS < n ? first + BLOCK_ROWS : n;
    const double *restrict u = p->c->u;
    double sum = 0, term[CHUNK];
    for (size_t i = first; i < last; i++) {
        const double *restrict C = p->h->C + i * n;
        for (size_t start = 0; start < n; start += CHUNK) {
            size_t count = n - start < CHUNK ? n - start : CHUNK;
            for (size_t j = 0; j < count; j++)
                term[j] = u[start + j] * C[start + j] * C[start + j];
            if (start <= i && i < start + count) term[i - start] = 0;
            sum += series(p, i, start, count) - 2 * u[i] * rk_sum(count, term);
        }
    }
    p->partial[block] = sum;
}

static double spread_of_gain(rk_work *work, const rk_gain_layer *h, const rk_gain_coupling *c) {
    size_t n = h->n, n_blocks = rk_pool_blocks(n, BLOCK_ROWS), mark = rk_work_mark(work);
    pairs p = {h, c, rk_work_doubles(work, n_blocks, 1)};
    double total = 0;
    if (rk_work_charge(work, (uint64_t)n * n * (4 + 6 * TERMS))) {
        rk_pool_run(work->pool, n_blocks, sum_pairs, &p);
        for (size_t b = 0; b < n_blocks; b++)
            total += p.partial[b];
        for (size_t j = 0; j < n; j++)
            total += h->k4[j] * (c->u[j] * c->u[j] - c->v[j]) + 4 * h->k3[j] * c->u[j] * c->t[j];
    }
    rk_work_release(work, mark);
    return total;
}

/* E G for a chi-distributed gain with E G^2 = 1, Var G^2 = gamma. */
static double mean_gain(double gamma) {
    if (!(gamma > 1e-12)) return 1;
    double k = 1 / gamma;
    return exp(rk_log_gamma(k + 0.5) - rk_log_gamma(k) - 0.5 * log(k));
}

/* A_j, B_j over sqrt(j!) and the cumulants of one layer from its Wick coefficients, of which there
 * are `more` than that takes. */
static void expand(rk_work *work, size_t n, const double *var, const double *centre,
                   const double *w, const double *high, int more, rk_gain_layer *h) {
    h->n = n;
    if (!rk_work_charge(work, (uint64_t)n * (6 * TERMS + 30))) return;
    const size_t next = (size_t)(more + 1) * n;
    const double *E1 = high, *E2 = high + next, *E3 = high + 2 * next, *E4 = high + 3 * next;
    for (size_t i = 0; i < n; i++) {
        double m = E1[i], v = fmax(0, E2[i] - m * m);
        h->mean[i] = centre[i] + m;
        h->var[i] = v;
        h->k3[i] = E3[i] - 3 * m * E2[i] + 2 * m * m * m;
        h->k4[i] = E4[i] - 4 * m * E3[i] + 6 * m * m * E2[i] - 3 * m * m * m * m - 3 * v * v;
    }
    for (size_t i = 0; i < n; i++) {
        double scale = 1, sd = sqrt(var[i]);
        for (int j = 1; j <= TERMS; j++) {
            size_t at = (size_t)j * n + i;
            scale *= sd / sqrt((double)j);
            h->A[at] = scale * w[rk_wick_at(n, TERMS + more, j, 1) + i];
            h->B[at] = scale * w[rk_wick_at(n, TERMS + more, j, 2) + i] - 2 * E1[i] * h->A[at];
        }
    }
}

/* C = exact covariance of phi of Gaussian pairs of covariance Z, which becomes the correlation R.
 */
typedef struct bivariate {
    rk_gain_layer *h;
    const double *inverse_sd; /* of y; 0 where there is no variance */
} bivariate;

RK_HOT static void bivariate_rows(void *context, size_t block) {
    const bivariate *b = context;
    const rk_gain_layer *h = b->h;
    size_t n = h->n, first = block * BLOCK_ROWS;
    size_t last = first + BLOCK_ROWS < n ? first + BLOCK_ROWS : n;
    for (size_t i = first; i < last; i++) {
        double *restrict R = h->R + i * n, *restrict C = h->C + i * n;
        double inverse = b->inverse_sd[i];
        for (size_t j = 0; j < n; j++) {
            double rho = R[j] * inverse * b->inverse_sd[j];
            R[j] = rho < -1 ? -1 : rho > 1 ? 1 : rho;
            C[j] = 0;
        }
        R[i] = 0;
        for (size_t k = TERMS; k >= 1; k--) {
            const double *restrict A = h->A + k * n;
            double own = A[i];
            for (size_t j = 0; j < n; j++)
                C[j] = (C[j] + own * A[j]) * R[j];
        }
        C[i] = h->var[i];
    }
}

static void invert(rk_work *work, size_t n, const double *var, double *inverse_sd) {
    if (!rk_work_charge(work, 2 * n)) return;
    for (size_t i = 0; i < n; i++)
        inverse_sd[i] = var[i] > 0 ? 1 / sqrt(var[i]) : 0;
}

void rk_gain_activate(rk_gain_state *s, const rk_activation *phi, size_t n, const double *mu,
                      double *var, bool full, int more, rk_gain_layer *h) {
    rk_wick_step(s->work, phi, n, mu, var, TERMS + more, 2, s->centre, s->wick);
    rk_wick_step(s->work, phi, n, mu, var, more, 4, s->centre, s->powers);
    expand(s->work, n, var, s->centre, s->wick, s->powers, more, h);
    invert(s->work, n, var, s->inverse_sd);
    bivariate b = {h, s->inverse_sd};
    if (full && rk_work_charge(s->work, (uint64_t)n * n * (3 * TERMS + 4)))
        rk_pool_run(s->work->pool, rk_pool_blocks(n, BLOCK_ROWS), bivariate_rows, &b);
}

/* Where the record of layer l begins. */
static size_t record_at(const rk_network *net, size_t l) {
    size_t at = 0;
    for (size_t k = 0; k < l; k++)
        at += net->layers[k].rows * (net->layers[k].rows + 2) + 2;
    return at;
}

rk_gain_record rk_gain_record_of(const rk_gain_state *s, size_t l) {
    const rk_network *net = &s->chain->net;
    const size_t n = net->layers[l].rows;
    double *first = s->records + record_at(net, l), *var = first + n, *gamma = var + n;
    return (rk_gain_record){first, var, gamma, gamma + 1, gamma + 2};
}

static void keep_record(const rk_gain_state *s, const rk_stage *stage, const double *Z) {
    const size_t n = stage->layer->rows;
    const rk_gain_record r = rk_gain_record_of(s, stage->l);
    rk_set(s->work, n, s->mu, r.mu);
    rk_set(s->work, n, s->var, r.var);
    rk_set(s->work, 1, &s->gamma, r.gamma);
    rk_set(s->work, 1, &s->gain, r.gain);
    if (Z) rk_set(s->work, n * n, Z, r.Z);
}

_Static_assert(sizeof(rk_gain_state) <= RK_TAPE_STATE, "a tape holds it");

static const char *name(void *context, const rk_stage *stage) {
    (void)context, (void)stage;
    return "gain";
}

/* A homogeneous network has biases in its first layer, and in a last one without activation: those
 * wait for `restore`. */
static void affine(void *context, const rk_stage *stage, rk_view *view) {
    rk_gain_state *s = context;
    const rk_layer *layer = stage->layer;
    size_t n = layer->rows;
    rk_gain_layer *next = &s->layer[1 - s->present];
    bool full = stage->need != RK_NEED_MEAN;
    rk_gemv(s->work, n, layer->cols, layer->weight, s->m, stage->l ? NULL : layer->bias, s->mu);
    if (full) {
        rk_congruence(s->work, n, layer->cols, layer->weight, s->C, s->scratch, next->R);
        rk_diagonal(s->work, n, next->R, s->var);
    } else if (stage->activated) {
        rk_variances(s->work, layer, s->C, s->scratch, s->var);
    }
    view->mu = view->mean = s->mu;
    view->var = full ? s->var : NULL;
    view->var_z = s->var;
    view->C = full ? next->R : NULL;
    view->C_in = s->C;
}

bool rk_gain_takes(const rk_stage *stage) {
    return stage->activated && stage->l > 0 && stage->layer->rows > 1;
}

/* The gain that the activations below this layer have made leaves z = G y. The input has none. */
static void take_gain(rk_gain_state *s, const rk_stage *stage, double *C) {
    size_t n = stage->layer->rows;
    if (!rk_gain_takes(stage)) return;
    rk_gain_couple(s, stage->layer, s->mu, s->var);
    s->gamma += spread_of_gain(s->work, &s->layer[s->present], &s->coupling) /
                ((double)n * ((double)n - 1));
    double before = s->gain;
    s->gain = mean_gain(s->gamma);
    rk_rescale(s->work, n, before / s->gain, s->mu, s->var, C);
}

static void activate(void *context, const rk_stage *stage, rk_view *view) {
    rk_gain_state *s = context;
    const size_t n = stage->layer->rows;
    rk_gain_layer *h = &s->layer[1 - s->present];
    bool full = view->C != NULL;
    take_gain(s, stage, view->C);
    if (s->chain->recorded) keep_record(s, stage, view->C);
    rk_gain_activate(s, &stage->layer->activation, n, s->mu, s->var, full, 0, h);
    s->present = 1 - s->present;
    s->m = h->mean;
    s->C = h->C;
    *view = (rk_view){.mean = h->mean,
                      .var = h->var,
                      .C = full ? h->C : NULL,
                      .scale = s->gain,
                      .C_in = view->C_in,
                      .mu = s->mu,
                      .var_z = s->var,
                      .wick = s->wick,
                      .centre = s->centre,
                      .k_max = TERMS,
                      .p_max = 2,
                      .slope = s->wick + rk_wick_at(n, TERMS, 1, 1)};
}

static void add(rk_work *work, size_t n, const double *bias, double *mean) {
    if (!bias || !rk_work_charge(work, n)) return;
    for (size_t i = 0; i < n; i++)
        mean[i] += bias[i];
}

static void restore(void *context, const rk_stage *stage, rk_view *view, rk_outputs *outputs) {
    const rk_gain_state *s = context;
    size_t n = stage->layer->rows;
    if (s->chain->recorded && !stage->activated) keep_record(s, stage, NULL);
    rk_rescale(s->work, n, s->gain, view->mean, outputs->variance, view->C);
    if (stage->l > 0) add(s->work, n, stage->layer->bias, view->mean);
}

static const rk_law law = {.knows_pairs = true,
                           .name = name,
                           .affine = affine,
                           .activate = activate,
                           .restore = restore,
                           .back = &rk_gain_back};

static rk_gain_coupling take_coupling(rk_work *work, size_t width) {
    return (rk_gain_coupling){.u = rk_work_doubles(work, width, 1),
                              .v = rk_work_doubles(work, width, 1),
                              .t = rk_work_doubles(work, width, 1)};
}

static rk_gain_adjoints take_adjoints(rk_work *work, const rk_chain *chain, size_t width) {
    return (rk_gain_adjoints){.h = rk_bars_take(work, &chain->net, chain->input_covariance),
                              .A = rk_work_doubles(work, TERMS + 1, width),
                              .B = rk_work_doubles(work, TERMS + 1, width),
                              .k3 = rk_work_doubles(work, width, 1),
                              .k4 = rk_work_doubles(work, width, 1),
                              .uB = rk_work_doubles(work, TERMS + 1, width),
                              .tA = rk_work_doubles(work, TERMS + 1, width),
                              .c = take_coupling(work, width),
                              .q = rk_work_doubles(work, width, 1),
                              .x = rk_work_doubles(work, width, 1)};
}

static void start(rk_work *work, const rk_chain *chain, rk_gain_state *s) {
    const rk_network *net = &chain->net;
    const size_t width = rk_network_max_rows(net), n_in = rk_network_n_in(net);
    const size_t more = chain->recorded ? 2 : 0;
    *s = (rk_gain_state){
        .work = work,
        .chain = chain,
        .layer = {take_activations(work, width), take_activations(work, width)},
        .C = chain->input->covariance,
        .m_in = rk_work_doubles(work, n_in, 1),
        .mu = rk_work_doubles(work, width, 1),
        .var = rk_work_doubles(work, width, 1),
        .q = rk_work_doubles(work, width, 1),
        .scratch = rk_congruence_scratch(work, net, chain->input),
        .wick = rk_work_doubles(work, 2 * (TERMS + more + 1), width),
        .powers = rk_work_doubles(work, 4 * (more + 1), width),
        .centre = rk_work_doubles(work, width, 1),
        .inverse_sd = rk_work_doubles(work, width, 1),
        .coupling = take_coupling(work, width),
        .gain = 1,
    };
    if (chain->recorded) {
        s->records = rk_work_doubles(work, record_at(net, net->n_layers), 1);
        s->bar = take_adjoints(work, chain, width);
    }
    s->m = s->m_in;
    rk_input_mean(work, n_in, chain->input, s->m_in);
}

void rk_propagate_gain(rk_work *work, const rk_network *net, const rk_input *input,
                       rk_outputs *outputs, rk_tape *tape) {
    rk_chain plain = rk_chain_start(work, net, input, outputs);
    rk_chain *chain = tape ? rk_tape_start(tape, &law, plain) : &plain;
    rk_gain_state here, *s = tape ? (rk_gain_state *)tape->state.bytes : &here;
    start(work, chain, s);
    rk_chain_run(chain, &law, s);
}

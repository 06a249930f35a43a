#include "third/back.h"

#include "base/sum.h"
#include "linalg/blas.h"
#include "propagate/chain.h"

#include <string.h>

static void ones(rk_work *work, size_t n, double *x) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < n; i++)
        x[i] = 1;
}

/* What carries the third and the fourth cumulant. */
static void take_sources(rk_third *c) {
    rk_work *work = c->work;
    const rk_third_spec *spec = c->spec;
    bool in_double = spec->double_legs;
    size_t width = c->width, n_sources = c->n_sources;
    size_t rank = rk_third_rank(c, width), cols = 2 * width + rank + 1, bent = 0;
    for (size_t s = 0; s < n_sources; s++)
        if (rk_third_role(c, s).bent > bent) bent = rk_third_role(c, s).bent;
    c->slot = width * (2 * bent + rank + 1);
    c->M = rk_work_doubles(work, width, width);
    c->z.D = rk_legs_take(work, in_double, width, width);
    if (rk_third_follows(c)) {
        c->followed = rk_followed_fourth_take(work, width, bent, in_double, spec->reach,
                                              spec->fourth == RK_FOURTH_FULL);
        c->z.K31 = rk_legs_take(work, in_double, width, width);
        c->z.k4 = rk_work_doubles(work, width, 1);
        rk_third_zero(work, width, c->z.k4);
    }
    c->T = rk_legs_take(work, in_double, width, width);
    c->T_slope = rk_legs_take(work, in_double, width, width);
    c->born = rk_legs_take(work, in_double, rk_third_copies(c) * width, bent + rank + 1);
    c->slicing.left = rk_legs_take(work, in_double, width, cols);
    c->slicing.square = rk_legs_take(work, in_double, width, rank < width ? width : 0);
    for (size_t s = 0; s < n_sources; s++)
        for (size_t l = s + 1; l <= n_sources; l++)
            if (rk_third_span(c, s, l) > c->span) c->span = rk_third_span(c, s, l);
    c->unfolded = rk_legs_take(work, in_double, c->span ? width : 0, cols);
    c->K = rk_legs_take(work, in_double, n_sources * c->span, 2 * width);
    c->legs = rk_legs_take(work, in_double, rk_third_slots(c), c->slot);
    c->L = rk_legs_take(work, in_double, n_sources * rank, rank < width ? width : 0);
    c->statics = rk_work_doubles(work, 4 * n_sources, width);
}

static void start(rk_work *work, const rk_chain *chain, const rk_third_spec *spec,
                  rk_third *state) {
    const rk_network *net = &chain->net;
    rk_third c = {.work = work,
                  .net = net,
                  .input = chain->input,
                  .outputs = chain->outputs,
                  .spec = spec,
                  .own = *spec,
                  .recorded = chain->recorded};
    size_t scratch = 0, width = 0;
    for (size_t l = 0; l < net->n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        if (layer->rows > width) width = layer->rows;
        if (layer->rows * layer->cols > scratch) scratch = layer->rows * layer->cols;
        c.n_sources += rk_chain_stage(chain, l).need == RK_NEED_ALL;
    }
    c.width = width;
    if (width * width > scratch) scratch = width * width;
    c.terms = rk_third_follows(&c)   ? RK_PAIRS_FOURTH
              : rk_third_fitted(&c)  ? RK_PAIRS_REGENERATED
              : rk_third_carries(&c) ? RK_PAIRS_AUGMENTED
                                     : RK_PAIRS_SIMPLE;
    c.mu = rk_work_doubles(work, width, 1);
    c.var = rk_work_doubles(work, width, 1);
    c.C = rk_work_doubles(work, width, width);
    c.C_next = rk_work_doubles(work, width, width);
    c.scratch = rk_work_doubles(work, scratch, 1);
    c.neurons = rk_neurons_take(work, width, rk_third_follows(&c));
    c.tilt = rk_tilt_take(work, width, spec->fourth == RK_FOURTH_ZERO);
    c.z.core = rk_work_doubles(work, width, 1);
    c.z.metric = rk_work_doubles(work, width, 1);
    c.z.d3 = rk_work_doubles(work, width, 1);
    c.z.core_scale = c.tilt.core;
    c.z.coherence = rk_work_doubles(work, 1, 1);
    rk_third_zero(work, width, c.z.core); /* a Gaussian has none of these */
    ones(work, width, c.z.metric);
    rk_third_zero(work, width, c.z.d3);
    rk_third_zero(work, width, c.tilt.core);
    rk_third_zero(work, width, c.tilt.a);
    rk_third_zero(work, 1, c.tilt.gain);
    rk_third_zero(work, 1, c.z.coherence);
    c.y = rk_work_doubles(work, width, 1);
    c.y_z = rk_work_doubles(work, width, 1);
    rk_third_zero(work, width, c.y_z);
    c.z.y = c.y_z;
    if (spec->roles) c.labels = rk_relabelling_take(work, net);
    if (c.n_sources > 0) take_sources(&c);
    if (c.recorded) {
        c.records = rk_third_records_take(&c);
        c.back = rk_third_back_take(&c, chain);
    }
    *state = c;
    state->spec = &state->own;
}

static void swap_covariances(rk_third *c) {
    double *swap = c->C;
    c->C = c->C_next;
    c->C_next = swap;
}

/* Mean and variance of z, and if `pairs` its covariance. */
static void second_linear(rk_third *c, const rk_layer *layer, bool var, bool pairs) {
    size_t n = layer->rows, k = layer->cols;
    rk_gemv(c->work, n, k, layer->weight, c->m, layer->bias, c->mu);
    if (pairs) {
        rk_congruence(c->work, n, k, layer->weight, c->C_in, c->scratch, c->C_next);
        rk_diagonal(c->work, n, c->C_next, c->var);
        swap_covariances(c);
    } else if (var) {
        rk_variances(c->work, layer, c->C_in, c->scratch, c->var);
    }
}

/* The layer's neurons in the order of their roles, whose means and variances are known, and with
 * `pairs` covariances. */
static void order_neurons(rk_third *c, size_t l, bool pairs) {
    rk_relabelling *labels = &c->labels;
    size_t n = labels->layer.rows;
    rk_roles_order(c->work, &labels->layer.activation, n, c->mu, c->var, rk_third_role(c, l),
                   labels->rows);
    rk_relabelling_apply(c->work, labels, c->scratch);
    rk_reorder(c->work, labels->rows, n, c->mu, c->scratch);
    rk_reorder(c->work, labels->rows, n, c->var, c->scratch);
    if (!pairs) return;
    rk_reorder_pairs(c->work, labels->rows, n, c->C, c->C_next);
    swap_covariances(c);
}

/* Without more: the core is the identity times the total of the fourth cumulant. */
static void average_core(rk_third *c, size_t n) {
    if (!rk_work_charge(c->work, 2 * n)) return;
    double total = rk_sum(n, c->neurons.k4) + rk_sum(n, c->neurons.k22);
    for (size_t i = 0; i < n; i++)
        c->tilt.core[i] = 3 * total / ((double)n * ((double)n + 2));
}

/* The tilt feeds the third cumulant Sym C_ij b_k, b = -6 C a. All such terms together stay so with
 * the present C, y the sum of the b, but for what C gains at later activations: that is the c of
 * their newborns. */
static void feed(rk_third *c, size_t n, const rk_source *newborn, const rk_legs *born) {
    if (!rk_work_charge(c->work, 5 * n)) return;
    const double *w1 = c->neurons.w.k1;
    for (size_t i = 0; i < newborn->width; i++)
        newborn->c[i] = c->neurons.var[i] - w1[i] * w1[i] * c->var[i];
    for (size_t i = 0; i < n; i++) {
        double before = w1[i] * c->y_z[i], taken = -before;
        rk_legs_write(born, i, newborn->width + newborn->rank, 1, &taken);
        c->y[i] = before + c->tilt.feed[i];
    }
}

/* The source born at layer l, the fourth cumulant, and the tilt. */
static void give_birth(rk_third *c, size_t l, size_t n) {
    rk_source newborn = rk_third_source(c, l, l, 0);
    size_t heard = rk_third_role(c, l).heard, bent = newborn.width;
    rk_legs born = rk_third_born(c, l), z = rk_legs_view(born, bent, born.stride);
    bool exact = newborn.rank == bent;
    rk_legs residual = exact ? z : rk_legs_view(c->slicing.square, 0, bent);
    rk_pair_cumulants *fourth = rk_third_follows(c) ? rk_third_fourth_born(c, l) : NULL;
    rk_pairs_step(c->work, n, &c->z, c->terms, &c->neurons, c->C, heard, &newborn, &born, &residual,
                  fourth);
    if (rk_third_fitted(c))
        rk_regenerated_feed(c->work, n, heard, &c->z, &c->neurons, c->C, &newborn, &residual,
                            &c->tilt);
    if (!exact) {
        rk_legs thin = rk_legs_view(c->slicing.left, 0, heard);
        rk_residual_compress(c->work, heard, bent, newborn.rank, residual, thin, c->scratch, z,
                             newborn.L);
    }
    if (rk_third_carries(c)) {
        if (c->spec->tilt == RK_TILT_ON) rk_tilt_step(c->work, n, &c->neurons, c->C, &c->tilt);
        if (rk_third_follows(c)) rk_third_keep_fourth(c, l, n, bent);
        feed(c, n, &newborn, &born);
    } else {
        average_core(c, n);
    }
    if (c->spec->fourth == RK_FOURTH_ZERO) rk_third_zero(c->work, n, c->tilt.core);
}

static const char *name(void *context, const rk_stage *stage) {
    static const char *const names[] = {"mean", "covariance", "third cumulant"};
    (void)context;
    return names[stage->need];
}

static const rk_layer *enter(void *context, const rk_stage *stage) {
    rk_third *c = context;
    return c->spec->roles ? rk_relabelling_enter(c->work, stage->layer, &c->labels) : stage->layer;
}

static void affine(void *context, const rk_stage *stage, rk_view *view) {
    rk_third *c = context;
    bool pairs = stage->need != RK_NEED_MEAN, diagonals = rk_third_wants_diagonals(c, stage);
    view->C_in = c->C_in;
    second_linear(c, stage->layer, diagonals, pairs);
    view->mu = view->mean = c->mu;
    view->var = diagonals || pairs ? c->var : NULL;
    view->var_z = c->var;
    view->C = pairs ? c->C : NULL;
    c->m = c->mu;
    c->C_in = c->C;
}

static void higher(void *context, const rk_stage *stage) {
    rk_third *c = context;
    bool pairs = stage->need != RK_NEED_MEAN;
    if (c->spec->roles && !stage->last) order_neurons(c, stage->l, pairs);
    c->z.has_D = stage->l > 0;
    if (stage->l > 0 && rk_third_wants_diagonals(c, stage)) {
        rk_third_move(c, stage->l, stage->layer, pairs);
        rk_third_move_fourth(c, stage->l, stage->layer, pairs);
    }
    if (c->recorded) rk_third_record_z(c, stage);
}

static void activate(void *context, const rk_stage *stage, rk_view *view) {
    rk_third *c = context;
    const size_t n = stage->layer->rows;
    bool pairs = stage->need != RK_NEED_MEAN;
    rk_neurons_step(c->work, &stage->layer->activation, n, c->mu, c->var, &c->z, pairs,
                    &c->neurons);
    if (stage->need == RK_NEED_COVARIANCE)
        rk_pairs_step(c->work, n, &c->z, c->terms, &c->neurons, c->C, 0, NULL, NULL, NULL, NULL);
    if (stage->need == RK_NEED_ALL) give_birth(c, stage->l, n);
    c->m = c->neurons.m;
    c->C_in = c->C;
    if (c->recorded) rk_third_record_h(c, stage);
    *view = (rk_view){.mean = c->neurons.m,
                      .var = c->neurons.var,
                      .C = pairs ? c->C : NULL,
                      .order = c->spec->roles ? c->labels.rows : NULL,
                      .scale = 1,
                      .C_in = view->C_in,
                      .mu = c->mu,
                      .var_z = c->var,
                      .wick = c->neurons.wick,
                      .centre = c->neurons.centre,
                      .k_max = RK_NEURONS_MAX_K,
                      .p_max = 4,
                      .slope = c->neurons.wick + rk_wick_at(n, RK_NEURONS_MAX_K, 1, 1)};
}

/* The common factor that the tilt took out belongs to the variance. */
static void restore(void *context, const rk_stage *stage, rk_view *view, rk_outputs *outputs) {
    const rk_third *c = context;
    size_t n = stage->layer->rows;
    const double *m = view->mean;
    if (rk_third_carries(c) && rk_work_charge(c->work, 3 * n))
        for (size_t i = 0; i < n; i++)
            outputs->variance[i] += *c->tilt.gain * m[i] * m[i];
    if (stage->activated || !outputs->third_diagonal || !rk_work_charge(c->work, n)) return;
    for (size_t i = 0; i < n; i++) {
        outputs->third_diagonal[i] = c->z.d3[i];
        outputs->fourth_diagonal[i] = rk_slices_k4(&c->z, i);
    }
}

static const rk_law law = {.knows_pairs = true,
                           .name = name,
                           .enter = enter,
                           .affine = affine,
                           .higher = higher,
                           .activate = activate,
                           .restore = restore,
                           .back = &rk_third_law_back};

/* On a tape nothing is left out that costs only time, for what stands for it has no derivatives, or
 * has them of rounding. */
static rk_third_spec in_full(const rk_third_spec *spec) {
    rk_third_spec full = *spec;
    full.double_legs = true;
    full.rank = 0;
    full.fold = false;
    full.roles = NULL;
    return full;
}

void rk_propagate_third(rk_work *work, const rk_network *net, const rk_input *input,
                        const rk_third_spec *spec, rk_outputs *outputs, rk_tape *tape) {
    rk_chain plain = rk_chain_start(work, net, input, outputs);
    rk_chain *chain = tape ? rk_tape_start(tape, &law, plain) : &plain;
    rk_third here, *c = tape ? (rk_third *)tape->state.bytes : &here;
    const rk_third_spec full = in_full(spec);
    start(work, chain, tape ? &full : spec, c);
    double *m_in = rk_work_doubles(work, rk_network_n_in(net), 1);
    rk_input_mean(work, rk_network_n_in(net), input, m_in);
    c->m = m_in;
    c->C_in = input->covariance;
    rk_chain_run(chain, &law, c);
}

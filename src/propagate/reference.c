#include "propagate/reference.h"

#include "activation/smooth.h"
#include "base/sum.h"
#include "cumulant/expand.h"
#include "cumulant/harmonic.h"
#include "propagate/reference_factored.h"

#include <string.h>

/* --------------------------------------------------------------------------------- the input */

static void fill_constant(rk_work *work, size_t n, double value, double *x) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < n; i++)
        x[i] = value;
}

static void fill_covariance(rk_work *work, size_t n, const double *covariance, double *packed) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++)
            *packed++ = covariance[i * n + j];
}

static void fill_input_variance(rk_work *work, size_t n, const double *covariance, double *var) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < n; i++)
        var[i] = covariance ? covariance[i * n + i] : 1;
}

static void fill_third(rk_work *work, size_t n, const double *dense, double *packed) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++)
            for (size_t k = 0; k <= j; k++)
                *packed++ = dense[(i * n + j) * n + k];
}

/* The vector core of the third cumulant (augmented K = 2). */
static void project_third(rk_work *work, size_t n, const double *dense, double *core) {
    size_t mark = rk_work_mark(work);
    double *packed = rk_work_doubles(work, rk_symmetric_count(n, 3), 1);
    rk_slice family[RK_N_PARTITIONS];
    fill_third(work, n, dense, packed);
    for (int number = 0; number < RK_N_PARTITIONS; number++) {
        rk_slice *slice = &family[number];
        *slice = rk_slice_of(rk_partition_numbered(number), n);
        if (rk_vector_sum(slice->lambda) != 3 || slice->lambda.at[0] == 1) continue;
        slice->data = rk_work_doubles(work, rk_slice_count(slice), 1);
        rk_slice_from_tensor(work, slice, packed);
    }
    rk_harmonic_core(work, family, 1, 1, n, core);
    rk_work_release(work, mark);
}

static void start_from_input(rk_pass *p, const rk_input *input) {
    size_t n = rk_network_n_in(p->net);
    p->act.n = n;
    fill_input_variance(p->work, n, input->covariance, p->act_variance);
    p->act.degree[1].core = p->act_core[1];
    rk_input_mean(p->work, n, input, p->act.degree[1].core);
    if (p->table.radial[2] >= 0) {
        p->act.degree[2].core = p->act_core[2];
        if (p->table.radial[2] == 0 && input->covariance)
            fill_covariance(p->work, n, input->covariance, p->act_core[2]);
        else if (p->table.radial[2] > 0)
            fill_constant(p->work, 1, rk_average(p->work, n, p->act_variance), p->act_core[2]);
    }
    if (input->third_cumulant && p->table.radial[3] >= 0) {
        p->act.degree[3].core = p->act_core[3];
        if (p->table.radial[3] == 0)
            fill_third(p->work, n, input->third_cumulant, p->act_core[3]);
        else
            project_third(p->work, n, input->third_cumulant, p->act_core[3]);
    }
}

/* --------------------------------------------------------------------------- the linear step */

static void add_bias(rk_work *work, const rk_layer *layer, double *mean) {
    if (!layer->bias || !rk_work_charge(work, layer->rows)) return;
    for (size_t i = 0; i < layer->rows; i++)
        mean[i] += layer->bias[i];
}

static void copy_scalar(rk_work *work, const double *from, double *to) {
    if (rk_work_charge(work, 0)) *to = *from;
}

static void row_norms(rk_work *work, const rk_layer *layer, double *out) {
    size_t m = layer->rows, n = layer->cols;
    if (!rk_work_charge(work, 2 * (uint64_t)m * n)) return;
    for (size_t i = 0; i < m; i++) {
        out[i] = 0;
        for (size_t j = 0; j < n; j++)
            out[i] += layer->weight[i * n + j] * layer->weight[i * n + j];
    }
}

static void take_diagonal(rk_work *work, size_t n, const double *packed, double *diagonal) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < n; i++)
        diagonal[i] = packed[rk_simplex(i, 2) + i];
}

/* What the identity behind the radial parts becomes. */
static void transform_metric(rk_pass *p, size_t l, const rk_layer *layer) {
    size_t m = layer->rows;
    bool average = p->spec->metric == RK_METRIC_AVERAGE && l + 1 < p->net->n_layers;
    p->pre.metric_diagonal = p->metric_diagonal;
    p->pre.metric_pairs = average ? NULL : p->metric_pairs; /* K = 1 has none */
    if (average) {
        fill_constant(p->work, m, rk_network_weight_scale(p->net, l), p->metric_diagonal);
    } else if (p->metric_pairs) {
        rk_symmetric_gram(p->work, m, layer->cols, layer->weight, p->metric_pairs);
        take_diagonal(p->work, m, p->metric_pairs, p->metric_diagonal);
    } else {
        row_norms(p->work, layer, p->metric_diagonal);
    }
}

/* `white`: the covariance that comes in is the identity, and not written out. */
static void linear_step(rk_pass *p, size_t l, const rk_layer *layer, bool white, int depth) {
    bool radial = false;
    p->pre.n = layer->rows;
    for (int d = 1; d <= RK_MAX_DEGREE; d++) {
        const rk_cumulant *from = &p->act.degree[d];
        rk_cumulant *to = &p->pre.degree[d];
        to->core = from->core && d <= depth ? p->pre_core[d] : NULL;
        if (!to->core) continue;
        radial |= from->radial > 0;
        if (rk_tower_order(&p->act, d) == 0)
            copy_scalar(p->work, from->core, to->core);
        else if (white && d == 2 && from->radial == 0)
            rk_symmetric_gram(p->work, layer->rows, layer->cols, layer->weight, to->core);
        else
            rk_symmetric_transform(p->work, rk_tower_order(&p->act, d), layer->rows, layer->cols,
                                   layer->weight, from->core, to->core);
    }
    add_bias(p->work, layer, p->pre.degree[1].core);
    p->pre.factors.J = 0;
    if (p->act.factors.J > 0 && depth >= p->spec->K) p->factored->transform(p, layer);
    p->pre.metric_diagonal = p->pre.metric_pairs = NULL;
    if (radial) transform_metric(p, l, layer);
}

/* ----------------------------------------------------------------------- the activation step */

static double *take_slice(rk_pass *p, const rk_slice *slice) {
    return rk_work_doubles(p->work, rk_slice_count(slice), 1);
}

/* The slices of the core of degree d and of the metric, for the polynomials of radial slices. */
static void radial_sources(rk_pass *p, int d, rk_slice *sources) {
    size_t n = p->pre.n;
    int s = rk_tower_order(&p->pre, d);
    for (int number = 0; number < RK_N_PARTITIONS; number++) {
        rk_slice *slice = &sources[number];
        *slice = rk_slice_of(rk_partition_numbered(number), n);
        if (rk_vector_sum(slice->lambda) != s) continue;
        if (slice->lambda.at[0] == 1) {
            slice->data = p->pre.degree[d].core;
        } else {
            slice->data = take_slice(p, slice);
            rk_slice_from_tensor(p->work, slice, p->pre.degree[d].core);
        }
    }
    sources[RK_SOURCE_METRIC_DIAGONAL] = rk_slice_of((rk_vector){1, {1}}, n);
    sources[RK_SOURCE_METRIC_DIAGONAL].data = p->pre.metric_diagonal;
    sources[RK_SOURCE_METRIC_PAIRS] = rk_slice_of((rk_vector){2, {1, 1}}, n);
    sources[RK_SOURCE_METRIC_PAIRS].data = p->pre.metric_pairs;
    sources[RK_SOURCE_SCALAR] = rk_slice_of((rk_vector){.size = 0}, n);
    sources[RK_SOURCE_SCALAR].data = s == 0 ? p->pre.degree[d].core : NULL;
}

/* The slices of the pre-activations that diagrams up to degree `depth` use. */
static void read_slices(rk_pass *p, int depth, rk_slice *family) {
    for (int number = 0; number < RK_N_PARTITIONS; number++) {
        rk_slice *slice = &family[number];
        *slice = rk_slice_of(rk_partition_numbered(number), p->pre.n);
        int d = rk_vector_sum(slice->lambda);
        const rk_cumulant *cumulant = &p->pre.degree[d];
        int read_by = p->table.read_by[number];
        if (read_by == 0 || read_by > depth || !cumulant->core) continue;
        if (cumulant->radial == 0 && slice->lambda.at[0] == 1) {
            slice->data = cumulant->core;
            continue;
        }
        slice->data = take_slice(p, slice);
        if (cumulant->radial == 0) {
            rk_slice_from_tensor(p->work, slice, cumulant->core);
            continue;
        }
        size_t mark = rk_work_mark(p->work);
        rk_slice sources[RK_SOURCE_SCALAR + 1];
        radial_sources(p, d, sources);
        rk_polynomial_evaluate(p->work, p->table.radial_slice[number], sources, slice);
        rk_work_release(p->work, mark);
    }
    if (p->table.radial[2] >= 0) return;
    family[RK_SLICE_2].data = take_slice(p, &family[RK_SLICE_2]);
    fill_constant(p->work, p->pre.n, 1, family[RK_SLICE_2].data);
}

/* Not so far from zero, against the deviations, that moments about it would be all rounding. */
static bool is_near_zero(size_t n, const double *centre, const double *var) {
    static const double far = 100;
    double squares = 0;
    for (size_t i = 0; i < n; i++)
        squares += centre[i] * centre[i];
    return squares < far * far * rk_sum(n, var);
}

/* Wick coefficients of the layer, as sources behind `sources`' slices. */
static void wick_coefficients(rk_pass *p, const rk_activation *activation, rk_slice *sources) {
    size_t n = p->pre.n;
    int k_max = p->table.k_max, p_max = p->table.p_max;
    double *w = rk_work_doubles(p->work, n * (size_t)(k_max + 1), (size_t)p_max);
    rk_wick_step(p->work, activation, n, p->pre.degree[1].core, sources[RK_SLICE_2].data, k_max,
                 p_max, p->centre, w);
    const rk_activation_ops *ops = rk_activation_get(activation->kind);
    if (p->spec->hundred_nodes && ops->wick == rk_quadrature_wick && rk_work_charge(p->work, 0))
        rk_hermite_wick(activation, n, p->pre.degree[1].core, sources[RK_SLICE_2].data, k_max,
                        p_max, p->centre, w);
    /* the factored form drops diagrams of some slices only: where it matters about what */
    bool partial = p->factored && p->spec->kind == RK_REFERENCE_AUGMENT;
    if (partial && rk_work_charge(p->work, 0) &&
        is_near_zero(n, p->centre, sources[RK_SLICE_2].data))
        rk_wick_about_zero(n, k_max, p_max, p->centre, w);
    for (int i = 0; i < (k_max + 1) * p_max; i++) {
        sources[RK_SOURCE_WICK + i] = rk_slice_of((rk_vector){1, {1}}, n);
        sources[RK_SOURCE_WICK + i].data = w + (size_t)i * n;
    }
}

/* Slices of the cumulants of the activations, the variances and up to degree `depth`: power
 * cumulants by diagrams, converted in place from the highest degree down. The all-distinct slices
 * of fully tracked degrees are computed where their tensors live. */
static void write_slices(rk_pass *p, const rk_slice *sources, int depth, rk_slice *family) {
    size_t n = p->pre.n;
    for (int number = 0; number < RK_N_PARTITIONS; number++) {
        rk_slice *slice = &family[number];
        *slice = rk_slice_of(rk_partition_numbered(number), n);
        int d = rk_vector_sum(slice->lambda);
        if (!p->table.power[number] || (d > depth && number != RK_SLICE_2)) continue;
        bool in_place = p->table.radial[d] == 0 && slice->lambda.at[0] == 1;
        slice->data = in_place               ? p->act_core[d]
                      : number == RK_SLICE_2 ? p->act_variance
                                             : take_slice(p, slice);
        rk_polynomial_evaluate(p->work, p->table.power[number], sources, slice);
    }
    for (int number = RK_N_PARTITIONS - 1; number >= 0; number--)
        if (family[number].data && p->table.conversion[number])
            rk_polynomial_evaluate(p->work, p->table.conversion[number], family, &family[number]);
}

/* The tower of the activations from its slices. */
static void project(rk_pass *p, const rk_slice *family, int depth) {
    p->act.n = p->pre.n;
    for (int d = 1; d <= RK_MAX_DEGREE; d++) {
        rk_cumulant *cumulant = &p->act.degree[d];
        cumulant->core = d <= depth ? p->act_core[d] : NULL;
        if (cumulant->core && cumulant->radial > 0)
            rk_harmonic_core(p->work, family, rk_tower_order(&p->act, d), cumulant->radial,
                             p->act.n, cumulant->core);
    }
    for (int number = 0; number < RK_N_PARTITIONS; number++) {
        const rk_slice *slice = &family[number];
        int d = rk_vector_sum(slice->lambda);
        if (slice->data && p->table.radial[d] == 0 && slice->lambda.at[0] > 1 &&
            p->act.degree[d].core)
            rk_slice_to_tensor(p->work, slice, p->act_core[d]);
    }
}

/* The covariance written out, n x n, where it is tracked in full. */
static void unpack_covariance(rk_work *work, const rk_tower *tower, double *C) {
    size_t n = tower->n;
    const double *packed = tower->degree[2].core;
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++)
            C[i * n + j] = C[j * n + i] = *packed++;
}

/* Variances that were no slice of their own, and the scale of the error. */
static void assess(rk_pass *p, size_t l, const rk_slice *sources, const rk_slice *family,
                   rk_outputs *outputs) {
    size_t n = p->act.n, n_layers = p->net->n_layers, mark = rk_work_mark(p->work);
    const rk_layer *layer = &p->net->layers[l];
    if (!family[RK_SLICE_2].data && p->table.radial[2] < 0)
        fill_constant(p->work, n, 1, p->act_variance);
    else if (!family[RK_SLICE_2].data)
        take_diagonal(p->work, n, p->act.degree[2].core, p->act_variance);
    bool closed = l + 1 < n_layers && (l + 2 < n_layers || rk_network_is_activated(p->net, l + 1));
    bool has_covariance = p->table.radial[2] == 0, first = l == 0 && !has_covariance;
    if (!closed && !first && !outputs->covariance) return;
    double *C = NULL;
    if (has_covariance) {
        C = rk_work_doubles(p->work, n, n);
        unpack_covariance(p->work, &p->act, C);
    }
    if (has_covariance)
        rk_expansion_linear(p->work, layer, &p->expansion, outputs);
    else
        rk_expansion_linear_sampled(p->work, layer, &p->expansion, outputs);
    rk_expansion_activate(p->work, layer, sources[RK_SOURCE_WICK].data, p->table.k_max,
                          p->table.p_max, p->centre, p->pre.degree[1].core,
                          sources[RK_SLICE_2].data, p->act_variance, &p->expansion, outputs);
    if (first) rk_expansion_input(p->work, layer->cols, &p->expansion, outputs);
    if (l + 1 < n_layers)
        rk_expansion_close(p->work, l, layer + 1, !closed, &p->expansion, C, NULL, outputs);
    rk_work_release(p->work, mark);
}

/* The coefficients, and so all moments here, are about phi at the mean. */
static void add_centre(rk_pass *p) {
    if (!rk_work_charge(p->work, p->act.n)) return;
    for (size_t i = 0; i < p->act.n; i++)
        p->act.degree[1].core[i] += p->centre[i];
}

static void activation_step(rk_pass *p, size_t l, int depth, rk_outputs *outputs) {
    size_t mark = rk_work_mark(p->work);
    rk_slice sources[RK_MAX_SOURCES], family[RK_N_PARTITIONS];
    read_slices(p, depth, sources);
    if (p->pre.factors.J > 0) p->factored->read_slices(p, depth, sources);
    wick_coefficients(p, &p->net->layers[l].activation, sources);
    write_slices(p, sources, depth, family);
    project(p, family, depth);
    p->act.factors.J = 0;
    if (p->factored && depth >= p->spec->K) p->factored->activate(p, sources, family);
    add_centre(p);
    assess(p, l, sources, family, outputs);
    rk_work_release(p->work, mark);
}

/* --------------------------------------------------------------------------------- the answer */

static void deliver_covariance(rk_work *work, const rk_tower *tower, double *out) {
    size_t n = tower->n;
    if (tower->degree[2].radial == 0) {
        unpack_covariance(work, tower, out);
        return;
    }
    if (!rk_work_charge(work, 0)) return;
    memset(out, 0, n * n * sizeof *out);
    for (size_t i = 0; i < n; i++)
        out[i * n + i] =
            *tower->degree[2].core * (tower->metric_diagonal ? tower->metric_diagonal[i] : 1);
}

static void deliver(rk_pass *p, bool activated, rk_outputs *outputs) {
    const rk_tower *tower = activated ? &p->act : &p->pre;
    const rk_layer *layer = &p->net->layers[p->net->n_layers - 1];
    rk_deliver(p->work, tower->n, tower->degree[1].core, outputs->mean);
    if (outputs->covariance) deliver_covariance(p->work, tower, outputs->covariance);
    if (activated)
        rk_deliver(p->work, tower->n, p->act_variance, outputs->variance);
    else if (tower->degree[2].core && tower->degree[2].radial == 0)
        take_diagonal(p->work, tower->n, tower->degree[2].core, outputs->variance);
    else
        rk_deliver_variance(p->work, layer, rk_average(p->work, layer->cols, p->act_variance),
                            outputs);
    if (!outputs->third || !rk_work_step(p->work, "cumulants of the output")) return;
    rk_tower_expand(p->work, tower, 3, outputs->third);
    if (outputs->fourth) rk_tower_expand(p->work, tower, 4, outputs->fourth);
}

/* ----------------------------------------------------------------------------------- the pass */

/* Room for a core of every tracked degree, for the widest layer, and the input as far as it is more
 * than a mean. */
static void take_cores(rk_pass *p, const rk_input *input, rk_tower *tower, double **core) {
    bool is_more = input->covariance || input->third_cumulant;
    for (int d = 1; d <= RK_MAX_DEGREE; d++) {
        int r = p->table.radial[d];
        if (r < 0 || (p->factored && d == p->spec->K)) continue;
        size_t width =
            d == 1 || is_more ? rk_network_max_width(p->net) : rk_network_max_rows(p->net);
        tower->degree[d].radial = r;
        core[d] = rk_work_doubles(p->work, rk_symmetric_count(width, d - 2 * r), 1);
    }
}

static bool tracks_radial(const rk_reference_table *table) {
    for (int d = 1; d <= RK_MAX_DEGREE; d++)
        if (table->radial[d] > 0) return true;
    return false;
}

/* The degree up to which the activations of layer l are wanted; 0 if there are none. */
static int wanted_depth(const rk_pass *p, size_t l) {
    size_t n_layers = p->net->n_layers;
    bool ends_activated = rk_network_is_activated(p->net, n_layers - 1);
    if (!rk_network_is_activated(p->net, l)) return 0;
    bool is_last_step = l + 1 == n_layers || (l + 2 == n_layers && !ends_activated);
    return is_last_step ? p->depth : RK_MAX_DEGREE;
}

static void run(rk_pass *p, const rk_input *input, rk_outputs *outputs,
                const rk_reference_observer *observer) {
    size_t n_layers = p->net->n_layers, width = rk_network_max_width(p->net);
    for (size_t l = 0; l < n_layers; l++)
        p->full_steps += wanted_depth(p, l) >= p->spec->K;
    take_cores(p, input, &p->act, p->act_core);
    take_cores(p, input, &p->pre, p->pre_core);
    if (tracks_radial(&p->table)) {
        p->metric_diagonal = rk_work_doubles(p->work, width, 1);
        if (p->spec->K > 1)
            p->metric_pairs =
                rk_work_doubles(p->work, rk_symmetric_count(rk_network_max_rows(p->net), 2), 1);
    }
    if (p->factored) p->factored->take(p);
    p->act_variance = rk_work_doubles(p->work, width, 1);
    p->centre = rk_work_doubles(p->work, width, 1);
    p->expansion = rk_expansion_start(p->work, rk_network_n_in(p->net), input);
    start_from_input(p, input);
    for (size_t l = 0; l < n_layers; l++) {
        const rk_layer *layer = &p->net->layers[l];
        bool activated = rk_network_is_activated(p->net, l), last = l + 1 == n_layers;
        if (!rk_work_step(p->work, "layer %zu: K = %d", l + 1, p->spec->K)) return;
        linear_step(p, l, layer, l == 0 && !input->covariance,
                    activated ? RK_MAX_DEGREE : p->depth);
        if (observer && rk_work_charge(p->work, 0))
            observer->see(observer->context, l, false, &p->pre);
        if (activated) {
            activation_step(p, l, wanted_depth(p, l), outputs);
            if (observer && rk_work_charge(p->work, 0))
                observer->see(observer->context, l, true, &p->act);
        }
        if (last)
            deliver(p, activated, outputs);
        else if (outputs->hidden_mean)
            rk_deliver(p->work, layer->rows, p->act.degree[1].core, outputs->hidden_mean[l]);
    }
    rk_work_end(p->work);
}

rk_status rk_propagate_reference(rk_work *work, const rk_network *net, const rk_input *input,
                                 const rk_reference_spec *spec, rk_outputs *outputs,
                                 const rk_reference_observer *observer, rk_error *error) {
    rk_pass p = {.work = work, .net = net, .spec = spec};
    if (spec->factored && spec->K >= 3) p.factored = spec->K == 3 ? &rk_factored3 : &rk_factored4;
    p.depth = observer || outputs->third                        ? RK_MAX_DEGREE
              : outputs->covariance || spec->no_power_cumulants ? 2
                                                                : 1;
    rk_status status = rk_reference_table_fill(&p.table, spec, error);
    if (status == RK_OK) run(&p, input, outputs, observer);
    rk_reference_table_clear(&p.table);
    return status;
}

rk_status rk_reference_check(const rk_reference_spec *spec, const rk_input *input, bool covariance,
                             rk_error *error) {
    if (spec->K < 1 || spec->K > 4)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "K must be 1, 2, 3 or 4");
    if (spec->no_power_cumulants && spec->kind != RK_REFERENCE_BASE)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "only the base kind omits power cumulants");
    if (spec->K == 1 && spec->kind == RK_REFERENCE_BASE && covariance)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "base with K = 1 knows no covariance");
    if (spec->K == 3 && spec->factored && input && input->third_cumulant)
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "factored K = 3 does not take a third input cumulant");
    return RK_OK;
}

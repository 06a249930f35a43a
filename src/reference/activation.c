#include "reference/state.h"

#include "activation/smooth.h"
#include "base/sum.h"
#include "cumulant/harmonic.h"

static double *take_slice(rk_reference_state *s, const rk_slice *slice) {
    return rk_work_doubles(s->work, rk_slice_count(slice), 1);
}

/* The slices of the core of degree d and of the metric, for the polynomials of radial slices. */
static void radial_sources(rk_reference_state *s, int d, rk_slice *sources) {
    size_t n = s->pre.n;
    int order = rk_tower_order(&s->pre, d);
    for (int number = 0; number < RK_N_PARTITIONS; number++) {
        rk_slice *slice = &sources[number];
        *slice = rk_slice_of(rk_partition_numbered(number), n);
        if (rk_vector_sum(slice->lambda) != order) continue;
        if (slice->lambda.at[0] == 1) {
            slice->data = s->pre.degree[d].core;
        } else {
            slice->data = take_slice(s, slice);
            rk_slice_from_tensor(s->work, slice, s->pre.degree[d].core);
        }
    }
    sources[RK_SOURCE_METRIC_DIAGONAL] = rk_slice_of((rk_vector){1, {1}}, n);
    sources[RK_SOURCE_METRIC_DIAGONAL].data = s->pre.metric_diagonal;
    sources[RK_SOURCE_METRIC_PAIRS] = rk_slice_of((rk_vector){2, {1, 1}}, n);
    sources[RK_SOURCE_METRIC_PAIRS].data = s->pre.metric_pairs;
    sources[RK_SOURCE_SCALAR] = rk_slice_of((rk_vector){.size = 0}, n);
    sources[RK_SOURCE_SCALAR].data = order == 0 ? s->pre.degree[d].core : NULL;
}

/* The slices of the pre-activations that diagrams up to degree `depth` use. */
static void read_slices(rk_reference_state *s, int depth, rk_slice *family) {
    for (int number = 0; number < RK_N_PARTITIONS; number++) {
        rk_slice *slice = &family[number];
        *slice = rk_slice_of(rk_partition_numbered(number), s->pre.n);
        int d = rk_vector_sum(slice->lambda);
        const rk_cumulant *cumulant = &s->pre.degree[d];
        int read_by = s->table.read_by[number];
        if (read_by == 0 || read_by > depth || !cumulant->core) continue;
        if (cumulant->radial == 0 && slice->lambda.at[0] == 1) {
            slice->data = cumulant->core;
            continue;
        }
        slice->data = number == RK_SLICE_2 ? s->pre_variance : take_slice(s, slice);
        if (cumulant->radial == 0) {
            rk_slice_from_tensor(s->work, slice, cumulant->core);
            continue;
        }
        size_t mark = rk_work_mark(s->work);
        rk_slice sources[RK_SOURCE_SCALAR + 1];
        radial_sources(s, d, sources);
        rk_polynomial_evaluate(s->work, s->table.radial_slice[number], sources, slice);
        rk_work_release(s->work, mark);
    }
    if (s->table.radial[2] >= 0) return;
    family[RK_SLICE_2].data = s->pre_variance;
    rk_reference_fill(s->work, s->pre.n, 1, s->pre_variance);
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
static void wick_coefficients(rk_reference_state *s, const rk_activation *activation,
                              rk_slice *sources) {
    size_t n = s->pre.n;
    int k_max = s->table.k_max, p_max = s->table.p_max;
    double *w = s->wick;
    rk_wick_step(s->work, activation, n, s->pre.degree[1].core, sources[RK_SLICE_2].data, k_max,
                 p_max, s->centre, w);
    const rk_activation_ops *ops = rk_activation_get(activation->kind);
    if (s->spec->hundred_nodes && ops->wick == rk_quadrature_wick && rk_work_charge(s->work, 0))
        rk_hermite_wick(activation, n, s->pre.degree[1].core, sources[RK_SLICE_2].data, k_max,
                        p_max, s->centre, w);
    /* the factored form drops diagrams of some slices only: where it matters about what */
    bool partial = s->factored && s->spec->kind == RK_REFERENCE_AUGMENT;
    if (partial && rk_work_charge(s->work, 0) &&
        is_near_zero(n, s->centre, sources[RK_SLICE_2].data))
        rk_wick_about_zero(n, k_max, p_max, s->centre, w);
    for (int i = 0; i < (k_max + 1) * p_max; i++) {
        sources[RK_SOURCE_WICK + i] = rk_slice_of((rk_vector){1, {1}}, n);
        sources[RK_SOURCE_WICK + i].data = w + (size_t)i * n;
    }
}

/* Slices of the cumulants of the activations, the variances and up to degree `depth`: power
 * cumulants by diagrams, converted in place from the highest degree down. The all-distinct slices
 * of fully tracked degrees are computed where their tensors live. */
static void write_slices(rk_reference_state *s, const rk_slice *sources, int depth,
                         rk_slice *family) {
    size_t n = s->pre.n;
    for (int number = 0; number < RK_N_PARTITIONS; number++) {
        rk_slice *slice = &family[number];
        *slice = rk_slice_of(rk_partition_numbered(number), n);
        int d = rk_vector_sum(slice->lambda);
        if (!s->table.power[number] || (d > depth && number != RK_SLICE_2)) continue;
        bool in_place = s->table.radial[d] == 0 && slice->lambda.at[0] == 1;
        slice->data = in_place               ? s->act_core[d]
                      : number == RK_SLICE_2 ? s->act_variance
                                             : take_slice(s, slice);
        rk_polynomial_evaluate(s->work, s->table.power[number], sources, slice);
    }
    for (int number = RK_N_PARTITIONS - 1; number >= 0; number--)
        if (family[number].data && s->table.conversion[number])
            rk_polynomial_evaluate(s->work, s->table.conversion[number], family, &family[number]);
}

/* The tower of the activations from its slices. */
static void project(rk_reference_state *s, const rk_slice *family, int depth) {
    s->act.n = s->pre.n;
    for (int d = 1; d <= RK_MAX_DEGREE; d++) {
        rk_cumulant *cumulant = &s->act.degree[d];
        cumulant->core = d <= depth ? s->act_core[d] : NULL;
        if (cumulant->core && cumulant->radial > 0)
            rk_harmonic_core(s->work, family, rk_tower_order(&s->act, d), cumulant->radial,
                             s->act.n, cumulant->core);
    }
    for (int number = 0; number < RK_N_PARTITIONS; number++) {
        const rk_slice *slice = &family[number];
        int d = rk_vector_sum(slice->lambda);
        if (slice->data && s->table.radial[d] == 0 && slice->lambda.at[0] > 1 &&
            s->act.degree[d].core)
            rk_slice_to_tensor(s->work, slice, s->act_core[d]);
    }
}

/* Variances that were no slice of their own. */
static void complete_variances(rk_reference_state *s, const rk_slice *family) {
    if (family[RK_SLICE_2].data) return;
    if (s->table.radial[2] < 0)
        rk_reference_fill(s->work, s->act.n, 1, s->act_variance);
    else
        rk_symmetric_diagonal(s->work, s->act.n, s->act.degree[2].core, s->act_variance);
}

/* The coefficients, and so all moments here, are about phi at the mean. */
static void add_centre(rk_reference_state *s) {
    if (!rk_work_charge(s->work, s->act.n)) return;
    for (size_t i = 0; i < s->act.n; i++)
        s->act.degree[1].core[i] += s->centre[i];
}

void rk_reference_activate(rk_reference_state *s, const rk_stage *stage) {
    size_t n_coefficients = (size_t)(s->table.k_max + 1) * (size_t)s->table.p_max;
    s->wick = rk_work_doubles(s->work, n_coefficients, s->pre.n);
    size_t mark = rk_work_mark(s->work);
    int depth = rk_reference_depth(s, stage);
    rk_slice sources[RK_MAX_SOURCES], family[RK_N_PARTITIONS];
    read_slices(s, depth, sources);
    if (s->pre.factors.J > 0) s->factored->read_slices(s, depth, sources);
    wick_coefficients(s, &stage->layer->activation, sources);
    write_slices(s, sources, depth, family);
    project(s, family, depth);
    s->act.factors.J = 0;
    if (s->factored && depth >= s->spec->K) s->factored->activate(s, sources, family);
    add_centre(s);
    complete_variances(s, family);
    rk_work_release(s->work, mark);
}

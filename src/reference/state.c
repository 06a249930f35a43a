#include "reference/state.h"

#include "cumulant/harmonic.h"

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

static void start_from_input(rk_reference_state *s) {
    const rk_input *input = s->input;
    size_t n = rk_network_n_in(s->net);
    s->act.n = n;
    fill_input_variance(s->work, n, input->covariance, s->act_variance);
    s->act.degree[1].core = s->act_core[1];
    rk_input_mean(s->work, n, input, s->act.degree[1].core);
    if (s->table.radial[2] >= 0) {
        s->act.degree[2].core = s->act_core[2];
        if (s->table.radial[2] == 0 && input->covariance)
            fill_covariance(s->work, n, input->covariance, s->act_core[2]);
        else if (s->table.radial[2] > 0)
            rk_reference_fill(s->work, 1, rk_average(s->work, n, s->act_variance), s->act_core[2]);
    }
    if (input->third_cumulant && s->table.radial[3] >= 0) {
        s->act.degree[3].core = s->act_core[3];
        if (s->table.radial[3] == 0)
            fill_third(s->work, n, input->third_cumulant, s->act_core[3]);
        else
            project_third(s->work, n, input->third_cumulant, s->act_core[3]);
    }
}

/* Room for a core of every tracked degree, for the widest layer, and the input as far as it is more
 * than a mean. */
static void take_cores(rk_reference_state *s, rk_tower *tower, double **core) {
    bool is_more = s->input->covariance || s->input->third_cumulant;
    for (int d = 1; d <= RK_MAX_DEGREE; d++) {
        int r = s->table.radial[d];
        if (r < 0 || (s->factored && d == s->spec->K)) continue;
        size_t width =
            d == 1 || is_more ? rk_network_max_width(s->net) : rk_network_max_rows(s->net);
        tower->degree[d].radial = r;
        core[d] = rk_work_doubles(s->work, rk_symmetric_count(width, d - 2 * r), 1);
    }
}

static bool tracks_radial(const rk_reference_table *table) {
    for (int d = 1; d <= RK_MAX_DEGREE; d++)
        if (table->radial[d] > 0) return true;
    return false;
}

void rk_reference_start(rk_reference_state *s) {
    size_t width = rk_network_max_width(s->net), rows = rk_network_max_rows(s->net);
    take_cores(s, &s->act, s->act_core);
    take_cores(s, &s->pre, s->pre_core);
    if (tracks_radial(&s->table)) {
        s->metric_diagonal = rk_work_doubles(s->work, rows, 1);
        if (s->spec->K > 1)
            s->metric_pairs = rk_work_doubles(s->work, rk_symmetric_count(rows, 2), 1);
    }
    if (s->factored) s->factored->take(s);
    s->act_variance = rk_work_doubles(s->work, width, 1);
    s->pre_variance = rk_work_doubles(s->work, rows, 1);
    s->centre = rk_work_doubles(s->work, rows, 1);
    s->shown = rk_work_mark(s->work);
    start_from_input(s);
}

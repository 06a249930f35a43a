#include "reference/factored.h"

/* s_ij = factor S_v[i, j]^power off the diagonal. */
static void fill(rk_work *work, const rk_slice *slice, bool transposed, double factor, int power,
                 double *s) {
    size_t n = slice->n;
    if (!rk_work_charge(work, (uint64_t)n * n * (uint64_t)power)) return;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            double x =
                slice->data[rk_slice_at(slice, (size_t[]){transposed ? j : i, transposed ? i : j})];
            s[i * n + j] = i == j ? 0 : factor * (power == 2 ? x * x : x);
        }
}

int rk_tree_edges(rk_work *work, size_t n, const rk_slice *sources, int max_cost,
                  rk_tree_edge edge[RK_MAX_TREE_EDGES]) {
    static const struct kind {
        rk_tree_edge edge;
        int slice;
        bool transposed;
        double factor;
        int power;
    } kinds[RK_MAX_TREE_EDGES] = {
        {{1, 1, 1, NULL}, RK_SLICE_11, false, 1, 1},
        {{2, 1, 2, NULL}, RK_SLICE_21, false, 1.0 / 2, 1},
        {{1, 2, 2, NULL}, RK_SLICE_21, true, 1.0 / 2, 1},
        {{2, 2, 2, NULL}, RK_SLICE_22, false, 1.0 / 4, 1},
        {{2, 2, 2, NULL}, RK_SLICE_11, false, 1.0 / 2, 2}, /* a double edge */
    };
    int n_edges = 0;
    for (int t = 0; t < RK_MAX_TREE_EDGES; t++) {
        const struct kind *kind = &kinds[t];
        const rk_slice *slice = &sources[kind->slice];
        if (!slice->data || kind->edge.cost > max_cost) continue;
        edge[n_edges] = kind->edge;
        edge[n_edges].s = rk_work_doubles(work, n, n);
        fill(work, slice, kind->transposed, kind->factor, kind->power, edge[n_edges].s);
        n_edges++;
    }
    return n_edges;
}

#include "tail/law.h"

#include "cumulant/expand.h"
#include "propagate/covariance.h"
#include "third/third.h"

/* ------------------------------------------------------------------------- the lean closures */

static void collect(rk_work *work, size_t n, const rk_outputs *outputs, rk_tail_law *laws) {
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < n; i++) {
        double *kappa = laws[i].kappa;
        kappa[1] = outputs->mean[i];
        kappa[2] = outputs->covariance ? outputs->covariance[i * n + i] : outputs->variance[i];
        kappa[3] = outputs->third_diagonal ? outputs->third_diagonal[i] : 0;
        kappa[4] = outputs->fourth_diagonal ? outputs->fourth_diagonal[i] : 0;
    }
}

static void lean(rk_work *work, const rk_network *net, rk_law_closure closure, rk_tail_law *laws) {
    size_t n = rk_network_n_out(net);
    rk_input standard = {.mean = NULL};
    rk_outputs outputs = {.mean = rk_work_doubles(work, n, 1),
                          .variance = rk_work_doubles(work, n, 1)};
    if (closure == RK_LAW_COVARIANCE) {
        outputs.covariance = rk_work_doubles(work, n, n);
        rk_propagate_covariance(work, net, &standard, &(rk_covariance_spec){false}, &outputs, NULL);
    } else {
        outputs.third_diagonal = rk_work_doubles(work, n, 1);
        outputs.fourth_diagonal = rk_work_doubles(work, n, 1);
        rk_third_spec spec = {.fourth = RK_FOURTH_AVERAGE};
        rk_propagate_third(work, net, &standard, &spec, &outputs, NULL);
    }
    collect(work, n, &outputs, laws);
}

/* ------------------------------------------------------------------------- the paper's family */

typedef struct watch {
    size_t last;
    rk_tail_law *laws;
} watch;

static void see(void *context, size_t l, bool activated, const rk_tower *tower) {
    const watch *w = context;
    if (l != w->last || activated) return;
    for (size_t i = 0; i < tower->n; i++)
        for (int d = 1; d <= RK_LAW_DEGREE; d++)
            w->laws[i].kappa[d] = rk_tower_entry(tower, d, (size_t[]){i, i, i, i, i, i});
}

rk_status rk_laws(rk_work *work, const rk_network *net, rk_law_closure closure,
                  const rk_reference_spec *reference, rk_tail_law *laws, rk_error *error) {
    if (closure != RK_LAW_REFERENCE) {
        lean(work, net, closure, laws);
        return RK_OK;
    }
    size_t n = rk_network_n_out(net);
    rk_outputs outputs = {.mean = rk_work_doubles(work, n, 1),
                          .variance = rk_work_doubles(work, n, 1)};
    rk_input standard = {.mean = NULL};
    watch w = {net->n_layers - 1, laws};
    rk_reference_observer observer = {see, &w};
    return rk_propagate_reference(work, net, &standard, reference, &outputs, &observer, error);
}

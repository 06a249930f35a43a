#include "tail/atom.h"

#include "propagate/mean.h"
#include "tail/log_probability.h"

#include <math.h>
#include <string.h>

typedef struct atoms_step {
    const rk_network *net;
    const rk_layer *last;    /* the functionals */
    bool negative, positive; /* where their activation is flat */
    double *mass;
} atoms_step;

/* Constant between two points of a side of zero. Activations that are piecewise are one monomial
 * there, and no other of ours has equal values at these. */
static bool is_flat(const rk_activation *activation, double side) {
    double z[] = {side, 2 * side}, h[2];
    rk_activation_get(activation->kind)->value(activation, 2, z, h);
    return h[0] == h[1];
}

static double flat_share(const atoms_step *step, double mean, double variance) {
    double below = mean <= 0 ? 1 : 0; /* of a neuron without variance */
    if (variance > 0) below = exp(rk_log_normal_tail(mean / sqrt(variance)));
    return fmax(step->negative ? below : 0, step->positive ? 1 - below : 0);
}

static rk_status find_atoms(rk_work *work, void *context, rk_error *error) {
    (void)error;
    const atoms_step *step = context;
    size_t n = step->last->cols;
    double *share = rk_work_doubles(work, n, 1);
    /* of what the neurons that are read receive */
    rk_outputs outputs = {.depth = step->net->n_layers - 1,
                          .bare = true,
                          .mean = rk_work_doubles(work, n, 1),
                          .variance = rk_work_doubles(work, n, 1)};
    rk_work_listen(work, true);
    rk_propagate_mean(work, step->net, &(rk_input){.mean = NULL},
                      &(rk_mean_spec){.metric = RK_METRIC_EXACT}, &outputs, NULL);
    if (!rk_work_charge(work, n * (10 + (uint64_t)step->last->rows))) return RK_OK;
    for (size_t j = 0; j < n; j++)
        share[j] = flat_share(step, outputs.mean[j], outputs.variance[j]);
    for (size_t k = 0; k < step->last->rows; k++) {
        const double *row = step->last->weight + k * n;
        step->mass[k] = 1;
        for (size_t j = 0; j < n; j++)
            if (row[j] != 0) step->mass[k] *= share[j];
    }
    return RK_OK;
}

rk_status rk_tail_atoms(rk_tail_job *job, double *mass, rk_error *error) {
    const rk_network *net = &job->target->net;
    memset(mass, 0, rk_network_n_out(net) * sizeof *mass);
    if (net->n_layers == 1) return RK_OK; /* a normal */
    const rk_activation *read = &net->layers[net->n_layers - 2].activation;
    atoms_step step = {.net = net,
                       .last = &net->layers[net->n_layers - 1],
                       .negative = is_flat(read, -1),
                       .positive = is_flat(read, 1),
                       .mass = mass};
    if (!step.negative && !step.positive) return RK_OK;
    return rk_tail_step(job, NULL, "atoms", find_atoms, &step, error);
}

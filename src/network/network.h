/* The network in memory. */
#ifndef RK_NETWORK_NETWORK_H
#define RK_NETWORK_NETWORK_H

#include "base/status.h"

struct rk_network {
    size_t n_layers;
    rk_layer *layers; /* weight and bias point into `storage` */
    double *storage;
    double **row_square; /* [l][i]: |row i of W_l|^2 */
    char *notes;         /* what a reader inferred, or NULL */
};

/** Fills row_square. 2 FLOPs a weight. */
rk_status rk_network_measure(rk_network *net, rk_error *error);

/** True if an activation follows layer l: always for hidden layers, for the output only if it is
 *  not the identity. Hidden identity layers count too: they are layers the user sees. */
bool rk_network_is_activated(const rk_network *net, size_t l);

/** varies[i], i < n_out: false if output i is the same for every input that `input` allows, since
 *  all it depends on has weights or variances of zero. False for lack of memory. */
bool rk_network_find_varying(const rk_network *net, const rk_input *input, bool *varies);

/** The largest width of any layer, and with the input included. */
size_t rk_network_max_rows(const rk_network *net);
size_t rk_network_max_width(const rk_network *net);

/** cols * Var(W) of layer l: as given, or measured as the mean square of its weights. */
double rk_network_weight_scale(const rk_network *net, size_t l);

/** Replaces the notes by a copy of `text`. */
rk_status rk_network_set_notes(rk_network *net, const char *text, rk_error *error);

#endif

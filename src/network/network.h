/* The network in memory. */
#ifndef RK_NETWORK_NETWORK_H
#define RK_NETWORK_NETWORK_H

#include "base/status.h"

struct rk_network {
    size_t n_layers;
    rk_layer *layers; /* weight and bias point into `storage` */
    double *storage;
    double **row_square; /* [l][i]: |row i of W_l|^2 */
    size_t *last_use;    /* [value]: see rk_network_last_use; NULL: the network is plain */
    size_t most_kept;
    char *notes;  /* what a reader inferred, or NULL */
    char *origin; /* how it was made, or NULL */
};

/** A network to be filled in place, so that its weights exist once: checks everything about the
 *  layers but values, and makes room. `weight` and `bias` of `layers` are not followed: NULL or
 *  not, they say whether there will be some. Room is in order: the weights of a layer, its biases,
 *  the next layer. */
rk_status rk_network_make_room(rk_network **out, const rk_layer *layers, size_t n_layers,
                               rk_error *error);
/** Where the weights and biases of layer l go; NULL if it has none. */
double *rk_network_weights(rk_network *net, size_t l);
double *rk_network_biases(rk_network *net, size_t l);
/** Once they are there: measures, and refuses what is not finite, naming the place. On failure it
 *  destroys the network, *net = NULL. */
rk_status rk_network_seal(rk_network **net, rk_error *error);

/** Fills row_square, last_use and most_kept. 2 FLOPs a weight. RK_ERROR_UNSUPPORTED: more than
 *  RK_MOST_KEPT values are kept at a time. */
rk_status rk_network_measure(rk_network *net, rk_error *error);
/** Fills row_square again, after the weights have changed. */
void rk_network_measure_rows(rk_network *net);

/** Values of a network, from 0: the input, then what each layer makes (rk_layer counts from 1). How
 *  many entries one has; which one layer l reads; and which it adds, false if none. */
size_t rk_network_value_size(const rk_network *net, size_t value);
size_t rk_network_reads(const rk_network *net, size_t l);
bool rk_network_adds(const rk_network *net, size_t l, size_t *value);

/** The last layer that reads or adds `value`; n_layers if it is the output. */
size_t rk_network_last_use(const rk_network *net, size_t value);

/** True if `value` is needed by other than the reading of the layer after it: it is kept. */
bool rk_network_keeps(const rk_network *net, size_t value);

/** The most values that are kept at a time: net->most_kept is no more. */
enum { RK_MOST_KEPT = 8 };

/** True if every layer has weights, reads the one before and adds nothing. */
bool rk_network_is_plain(const rk_network *net);

/** RK_ERROR_UNSUPPORTED, naming the layer, if it is not plain; `who` takes plain networks only. */
rk_status rk_network_check_plain(const rk_network *net, const char *who, rk_error *error);

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

/** Whether `text` may be an origin: see rk_network_set_origin. */
bool rk_network_is_origin(const char *text);

/** Replaces the notes by a copy of `text`. */
rk_status rk_network_set_notes(rk_network *net, const char *text, rk_error *error);

#endif

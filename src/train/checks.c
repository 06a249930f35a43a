#include "train/checks.h"

#include "propagate/pairs.h"

#include <math.h>

rk_status rk_train_check_pairs(rk_pair_closure pairs, int order, rk_error *error) {
    if (pairs != RK_PAIRS_COMPLETED || (order >= 1 && order <= RK_PAIRS_MAX_ORDER)) return RK_OK;
    return rk_fail(error, RK_ERROR_ARGUMENT, "pairs_order is %d, and not 1 to %d", order,
                   RK_PAIRS_MAX_ORDER);
}

rk_status rk_train_check_activations(const rk_network *net, const char *whose,
                                     rk_pair_closure pairs, rk_error *error) {
    for (size_t l = 0; pairs == RK_PAIRS_EXACT && l + 1 < net->n_layers; l++)
        if (isnan(rk_pairs_kink(&net->layers[l].activation)))
            return rk_fail(error, RK_ERROR_UNSUPPORTED,
                           "layer %zu of the %s: exact pairs are not known of %s; take completed "
                           "ones",
                           l + 1, whose, rk_activation_name(net->layers[l].activation.kind));
    return RK_OK;
}

rk_status rk_train_check_network(const rk_network *net, const char *what, const char *whose,
                                 rk_pair_closure pairs, rk_error *error) {
    const rk_status status = rk_network_check_plain(net, what, error);
    if (status != RK_OK) return status;
    if (net->n_layers < 2)
        return rk_fail(error, RK_ERROR_UNSUPPORTED, "the %s has no hidden layer: %s needs one",
                       whose, what);
    if (rk_network_is_activated(net, net->n_layers - 1))
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "the output of the %s has an activation (%s): take what is below it", whose,
                       rk_activation_name(net->layers[net->n_layers - 1].activation.kind));
    return rk_train_check_activations(net, whose, pairs, error);
}

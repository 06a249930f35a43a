/* What can be trained, and how: said before any work is done. */
#ifndef RK_TRAIN_CHECKS_H
#define RK_TRAIN_CHECKS_H

#include "network/network.h"

/** RK_ERROR_ARGUMENT unless there are completed pairs of that order. */
rk_status rk_train_check_pairs(rk_pair_closure pairs, int order, rk_error *error);

/** RK_ERROR_UNSUPPORTED, naming the first layer that exact pairs are not known of. `whose`:
 *  "teacher". */
rk_status rk_train_check_activations(const rk_network *net, const char *whose,
                                     rk_pair_closure pairs, rk_error *error);

/** RK_ERROR_UNSUPPORTED unless `net` is plain, has hidden layers that these pairs close, and an
 *  output without activation. `what`: "distillation". */
rk_status rk_train_check_network(const rk_network *net, const char *what, const char *whose,
                                 rk_pair_closure pairs, rk_error *error);

#endif

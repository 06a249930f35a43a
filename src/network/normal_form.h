/* Any network and input as one that numbers are at their best with (docs/MATH.md#units).
 *
 * The mean of the input goes into the biases of the first layer. Where fluctuations are far from
 * 1, layers are measured in other units: z_i = 2^e z'_i and, phi being homogeneous of degree p,
 * h_i = 2^(p e) h'_i, which is exact. What comes out of the last layer stays as it is. */
#ifndef RK_NETWORK_NORMAL_FORM_H
#define RK_NETWORK_NORMAL_FORM_H

#include "network/network.h"

typedef struct rk_normal_form {
    rk_network *net; /**< takes an input of mean 0; NULL: the network is in that form already. May
                      *   borrow weights of the original */
    int *unit;       /**< e of z, of every neuron layer by layer; NULL: all are 0 */
    bool is_extreme; /**< some layer is in units that single precision has no room for */
} rk_normal_form;

/** 2 to 4 FLOPs a weight where units change, else of the first layer. RK_ERROR_NUMERIC: an
 *  activation is beyond the range of doubles. Clear after success and failure alike. */
rk_status rk_normal_form_create(rk_normal_form *form, const rk_network *net, const rk_input *input,
                                rk_error *error);
void rk_normal_form_clear(rk_normal_form *form);

/** The means of hidden layer l back in the network's own units, in place; derivatives by them in
 *  these units likewise become those by the form's. */
void rk_normal_form_restore(const rk_normal_form *form, size_t l, double *mean);

/** Derivatives by the form's weights (NULL: not wanted) and biases of layer l, in place, become
 *  those by the network's own, which was made with the input mean `mean`. Those by the input's law
 *  are the same for both. */
void rk_normal_form_restore_gradient(const rk_normal_form *form, const double *mean, size_t l,
                                     double *weight, double *bias);

/** The opposite of changes in a direction: those of the network's own weights (NULL: none) and
 *  biases of layer l, in place, become those of the form's. `weight` is not written to
 *  unless form->unit is there. */
void rk_normal_form_enter_direction(const rk_normal_form *form, const double *mean, size_t l,
                                    double *weight, double *bias);

#endif

/* The one form of all events: an output of some network exceeds a threshold. */
#ifndef RK_TAIL_TARGET_H
#define RK_TAIL_TARGET_H

#include "base/work.h"
#include "network/normal_form.h"

/**
 * The network cut off at a layer, with linear functionals of that layer as its outputs and the law
 * of the input folded into its first layer: it takes N(0, I). Every method of tail/ sees this
 * only. Bias of the functionals is kept apart, for it belongs to the threshold.
 */
typedef struct rk_target {
    rk_network net;   /* in normal form; weights borrowed but for the first and the last layer */
    double *offset;   /* n_out: to be added to the outputs */
    bool homogeneous; /* a positive factor on the input comes out again */
    bool centred;     /* the last layer's bias takes a reference off the outputs; so are passes */
    double *origin;   /* n_out: that bias */
    double *rounding; /* n_out: of the reference, 0 if there is none */
    double *blur;     /* n_out: what passes cannot tell apart, in deviations of the output */
    rk_network *entered;     /* of one that sees its input more than once, see network/entrance.h */
    double *storage, *first; /* of the functionals; of a first layer that is not the network's */
    rk_normal_form form;
} rk_target;

/** Output k is the functional of functionals[k]; all are of one layer. `mean` of the input (n_in)
 * may be NULL. The target takes the input's fluctuations until rk_target_standardise. */
rk_status rk_target_create(rk_target *out, const rk_network *net, const double *mean,
                           const rk_event *const *functionals, size_t n, rk_error *error);

/** The same of any network, as far as the weights: the law of its input stays apart, and it may be
 *  read more than once. Measured; nothing of what follows is for it. */
rk_status rk_target_fold(rk_target *out, const rk_network *net, const rk_event *functional,
                         rk_error *error);

/** Makes an input N(0, I) of one with `covariance` (n_in x n_in; NULL: the identity), of no more
 *  entries than the first layer has neurons: the network sees no more of it. Dry or wet. */
rk_status rk_target_standardise(rk_work *work, rk_target *target, const double *covariance,
                                rk_error *error);

/** Brings it to normal form, once it is standardised. */
rk_status rk_target_finish(rk_target *target, rk_error *error);

/** Takes off the outputs, once it is finished, what they are at the mean, where offsets would round
 *  away what passes in single precision are to see. Dry or wet. */
void rk_target_centre(rk_work *work, rk_target *target);
void rk_target_destroy(rk_target *target);

#endif

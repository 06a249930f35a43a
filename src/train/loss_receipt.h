/* E|T(x) - S(x)|^2 by samples that nothing was trained on; and the mean loss on data. */
#ifndef RK_TRAIN_LOSS_RECEIPT_H
#define RK_TRAIN_LOSS_RECEIPT_H

#include "gradient/sampled_loss.h"

typedef struct rk_loss_receipt {
    uint64_t samples; /**< that passed */
    double loss, standard_error;
    double square; /**< E|T(x)|^2 */
} rk_loss_receipt;

/** By `samples` of them, or, if 0, as many as tell 1 % of the loss, at most 10^6. In the dry run,
 *  a block. Fewer if interrupted. */
rk_status rk_loss_receipt_take(rk_work *work, const rk_network *teacher, const rk_network *student,
                               const rk_input *input, uint64_t seed, uint64_t samples,
                               rk_loss_receipt *out, rk_error *error);

/** Over all given samples of `data`. NaN if interrupted. */
rk_status rk_data_receipt_take(rk_work *work, const rk_examples *data, const rk_network *net,
                               double *loss, rk_error *error);

/** What such losses are parts of: the values' mean |value|^2, the nat of labels. */
double rk_data_receipt_unit(const rk_examples *data, size_t n_out);

#endif

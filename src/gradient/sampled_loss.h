/* The expectation of a loss by samples, with its gradient: what one trains on where there is no
 * closure, and the receipt of what was trained with one.
 *
 * A sample is an input with what a network should make of it: drawn from the input's law, with what
 * a teacher makes of it (E |T(x) - S(x)|^2), or given (labelled data). Samples pass in blocks, and
 * nothing of them stays but sums in their order. */
#ifndef RK_GRADIENT_SAMPLED_LOSS_H
#define RK_GRADIENT_SAMPLED_LOSS_H

#include "gradient/batch.h"
#include "gradient/inputs.h"
#include "gradient/residual.h"

/** Where samples come from: from `teacher`, or else from `x`. All borrowed. */
typedef struct rk_examples {
    rk_residual residual;
    const rk_network *teacher;
    const rk_input *input; /**< its law */
    rk_point_set points;
    rk_stream stream;
    const double *x;    /**< n x n_in */
    rk_targets targets; /**< of all of them, as `residual` wants it */
    size_t n;
    const size_t *order; /**< sample r is x[order[r mod n]]; NULL: as they come */
} rk_examples;

typedef struct rk_sampled_loss {
    rk_examples examples;
    rk_batch student, teacher;
    rk_inputs inputs;
    size_t block;       /**< samples that pass at once */
    double *x, *values; /**< of a block of given samples */
    size_t *labels;
    double *loss; /**< of each sample of a block */
} rk_sampled_loss;

typedef struct rk_loss_value {
    double mean, standard_error; /**< the latter NaN if fewer than two units passed */
    uint64_t rows;               /**< samples that passed: fewer than asked if interrupted */
} rk_loss_value;

/** Room for passes of `student`, whose weights may change between runs, in blocks of about `block`
 *  samples; `back`: with gradients. RK_ERROR_ARGUMENT if teacher or data do not fit the student, or
 *  labels are no outputs; and as rk_inputs_take; RK_ERROR_UNSUPPORTED as rk_batch_check. */
rk_status rk_sampled_loss_take(rk_work *work, const rk_examples *examples,
                               const rk_network *student, size_t block, bool back,
                               rk_sampled_loss *out, rk_error *error);

/** What `rows` becomes: the next multiple of what can be drawn at once. */
size_t rk_sampled_loss_rows(const rk_examples *examples, const rk_network *student, size_t rows);

/** The mean over samples first .. first + rows - 1 (both as rk_sampled_loss_rows has them) and,
 *  unless NULL, adds its gradient to what `to` wants, which is that of fewer if interrupted. The
 *  standard error is told by samples, pairs or replicates (rk_inputs_unit), those that are
 *  complete. In between blocks progress is reported. */
rk_status rk_sampled_loss_run(rk_work *work, rk_sampled_loss *loss, uint64_t first, uint64_t rows,
                              const rk_adjoint *to, rk_loss_value *value, rk_error *error);

#endif

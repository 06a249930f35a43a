/* The expected loss of a student, for tests: values, gradients, readouts. */
#ifndef TEST_DISTILLATION_H
#define TEST_DISTILLATION_H

#include "train/expected_loss.h"

typedef struct distillation {
    double loss, square; /**< and E |T|^2 */
    uint64_t flops;      /**< of one value and its gradient */
} distillation;

/** At the parameters of `student`, whose gradient and, if `fit`, last layer it fills. */
distillation distillation_at(const rk_network *teacher, rk_parameters *student,
                             const rk_input *input, const rk_pairs_spec *pairs, bool fit);

#endif

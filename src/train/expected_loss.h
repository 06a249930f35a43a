/* E|T(x) - S(x)|^2 of a student and its teacher on the same input as an expectation, without
 * samples, and its derivatives by the student's parameters (docs/MATH.md#distillation).
 *
 * The teacher's law is propagated once; a value takes the student's law and the block between the
 * two (train/cross.h), so that nothing grows with the cube of the teacher's width. All covariances
 * are closed alike, so that a network has no loss against itself, and none is negative. */
#ifndef RK_TRAIN_EXPECTED_LOSS_H
#define RK_TRAIN_EXPECTED_LOSS_H

#include "train/cross.h"
#include "train/parameters.h"
#include "train/readout.h"

typedef struct rk_expected_loss {
    rk_work *work;
    const rk_network *teacher;
    rk_parameters *student;
    rk_input input;
    rk_covariance_spec law;
    size_t depth;        /**< hidden layers of either */
    rk_tape *tape;       /**< of the student, then of the teacher */
    size_t tape_at;      /**< the student's memory, used again by every value */
    size_t steps_at;     /**< likewise its steps of the plan */
    rk_outputs outputs;  /**< m and C of the last hidden layer of the student */
    rk_outputs teachers; /**< and of the teacher */
    rk_cross cross;
    double *y, *N;         /**< E T(x); Cov of the student's last hidden layer and T(x) */
    double square, spread; /**< E |T(x)|^2; tr Cov T(x). 0 in the dry run */
    double *scratch, *d, *m_bar, *C_bar;
} rk_expected_loss;

/** For plain networks with hidden layers, as many (train/pairing.h), and no activation at the
 *  output. Runs the teacher. Everything borrowed; memory of `work`, and some of its own. */
rk_status rk_expected_loss_create(rk_expected_loss *out, rk_work *work, const rk_network *teacher,
                                  rk_parameters *student, const rk_input *input,
                                  const rk_pairs_spec *pairs, rk_error *error);
void rk_expected_loss_free(rk_expected_loss *loss);

/** At the student's parameters. `fit`: after its last layer was made the best there is
 *  (train/readout.h). Infinite if interrupted or not finite. */
double rk_expected_loss_value(rk_expected_loss *loss, bool fit);

/** Of that the end: from moments of the student's last hidden layer in `outputs` and cross.X. */
double rk_expected_loss_close(rk_expected_loss *loss, bool fit);

/** Makes student->gradient what belongs to the value that was asked for last; `readout`: of the
 *  last layer, too, which is 0 where it was fitted. Once after a value. */
void rk_expected_loss_gradient(rk_expected_loss *loss, bool readout);

#endif

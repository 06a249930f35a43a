/* Hidden layers along exact derivatives of the expected loss: variable projection, and L-BFGS over
 * Kronecker-factored curvature (docs/METHODS.md#distill). */
#ifndef RK_TRAIN_MECHANISTIC_H
#define RK_TRAIN_MECHANISTIC_H

#include "train/course.h"
#include "train/curvature.h"
#include "train/expected_loss.h"

/** In FLOPs: of the loss, of its derivatives and a preconditioned step, of the curvature. */
typedef struct rk_mechanistic_costs {
    double value, gradient, curvature;
} rk_mechanistic_costs;

typedef struct rk_mechanistic_spec {
    uint64_t refresh; /**< iterations after which the curvature is taken anew */
    double damping;   /**< lambda of rk_kfac_invert */
    double tolerance; /**< of rk_lbfgs_spec */
    uint64_t max_iterations;
    rk_mechanistic_costs *costs; /**< the dry run fills them, for the wet one */
} rk_mechanistic_spec;
rk_mechanistic_spec rk_mechanistic_default(void);

/** What it takes besides the loss: room for the factors of all layers, the last one included. */
typedef struct rk_mechanistic {
    rk_expected_loss *loss;
    rk_course *course;
    rk_mechanistic_spec spec;
    rk_curvature curvature;
    rk_kfac kfac;       /**< of hidden layers */
    bool has_curvature; /**< else none could be inverted */
    double value;       /**< at the student's parameters, where ... */
    bool is_known;      /**< ... it is known */
    double *best;       /**< parameters of the student where the value was best, readout included */
    uint64_t steps;
} rk_mechanistic;

/** RK_ERROR_MEMORY. */
rk_status rk_mechanistic_create(rk_mechanistic *out, rk_expected_loss *loss, rk_course *course,
                                const rk_mechanistic_spec *spec, rk_error *error);
void rk_mechanistic_free(rk_mechanistic *m);

/** Moves the student until the course or the spec says to stop; its last layer is fitted. What is
 *  not within the phase's budget is not begun. In the
 *  dry run, one of everything. *loss: at the start, its last layer being fitted, or NaN if that is
 *  not known; then in the end. RK_ERROR_NUMERIC: not finite at the start. */
rk_status rk_mechanistic_run(rk_mechanistic *m, double *loss, rk_error *error);

#endif

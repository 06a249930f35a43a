/* L-BFGS whose initial inverse Hessian is the caller's preconditioner, with a line search that asks
 * for values and only where it stays for a gradient. (liblbfgs has no preconditioner.)
 *
 * Two-loop recursion (Nocedal and Wright, 7.4) over the last pairs s = theta - theta_old, y = g -
 * g_old with H_0 = gamma P, gamma = s.y / y.Py of the last pair: P may change from step to step and
 * need not know the scale. Backtracking by quadratic interpolation until f falls by 1e-4 of what
 * the slope promised (Armijo); pairs without curvature, s.y <= 1e-10 sum |s_i y_i|, are left out.
 */
#ifndef RK_TRAIN_LBFGS_H
#define RK_TRAIN_LBFGS_H

#include "base/work.h"

typedef struct rk_lbfgs_problem {
    void *context;
    size_t n;
    /** f at theta; infinite or NaN where there is none. */
    double (*value)(void *context, const double *theta);
    /** Its gradient where `value` was asked for last. */
    void (*gradient)(void *context, double *gradient);
    /** out = P in, P symmetric and positive definite. NULL: the identity. */
    void (*precondition)(void *context, const double *in, double *out);
    /** Asked before each value of a line search: whether there are means for it and a gradient.
     *  False: the run ends where it is. NULL: there are. */
    bool (*may_ask)(void *context);
    /** Called when theta has moved, where f is now `value`: may prepare another P. False: it is
     *  time to stop. NULL: goes on. */
    bool (*go_on)(void *context, uint64_t iteration, double value);
} rk_lbfgs_problem;

typedef struct rk_lbfgs_spec {
    size_t memory;           /**< pairs; 0: 5 */
    uint64_t max_iterations; /**< 0: no limit */
    double tolerance;        /**< stops where an iteration lowers f by less than so much of it */
} rk_lbfgs_spec;

typedef enum rk_lbfgs_end {
    RK_LBFGS_CONVERGED,  /**< by less than the tolerance, or the gradient is 0 */
    RK_LBFGS_STOPPED,    /**< by go_on or may_ask */
    RK_LBFGS_ITERATIONS, /**< max_iterations */
    RK_LBFGS_STUCK,      /**< no step, not even against the preconditioned gradient, lowers f: at
                          *   the bottom, up to rounding, or `gradient` is wrong */
    RK_LBFGS_NOT_FINITE  /**< at the start */
} rk_lbfgs_end;

typedef struct rk_lbfgs_result {
    rk_lbfgs_end end;
    double value; /**< at theta */
    uint64_t iterations, values, gradients;
} rk_lbfgs_result;

/** From theta to where f is less; theta is always the best so far, though `value` may have been
 *  asked elsewhere since. Without a preconditioner the first step tries to halve f. Takes (2 memory
 *  + 4) n doubles; charges `work` (NULL: nobody) for its own products, about (8 memory + 12) n an
 *  iteration. RK_ERROR_MEMORY. */
rk_status rk_lbfgs_run(rk_work *work, const rk_lbfgs_problem *problem, const rk_lbfgs_spec *spec,
                       double *theta, rk_lbfgs_result *result, rk_error *error);

#endif

/* The cumulants of the functionals, as a closure knows them. */
#ifndef RK_TAIL_LAW_H
#define RK_TAIL_LAW_H

#include "reference/reference.h"

enum { RK_LAW_DEGREE = 6 };

/** kappa[d] of one functional; 0 where the closure does not track degree d. */
typedef struct rk_tail_law {
    double kappa[RK_LAW_DEGREE + 1];
} rk_tail_law;

typedef enum rk_law_closure {
    RK_LAW_COVARIANCE, /**< mean and variance */
    RK_LAW_THIRD,      /**< the lean third order: up to the fourth */
    RK_LAW_REFERENCE   /**< what the paper's family tracks: up to the sixth */
} rk_law_closure;

/** Laws of all outputs of `net` under N(0, I); the last layer has no activation. `reference` is
 *  read for RK_LAW_REFERENCE only. Dry or wet, see base/work.h. */
rk_status rk_laws(rk_work *work, const rk_network *net, rk_law_closure closure,
                  const rk_reference_spec *reference, rk_tail_law *laws, rk_error *error);

#endif

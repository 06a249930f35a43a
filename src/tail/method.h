/* The methods for rare events, behind one table. */
#ifndef RK_TAIL_METHOD_H
#define RK_TAIL_METHOD_H

#include "tail/job.h"

typedef struct rk_tail_method {
    rk_method_info info;
    bool takes_closure;
    rk_method_kind closure; /* what RK_AUTO stands for */
    bool takes_passes;      /* and so measures its own error */
    bool is_exact;          /* what it costs depends on nothing it finds */
    rk_status (*run)(rk_tail_job *job, rk_error *error);
} rk_tail_method;

/** `own` becomes what is asked for (NULL: RK_TAIL_BY_AUTO) with its closure resolved, which for
 *  `auto` of a network that is not plain is `covariance`; its cumulants are those of `source`.
 *  RK_ERROR_UNSUPPORTED: the closure knows no law. */
rk_status rk_tail_method_accept(rk_tail_spec *own, const rk_tail_spec *asked, bool is_plain,
                                rk_law_source *source, rk_error *error);

const rk_tail_method *rk_tail_method_of(const rk_tail_spec *spec);

#endif

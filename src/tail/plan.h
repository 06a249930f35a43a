/* Plan, execute, report: the same for every method. plan.c makes it, execute.c follows it. */
#ifndef RK_TAIL_PLAN_H
#define RK_TAIL_PLAN_H

#include "tail/group.h"
#include "tail/method.h"

/** Plans for the components of a mixture. */
typedef struct rk_tail_mixture {
    size_t n;             /**< components of weight > 0 */
    double *log10_weight; /**< n */
    size_t *number;       /**< n: which of all it is, from 0 */
    rk_tail_plan **part;  /**< n */
} rk_tail_mixture;

struct rk_tail_plan {
    const rk_network *net;
    rk_options options;
    rk_tail_spec spec; /* its closure resolved */
    const rk_tail_method *method;
    rk_law_source source;
    rk_tail_group *groups;
    size_t n_groups, n_events;
    size_t lanes;
    uint64_t memory_limit;
    double flops_limit;      /* 0: none */
    uint64_t passes;         /* for each event, in the first round */
    rk_tail_ledger prepared; /* what planning did */
    rk_tail_ledger at_most;  /* with what execution will do */
    double seconds;          /* planning took */
    /* of a mixture: a plan for each component, and nothing above but net, options, spec, n_events,
     * passes, at_most and seconds */
    rk_tail_mixture *mixture;
};

/** Of a group, the queries that a round asks about. */
typedef struct rk_tail_part {
    rk_query *queries;
    size_t n;
    rk_tail_law *laws; /* once they are known; free() them */
    uint64_t flops;    /* that the last dry round was expected to take */
} rk_tail_part;

/** rk_tail_plan_create for an input that is no mixture. */
rk_status rk_tail_plan_create_for(rk_tail_plan **out, const rk_network *net, const rk_input *input,
                                  const rk_event *events, size_t n_events,
                                  const rk_options *options, rk_error *error);

/** rk_tail_plan_execute for the plan of one. */
rk_status rk_tail_plan_answer(const rk_tail_plan *plan, rk_tail_answer **out, rk_error *error);

/** A job by the plan, to be cleared by rk_tail_ledger_clear(&job.ledger). */
rk_tail_job rk_tail_job_of(const rk_tail_plan *plan, rk_tail_mode mode, rk_pool *pool);

/** Asks the method about the parts (one a group), each query getting so many passes. */
rk_status rk_tail_round(rk_tail_job *job, const rk_tail_plan *plan, rk_tail_part *parts,
                        uint64_t passes, rk_error *error);

/** The passes for each query, `wanted` at most, that `flops` and the memory pay for if all goes as
 *  hoped; RK_TAIL_LEAST_PASSES if they pay for nothing. Leaves what parts then take in them. */
rk_status rk_tail_affordable(const rk_tail_plan *plan, rk_tail_part *parts, uint64_t wanted,
                             double flops, uint64_t *passes, rk_error *error);

enum { RK_TAIL_LEAST_PASSES = 1000 };

#endif

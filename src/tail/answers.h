/* The methods for rare events: each fills the estimates of all queries of a job. */
#ifndef RK_TAIL_ANSWERS_H
#define RK_TAIL_ANSWERS_H

#include "tail/job.h"

/* From cumulants. */
rk_status rk_tail_normal(rk_tail_job *job, rk_error *error);
rk_status rk_tail_edgeworth(rk_tail_job *job, rk_error *error);
rk_status rk_tail_by_saddlepoint(rk_tail_job *job, rk_error *error);

/** log P of one query by the saddlepoint, from the law of its functional. */
double rk_tail_saddlepoint(const rk_tail_law *law, const rk_query *q, const rk_law_source *source);

/* By passes. */
rk_status rk_tail_sample(rk_tail_job *job, rk_error *error);
rk_status rk_tail_importance(rk_tail_job *job, rk_error *error);
rk_status rk_tail_subset(rk_tail_job *job, rk_error *error);

/** Plain passes for the queries with wanted[i] (NULL: all), the same for all of them; none if none
 *  is wanted. Those with fewer than `least` hits, or misses, get no answer: wanted[i] becomes
 *  false. Samples and interval of an earlier answer stay, as part of the new ones. */
rk_status rk_tail_plain(rk_tail_job *job, bool *wanted, uint64_t least, rk_error *error);

/** How likely each query is, from a few plain passes for all of them. */
rk_status rk_tail_glance(rk_tail_job *job, double *share, rk_error *error);

/** What passes can be asked for. */
typedef enum rk_tail_passes {
    RK_TAIL_WEIGHTED, /**< tilted, weighted: unbiased */
    RK_TAIL_SHARPER,  /**< tilted; the sharper of that and their saddlepoint */
    RK_TAIL_SUBSET    /**< subset simulation */
} rk_tail_passes;

/** What they find. */
typedef enum rk_tail_finding {
    RK_TAIL_UNREACHED, /**< no pass reached the event: p stays NaN, for rk_tail_plain to bound */
    RK_TAIL_FOUND,
    RK_TAIL_CONFIRMED /**< an independent look at the event, by subset simulation, agrees */
} rk_tail_finding;

/** One query by its own passes; of what is `likely` the complement is estimated. */
rk_status rk_tail_alone(rk_tail_job *job, const rk_query *q, bool likely, rk_tail_passes passes,
                        rk_tail_finding *finding, rk_error *error);

/* What suits each query. */
rk_status rk_tail_auto(rk_tail_job *job, rk_error *error);

#endif

/* The methods for rare events, behind one table. */
#ifndef RK_TAIL_METHOD_H
#define RK_TAIL_METHOD_H

#include "base/work.h"
#include "tail/law.h"
#include "tail/target.h"

/** Output `row` of the target beyond t. */
typedef struct rk_query {
    size_t row;
    bool below;   /* z < t, not z > t */
    double t;     /* with the functional's bias taken off */
    size_t event; /* its index among all */
    rk_tail_estimate *estimate;
} rk_query;

/** Where the cumulants come from. */
typedef struct rk_law_source {
    rk_law_closure closure;
    rk_reference_spec reference;
    int budget; /* of rk_series_edgeworth */
} rk_law_source;

/** A group of queries on one target, and the means to answer them. */
typedef struct rk_tail_job {
    const rk_target *target;
    rk_query *queries;
    size_t n;
    const rk_options *options;
    rk_law_source source;
    rk_pool *pool;
    uint64_t memory_limit;
    /* the ledger of all jobs */
    uint64_t flops, bytes, samples;
    bool interrupted;
    size_t n_done, n_events; /* for the progress report */
} rk_tail_job;

typedef struct rk_tail_method {
    rk_method_info info;
    const char *closure; /* the default after "name:"; NULL: the method takes none */
    rk_status (*run)(rk_tail_job *job, rk_error *error);
} rk_tail_method;

/** Finds "name[:closure]"; `canonical` (80 bytes) receives it spelled out. */
rk_status rk_tail_method_parse(const char *text, const rk_tail_method **method,
                               rk_law_source *source, char canonical[80], rk_error *error);

/** Runs `step` dry and, if there is memory for it, wet, and enters what it cost. */
rk_status rk_tail_step(rk_tail_job *job,
                       rk_status (*step)(rk_work *work, void *context, rk_error *error),
                       void *context, rk_error *error);

/** An estimate about which nothing is known. */
void rk_tail_estimate_clear(rk_tail_estimate *estimate);

#endif

/* What is asked of the methods for rare events, and the ledger of answering it. */
#ifndef RK_TAIL_JOB_H
#define RK_TAIL_JOB_H

#include "base/work.h"
#include "tail/law.h"
#include "tail/ledger.h"
#include "tail/target.h"

#define RK_LOG_10 2.30258509299404568402

/** Output `row` of the target beyond t. */
typedef struct rk_query {
    size_t event; /* its number among all */
    const char *text;
    size_t row;
    bool below;      /* z < t, not z > t */
    bool inclusive;  /* z = t, too */
    double t;        /* with the functional's bias taken off */
    double rounding; /* of that, more than t's own */
    uint64_t key;    /* of its random numbers: that of its functional */
    rk_tail_estimate *estimate;
} rk_query;

/** Where the cumulants come from. */
typedef struct rk_law_source {
    rk_law_closure closure;
    rk_reference_spec reference;
    int budget; /* of rk_series_edgeworth */
} rk_law_source;

/** A method is run dry, too: then it takes its steps, which only count, on the dearest of the ways
 *  that open after each, and fills no estimates. */
typedef enum rk_tail_mode {
    RK_TAIL_WET,
    RK_TAIL_AT_MOST, /**< dry: nothing costs more */
    RK_TAIL_AS_HOPED /**< dry: the same without what is done where a first try fails */
} rk_tail_mode;

/** A group of queries on one target, and the means to answer them. */
typedef struct rk_tail_job {
    rk_tail_mode mode;
    const rk_target *target;
    const char *name; /* of what the target gives: "outputs", "layer 3" */
    const rk_query *queries;
    size_t n;
    uint64_t passes;   /* for each */
    rk_tail_law *laws; /* of the target's outputs: found once, then kept; free() them */
    /* the same for all groups */
    const rk_options *options;
    const rk_law_source *source;
    rk_pool *pool;
    size_t lanes; /* of passes */
    uint64_t memory_limit;
    double flops_limit; /* of the ledger: steps that may exceed it are not begun; 0: none */
    rk_tail_ledger ledger;
    uint64_t samples;        /* passes done */
    uint64_t planned;        /* FLOPs of the last step, at most */
    bool interrupted;        /* by the caller */
    bool is_spent;           /* a step was not begun, for the limit */
    uint64_t overflowed;     /* passes of the last step that single precision could not hold */
    size_t n_done, n_events; /* for the progress report */
} rk_tail_job;

/** Runs `step` dry and, if there is memory for it, wet, and enters what it cost. `what` it is says
 *  its line in the ledger, and `of` which event, NULL for all of the job's. Does nothing if the
 *  limit on FLOPs does not pay for it. */
rk_status rk_tail_step(rk_tail_job *job, const char *of, const char *what,
                       rk_status (*step)(rk_work *work, void *context, rk_error *error),
                       void *context, rk_error *error);

/** Whether the caller or the limit ended it. */
bool rk_tail_is_stopped(const rk_tail_job *job);

/** Whether the last step has found something: the job is wet and not stopped. */
bool rk_tail_goes_on(const rk_tail_job *job);

/** The law of every output of the target from the job's closure, in job->laws. */
rk_status rk_tail_laws(rk_tail_job *job, rk_error *error);

/** Whether the last step's passes are worthless, which the estimate is warned of. */
bool rk_tail_overflowed(const rk_tail_job *job, rk_tail_estimate *estimate);

/** What z, computed in single precision, must exceed to be above t: values that differ from t by
 *  rounding are t, so that atoms of the law of z are on one side of it. `more` of it is added. */
double rk_query_threshold(double t, double more, bool inclusive);

/** An estimate about which nothing is known. */
void rk_tail_estimate_clear(rk_tail_estimate *estimate);

/** Its method, its probability, one more warning. */
void rk_tail_name(rk_tail_estimate *estimate, const char *method);
void rk_tail_set(rk_tail_estimate *estimate, double log_p);
void rk_tail_warn(rk_tail_estimate *estimate, const char *format, ...) RK_PRINTF(2, 3);

#endif

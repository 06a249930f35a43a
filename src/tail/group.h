/* Events by layer: the functionals of each become the outputs of one target. */
#ifndef RK_TAIL_GROUP_H
#define RK_TAIL_GROUP_H

#include "tail/job.h"

typedef struct rk_tail_group {
    rk_target target;
    char name[32]; /* "outputs", "layer 3" */
    rk_query *queries;
    size_t n;
} rk_tail_group;

/** The group of the events of `layer`, which there must be, on a target that is ready: its steps
 *  are done by `job`, wet, which uses nothing else of it. Equal functionals share an output. Clear
 *  after success and failure alike. */
rk_status rk_tail_group_create(rk_tail_group *out, rk_tail_job *job, const rk_network *net,
                               const rk_input *input, const rk_event *events, size_t n_events,
                               size_t layer, rk_error *error);
void rk_tail_group_clear(rk_tail_group *group);

/** Events of that layer. */
size_t rk_tail_group_count(const rk_event *events, size_t n_events, size_t layer);

#endif

/* Design points: where an event comes nearest to the origin, so that it is locally likeliest. */
#ifndef RK_TAIL_DESIGN_H
#define RK_TAIL_DESIGN_H

#include "base/stream.h"
#include "base/work.h"
#include "network/network.h"

typedef struct rk_design_spec {
    double t;
    uint64_t n; /* passes for each width that is tried */
    rk_stream stream;
    size_t lanes;
    bool centred;       /* of passes.h */
    const float *known; /* points of the event found by others: n_known x n_in */
    size_t n_known;
    size_t starts; /* of the search, at most */
} rk_design_spec;

/**
 * The design points of the event that the only output of `net`, fed with N(0, I), exceeds t, as far
 * as starts lead to them: passes of wider and wider normals, N(0, 1.5^2k I), until these meet the
 * event (parts of it that few points of N(0, I) come near are met about as often as others there),
 * and the known points. From starts in as different directions as there are, steps go down the
 * length along the boundary z = t, by the network's gradient. Writes distinct ones, nearest first,
 * to `points` (starts x n_in), leaving out what is too far to matter, and answers how many;
 * `passes` receives the forward passes done and their like, `scattered` whether nearly all starts
 * led to points of their own, so that there must be more. 0 if interrupted.
 */
size_t rk_design_points(rk_work *work, const rk_network *net, const rk_design_spec *spec,
                        double *points, uint64_t *passes, bool *scattered);

#endif

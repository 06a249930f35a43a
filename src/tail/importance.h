/* Unbiased probabilities from weighted passes (docs/MATH.md#importance). */
#ifndef RK_TAIL_IMPORTANCE_H
#define RK_TAIL_IMPORTANCE_H

#include "base/stream.h"
#include "tail/proposal.h"
#include "tail/sampled_saddlepoint.h"

typedef struct rk_importance_spec {
    double t;
    bool radial; /* homogeneous networks, n_in >= RK_RADIAL_MIN, t >= 0: each pass is a direction,
                  * and the length of x is integrated exactly */
    const rk_proposal *proposal;
    uint64_t n; /* passes */
    rk_stream stream;
    size_t lanes;
    bool centred; /* of passes.h */
    double sharp; /* `smooth` is wanted only where the cv of `unbiased` is above */
} rk_importance_spec;

/**
 * P(z > t) for the only output z of `net` under N(0, I), from passes weighted with
 * dN(0, I) / d(mixture): `unbiased`; and from the same passes, if not NULL, `smooth`, see
 * rk_sampled_saddlepoint. The second moment that the weights have over the expected population
 * counts for the error of `unbiased` if it is larger than the one seen. False if interrupted.
 */
bool rk_importance(rk_work *work, const rk_network *net, const rk_importance_spec *spec,
                   rk_weighted_mean *unbiased, rk_weighted_mean *smooth);

/** Fewer entries and the integral over the length is not smooth enough for its rule. */
enum { RK_RADIAL_MIN = 16 };

#endif

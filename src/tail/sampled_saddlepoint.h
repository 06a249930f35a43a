/* Passes under a tilt, read as a law and not as hits (docs/MATH.md#sampled-saddlepoint). */
#ifndef RK_TAIL_SAMPLED_SADDLEPOINT_H
#define RK_TAIL_SAMPLED_SADDLEPOINT_H

#include "tail/proposal.h"

/** The average of weights, or what stands for one, in logarithms. */
typedef struct rk_weighted_mean {
    double log_mean;  /* -infinity if no weight is positive */
    double cv;        /* its standard error relative to it */
    double effective; /* (sum w)^2 / sum w^2 */
    uint64_t n;
} rk_weighted_mean;

/** Passes of a mixture, one part after another: z, and log dN(0, I) / d(mixture). */
typedef struct rk_tilted_sample {
    double *z, *log_ratio;
    size_t n_parts;
    uint64_t count[RK_MAX_PARTS];
} rk_tilted_sample;

/** Evaluations of the generating function that a saddlepoint takes at most. */
enum { RK_SADDLEPOINT_STEPS = 45 };

/**
 * P(z > t) by Lugannani and Rice's formula on the cumulant generating function of z, as the passes
 * measure it. No pass needs to be a hit, and logarithms of averages hardly hang on the largest
 * weights, so that it is far less noisy than the weighted average of hits; it is biased by a few
 * per cent, of which `cv` has an estimate in it. log_mean is NaN where there is no saddlepoint.
 */
rk_weighted_mean rk_sampled_saddlepoint(const rk_tilted_sample *sample, double t);

#endif

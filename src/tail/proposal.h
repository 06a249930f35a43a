/* Where to look for an event: mixtures of normals with common axes, the tilt and design points.
 *
 * Among all normals q = N(mu, S) the one of least divergence from N(0, I) with E_q[z] = t obeys
 * S^-1 = I - 2 lambda dE_q[z]/dS, mu = lambda dE_q[z]/dmu (docs/MATH.md#tilt). */
#ifndef RK_TAIL_PROPOSAL_H
#define RK_TAIL_PROPOSAL_H

#include "base/work.h"
#include "network/network.h"

enum { RK_MAX_PARTS = 26 };

/** x = axes' y, part k of y independent N(mean_i, deviation_i^2). */
typedef struct rk_proposal {
    size_t n, n_parts;
    size_t n_tilts;    /* of the parts, the first: tilts, or N(0, I) */
    double directions; /* that the output depends on, about; 0 if there is no tilt */
    double *axes;      /* n x n, one axis a row; NULL: the coordinates */
    struct rk_proposal_part {
        double share; /* of the passes; they add up to 1 */
        double *mean, *deviation;
    } part[RK_MAX_PARTS];
} rk_proposal;

/** Passes of part k out of n: the parts come one after another, part 0 first. */
uint64_t rk_passes_of_part(const rk_proposal *proposal, size_t k, uint64_t n);

/** N(0, I), in memory of `work`, with room for more parts. */
rk_proposal rk_proposal_standard(rk_work *work, size_t n);

/**
 * For the event that the only output of `net`, fed with N(0, I), exceeds `t`: a tilt towards t, and
 * its mirror image for networks that are even in x, with room for more parts.
 * Each of `rounds` >= 1 expands E_q[z] to second order about the tilt that the last one found: a
 * rk_gradient_of_mean and an eigendecomposition. Two do; the deeper the tail the more a third and
 * fourth help. False if there are no eigenvectors (a width beyond LAPACK, or the closure gave NaN),
 * and for residual networks, which the gradient does not take.
 */
bool rk_proposal_find(rk_work *work, const rk_network *net, double t, int rounds, rk_proposal *out);

/** Adds N(points[k], I) for each design point (count x n), the more passes the nearer to the
 * origin; the parts that are there keep half of all. */
void rk_proposal_add(rk_work *work, rk_proposal *proposal, const double *points, size_t count);

#endif

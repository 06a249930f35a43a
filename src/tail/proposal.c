#include "tail/proposal.h"

#include "linalg/blas.h"
#include "tail/surrogate.h"

#include <math.h>
#include <string.h>

/* Of the variance; beyond, the closure is not believed. */
#define MOST_UNKNOWN 0.5

/* Of the passes, for the tilt and for its mirror image. */
static const double shares[] = {0.95, 0.05};

/* How far towards the event q goes. If z = Q + r, r the part c of Var z that Q does not know, then
 * the weights' second moment is least where E[Q] has come (1 - c) / (1 + c) of the way. For N(0,
 * I).
 */
static double reach(const rk_surrogate *q, double variance) {
    double c = fmin(fmax(1 - rk_surrogate_variance(q) / variance, 0), MOST_UNKNOWN);
    return (1 - c) / (1 + c);
}

/* The directions of x that z depends on: how many with equal parts of that variance there would be.
 */
static double directions(const rk_surrogate *q) {
    double sum = 0, square = 0;
    for (size_t i = 0; i < q->n; i++) {
        double own = q->slope[i] * q->slope[i] + 0.5 * q->curvature[i] * q->curvature[i];
        sum += own;
        square += own * own;
    }
    return sum * sum / square;
}

static struct rk_proposal_part part_take(rk_work *work, size_t n, double share) {
    return (struct rk_proposal_part){share, rk_work_doubles(work, n, 1),
                                     rk_work_doubles(work, n, 1)};
}

rk_proposal rk_proposal_standard(rk_work *work, size_t n) {
    rk_proposal p = {.n = n, .n_parts = 1, .n_tilts = 1};
    for (size_t k = 0; k < RK_MAX_PARTS; k++)
        p.part[k] = part_take(work, n, k == 0);
    for (size_t i = 0; rk_work_charge(work, 0) && i < n; i++) {
        p.part[0].mean[i] = 0;
        p.part[0].deviation[i] = 1;
    }
    return p;
}

uint64_t rk_passes_of_part(const rk_proposal *proposal, size_t k, uint64_t n) {
    double before = 0;
    for (size_t j = 0; j < k; j++)
        before += proposal->part[j].share;
    uint64_t first = (uint64_t)((double)n * before + 0.5);
    double after = before + proposal->part[k].share;
    uint64_t end = k + 1 == proposal->n_parts ? n : (uint64_t)((double)n * after + 0.5);
    return end - first;
}

bool rk_proposal_find(rk_work *work, const rk_network *net, double t, int rounds,
                      rk_proposal *out) {
    if (!rk_network_is_plain(net)) return false;
    size_t n = rk_network_n_in(net);
    rk_surrogate q = rk_surrogate_take(work, n);
    rk_proposal p = {.n = n, .n_parts = 2, .n_tilts = 2, .axes = q.axes};
    for (size_t k = 0; k < RK_MAX_PARTS; k++)
        p.part[k] = part_take(work, n, k < p.n_parts ? shares[k] : 0);
    double *mu = rk_work_doubles(work, n, 1), *S = rk_work_doubles(work, n, n), seed = 1;
    rk_mean_gradient g = {.mean = rk_work_doubles(work, n, 1),
                          .covariance = rk_work_doubles(work, n, n)};
    if (rk_work_charge(work, 0)) memset(mu, 0, n * sizeof *mu);
    double goal = t;
    for (int round = 0; round < rounds; round++) {
        rk_input input = {.mean = mu, .covariance = round ? S : NULL};
        rk_gradient_of_mean(work, net, &input, &seed, &g);
        if (!rk_surrogate_expand(work, mu, input.covariance, &g, &q)) return false;
        if (rk_work_charge(work, 500 * (uint64_t)n)) {
            if (round == 0) p.directions = directions(&q);
            if (round == 0) goal = g.value + reach(&q, g.variance) * (t - g.value);
            if (!isfinite(q.value)) return false;
            rk_surrogate_tilt(&q, rk_surrogate_solve(&q, goal), p.part[0].mean,
                              p.part[0].deviation);
        }
        if (round + 1 < rounds)
            rk_surrogate_turn_back(work, &q, p.part[0].mean, p.part[0].deviation, mu, S);
    }
    if (rk_work_charge(work, 0))
        for (size_t i = 0; i < n; i++) {
            p.part[1].mean[i] = -p.part[0].mean[i];
            p.part[1].deviation[i] = p.part[0].deviation[i];
        }
    *out = p;
    return true;
}

/* Half of the likelihoods exp(-|x|^2 / 2), in logarithms: what is far is seen, too. */
static void weigh_parts(rk_proposal *p, size_t first, const double *square) {
    double sum = 0;
    for (size_t k = first; k < p->n_parts; k++)
        sum += exp(0.25 * (square[first] - square[k]));
    for (size_t k = 0; k < first; k++)
        p->part[k].share *= 0.5;
    for (size_t k = first; k < p->n_parts; k++)
        p->part[k].share = 0.5 * exp(0.25 * (square[first] - square[k])) / sum;
}

void rk_proposal_add(rk_work *work, rk_proposal *p, const double *points, size_t count) {
    size_t first = p->n_parts, n = p->n;
    double square[RK_MAX_PARTS];
    for (size_t k = 0; k < count && first + k < RK_MAX_PARTS; k++) {
        const double *x = points + k * n;
        struct rk_proposal_part *part = &p->part[first + k];
        if (p->axes) rk_gemv(work, n, n, p->axes, x, NULL, part->mean);
        if (!rk_work_charge(work, 4 * n)) continue;
        if (!p->axes) memcpy(part->mean, x, n * sizeof *x);
        square[first + k] = 0;
        for (size_t j = 0; j < n; j++) {
            part->deviation[j] = 1;
            square[first + k] += x[j] * x[j];
        }
        p->n_parts = first + k + 1;
    }
    if (p->n_parts > first) weigh_parts(p, first, square);
}

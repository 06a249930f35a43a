#include "estimate/anchor.h"

#include <math.h>

const rk_method_spec rk_anchor_closure = {.kind = RK_THIRD,
                                          .tilt = RK_TILT_ON,
                                          .fourth = RK_FOURTH_FULL,
                                          .rank = 8,
                                          .reach = 3,
                                          .old = RK_OLD_EXACT};

/* What it errs by at layer l, over the variance, is about BIAS (l/n)^3; the noise
 * that passes add above l about the share of the activations there to the power L / PACE, L the
 * number of all. Fitted by bench/anchor: docs/FRONTIER.md#anchor. */
static const double BIAS = 0.03, PACE = 8;

/* Deeper for its width than this it promises nothing. */
static const double MOST_SLENDER = 0.2;

static size_t activations_above(const rk_network *net, size_t layer) {
    size_t count = 0;
    for (size_t l = layer + 1; l < net->n_layers; l++)
        count += rk_network_is_activated(net, l);
    return count;
}

rk_anchor rk_anchor_choose(const rk_network *net, double noise) {
    rk_anchor best = {.error = noise};
    double slenderness = 1 / (double)net->layers[0].rows;
    const double all = (double)activations_above(net, 0);
    for (size_t l = 1; l + 1 < net->n_layers && all > 0; l++) {
        slenderness += 1 / (double)net->layers[l].rows;
        if (slenderness > MOST_SLENDER) break;
        const double bias = BIAS * slenderness * slenderness * slenderness;
        const double share = (double)activations_above(net, l) / all;
        const double error = bias + noise * pow(share, (all + 1) / PACE); /* + 1: that of layer 0 */
        if (error < best.error) best = (rk_anchor){l, error};
    }
    return best;
}

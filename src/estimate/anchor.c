#include "estimate/anchor.h"

/* Times (L/n)^3, the error of third:gauge=full: 0.02 to 0.07 for the relu networks of
 * docs/FRONTIER.md#anchor, of 64 to 1024 neurons and 4 to 32 layers. */
static const double BIAS = 0.04;

/* Deeper for its width than this it promises nothing. */
static const double MOST_SLENDER = 0.2;

static size_t activations_above(const rk_network *net, size_t layer) {
    size_t count = 0;
    for (size_t l = layer + 1; l < net->n_layers; l++)
        count += rk_network_is_activated(net, l);
    return count;
}

/* Each activation above adds about as much noise as any other (docs/FRONTIER.md#anchor). */
rk_anchor rk_anchor_choose(const rk_network *net, double noise) {
    rk_anchor best = {.error = noise};
    double slenderness = 1 / (double)net->layers[0].rows;
    const double all = (double)activations_above(net, 0);
    for (size_t l = 1; l + 1 < net->n_layers && all > 0; l++) {
        slenderness += 1 / (double)net->layers[l].rows;
        if (slenderness > MOST_SLENDER) break;
        const double bias = BIAS * slenderness * slenderness * slenderness;
        const double error = bias + noise * (double)activations_above(net, l) / all;
        if (error < best.error) best = (rk_anchor){l, bias, error};
    }
    return best;
}

#include "activation/wide.h"

#include "activation/gauss_legendre.h"
#include "activation/vector_math.h"

#include <math.h>

/* Beyond the last of these the asymptote is within 1e-16 of phi, and relative to z exactly it. */
static const double ends[] = {0, 1, 3, 7, 15, 40};
enum {
    PANELS = sizeof ends / sizeof *ends - 1,
    NODES = 2 * LEGENDRE_PAIRS, /* of a panel */
    POINTS = 2 * PANELS * NODES /* of both sides */
};

typedef struct grid {
    double z[POINTS], weight[POINTS];
} grid;

static void lay_out(grid *g) {
    int at = 0;
    for (int panel = 0; panel < PANELS; panel++) {
        const double middle = (ends[panel] + ends[panel + 1]) / 2;
        const double half = (ends[panel + 1] - ends[panel]) / 2;
        for (int m = 0; m < LEGENDRE_PAIRS; m++)
            for (int sign = -1; sign <= 1; sign += 2)
                for (int side = -1; side <= 1; side += 2) {
                    g->z[at] = side * (middle + sign * half * legendre[m].node);
                    g->weight[at++] = half * legendre[m].weight;
                }
    }
}

void rk_wide_wick(const rk_activation *self, double mu, double var, int k_max, int p_max,
                  double centre, double *w, size_t stride) {
    const rk_activation asymptote = {.kind = rk_activation_get(self->kind)->asymptote};
    const rk_activation_ops *far = rk_activation_get(asymptote.kind);
    double own[(RK_WICK_MAX_K + 1) * RK_WICK_MAX_P], at_mean;
    far->wick(&asymptote, 1, &mu, &var, k_max, p_max, &at_mean, own);
    const double shift = at_mean - centre;
    rk_wick_shift(1, k_max, p_max, &shift, own);

    /* what is left, by sigma^-k E[He_k(x) (psi^p - asymptote^p)] */
    grid g;
    double phi[POINTS], limit[POINTS], density[POINTS], x[POINTS];
    const double sigma = sqrt(var);
    lay_out(&g);
    rk_activation_get(self->kind)->value(self, POINTS, g.z, phi);
    far->value(&asymptote, POINTS, g.z, limit);
    for (int m = 0; m < POINTS; m++) {
        x[m] = (g.z[m] - mu) / sigma;
        density[m] = -0.5 * x[m] * x[m];
        phi[m] -= centre;
        limit[m] -= centre;
    }
    rk_vector_exp(POINTS, density);
    double phi_p[POINTS], limit_p[POINTS];
    for (int m = 0; m < POINTS; m++) {
        density[m] *= g.weight[m] * (0.5 * M_2_SQRTPI * M_SQRT1_2) / sigma;
        phi_p[m] = limit_p[m] = 1;
    }
    for (int p = 1; p <= p_max; p++) {
        double before[POINTS], now[POINTS], scale = 1; /* weighted He_{k-1}, He_k */
        for (int m = 0; m < POINTS; m++) {
            phi_p[m] *= phi[m];
            limit_p[m] *= limit[m];
            before[m] = 0;
            now[m] = density[m] * (phi_p[m] - limit_p[m]);
        }
        for (int k = 0; k <= k_max; k++) {
            double total = 0;
            for (int m = 0; m < POINTS; m++) {
                const double next = x[m] * now[m] - k * before[m];
                total += now[m];
                before[m] = now[m];
                now[m] = next;
            }
            const int at = (p - 1) * (k_max + 1) + k;
            w[(size_t)at * stride] = own[at] + total * scale;
            scale /= sigma;
        }
    }
}

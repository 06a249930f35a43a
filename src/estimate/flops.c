#include "estimate/flops.h"

#include <math.h>

typedef enum metrics { EXACT, AVERAGE, BOTH } metrics;

/* c[i][j] is the coefficient of n^i l^j, where l + 1 is the number of hidden layers: FLOPs of the
 * public reference to the activations of the last of them. Counted on it (see docs/METHODS.md), so
 * data: they tell of its program, not of the mathematics. */
static const struct count {
    int K;
    rk_reference_kind kind;
    bool factored;
    metrics metric;
    double c[6][3];
} counts[] = {
    {1, RK_REFERENCE_SIMPLE, false, EXACT, {[2] = {4, 4}, [1] = {67, 66}, [0] = {10, 6}}},
    {1, RK_REFERENCE_SIMPLE, false, AVERAGE, {[2] = {2, 2}, [1] = {68, 67}, [0] = {10, 6}}},
    {2, RK_REFERENCE_SIMPLE, false, BOTH, {[3] = {3, 3}, [2] = {18, 18}, [1] = {77, 77}}},
    {2,
     RK_REFERENCE_AUGMENT,
     false,
     EXACT,
     {[3] = {7, 11}, [2] = {107, 164}, [1] = {255, 397}, [0] = {13, 13}}},
    {2,
     RK_REFERENCE_AUGMENT,
     false,
     AVERAGE,
     {[3] = {3, 3}, [2] = {99, 135}, [1] = {255, 397}, [0] = {13, 13}}},
    {3,
     RK_REFERENCE_SIMPLE,
     true,
     EXACT,
     {[3] = {13, 27, 12}, [2] = {132, 197, 16}, [1] = {249, 395}, [0] = {11, 11}}},
    {3,
     RK_REFERENCE_SIMPLE,
     true,
     AVERAGE,
     {[3] = {9, 21, 12}, [2] = {124, 178, 16}, [1] = {249, 395}, [0] = {11, 11}}},
    {3,
     RK_REFERENCE_AUGMENT,
     true,
     EXACT,
     {[3] = {110, 433 / 2.0, 108},
      [2] = {317, 1455 / 2.0, 180},
      [1] = {342, 517, -27},
      [0] = {12, 12}}},
    {3,
     RK_REFERENCE_AUGMENT,
     true,
     AVERAGE,
     {[3] = {106, 403 / 2.0, 96},
      [2] = {309, 1385 / 2.0, 160},
      [1] = {342, 515, -24},
      [0] = {12, 12}}},
    {3,
     RK_REFERENCE_SIMPLE,
     false,
     EXACT,
     {[4] = {0, 7 / 3.0},
      [3] = {521 / 6.0, 607 / 6.0},
      [2] = {359 / 2.0, 1519 / 6.0},
      [1] = {935 / 3.0, 1363 / 3.0},
      [0] = {17, 17}}},
    {3,
     RK_REFERENCE_SIMPLE,
     false,
     AVERAGE,
     {[4] = {0, 7 / 3.0},
      [3] = {497 / 6.0, 559 / 6.0},
      [2] = {343 / 2.0, 1351 / 6.0},
      [1] = {935 / 3.0, 1363 / 3.0},
      [0] = {17, 17}}},
    {3,
     RK_REFERENCE_AUGMENT,
     false,
     EXACT,
     {[4] = {0, 7 / 3.0},
      [3] = {229 / 2.0, 427 / 2.0},
      [2] = {501 / 2.0, 3139 / 6.0},
      [1] = {354, 529},
      [0] = {12, 12}}},
    {3,
     RK_REFERENCE_AUGMENT,
     false,
     AVERAGE,
     {[4] = {0, 7 / 3.0},
      [3] = {221 / 2.0, 393 / 2.0},
      [2] = {485 / 2.0, 2935 / 6.0},
      [1] = {354, 529},
      [0] = {12, 12}}},
    {4,
     RK_REFERENCE_SIMPLE,
     true,
     BOTH,
     {[4] = {8, 79 / 3.0, 16},
      [3] = {319 / 2.0, 539 / 2.0, 14},
      [2] = {455 / 2.0, 2905 / 6.0, 2},
      [1] = {375, 559}}},
    {4,
     RK_REFERENCE_SIMPLE,
     false,
     BOTH,
     {[5] = {0, 5 / 4.0},
      [4] = {133 / 2.0, 467 / 6.0},
      [3] = {267 / 2.0, 885 / 4.0},
      [2] = {230, 1430 / 3.0},
      [1] = {363, 540}}},
};

static const struct count *find(const rk_reference_spec *spec) {
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        const struct count *c = &counts[i];
        metrics metric = spec->metric == RK_METRIC_EXACT ? EXACT : AVERAGE;
        if (c->K == spec->K && c->kind == spec->kind &&
            (spec->K < 3 || c->factored == spec->factored) &&
            (c->metric == metric || c->metric == BOTH))
            return c;
    }
    return NULL;
}

/* ReLU layers of one width, and a linear output. */
static bool is_covered(const rk_network *net) {
    bool covered = net->n_layers > 1;
    for (size_t l = 0; l < net->n_layers; l++) {
        bool last = l + 1 == net->n_layers;
        rk_activation_kind expected = last ? RK_IDENTITY : RK_RELU;
        covered = covered && net->layers[l].rows == rk_network_n_in(net) &&
                  net->layers[l].activation.kind == expected;
    }
    return covered;
}

double rk_flops_of_reference(const rk_network *net, const rk_reference_spec *spec) {
    const struct count *count = is_covered(net) ? find(spec) : NULL;
    if (!count) return (double)NAN;
    double n = (double)rk_network_n_in(net), l = (double)net->n_layers - 2;
    double sum = 2 * n * n; /* the output layer */
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 3; j++)
            sum += count->c[i][j] * pow(n, i) * pow(l, j);
    return sum;
}

double rk_flops_of_sample(const rk_network *net, uint64_t samples) {
    double pass = 0;
    for (size_t l = 0; l < net->n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        if (layer->weight) pass += 2 * (double)layer->rows * (double)layer->cols;
        if (rk_network_is_activated(net, l)) pass += (double)layer->rows;
    }
    return pass * (double)samples;
}

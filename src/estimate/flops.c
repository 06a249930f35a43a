#include "estimate/flops.h"

#include "propagate/gauge.h"

#include <math.h>

/* A term c n^i l^j, where l + 1 is the number of hidden layers. */
typedef struct term {
    double c;
    int i, j;
} term;

/* Counted on the public reference; to the last hidden layer's activations. */
static const term mean_exact[] = {{4, 2, 1}, {4, 2, 0},  {66, 1, 1}, {67, 1, 0},
                                  {6, 0, 1}, {10, 0, 0}, {0, 0, 0}};
static const term mean_average[] = {{2, 2, 1}, {2, 2, 0},  {67, 1, 1}, {68, 1, 0},
                                    {6, 0, 1}, {10, 0, 0}, {0, 0, 0}};
static const term covariance[] = {{3, 3, 1},  {3, 3, 0},  {18, 2, 1}, {18, 2, 0},
                                  {77, 1, 1}, {77, 1, 0}, {0, 0, 0}};
static const term third_exact[] = {{12, 3, 2},  {27, 3, 1},  {13, 3, 0},  {16, 2, 2},
                                   {197, 2, 1}, {132, 2, 0}, {395, 1, 1}, {249, 1, 0},
                                   {11, 0, 1},  {11, 0, 0},  {0, 0, 0}};
static const term third_average[] = {{12, 3, 2},  {21, 3, 1},  {9, 3, 0},   {16, 2, 2},
                                     {178, 2, 1}, {124, 2, 0}, {395, 1, 1}, {249, 1, 0},
                                     {11, 0, 1},  {11, 0, 0},  {0, 0, 0}};

static double evaluate(const rk_network *net, const term *polynomial) {
    double n = (double)rk_network_n_in(net), hidden = (double)net->n_layers - 1;
    bool covered = net->n_layers > 1;
    for (size_t l = 0; l < net->n_layers; l++) {
        bool last = l + 1 == net->n_layers;
        rk_activation_kind expected = last ? RK_IDENTITY : RK_RELU;
        covered = covered && net->layers[l].rows == rk_network_n_in(net) &&
                  net->layers[l].activation.kind == expected;
    }
    if (!covered) return (double)NAN;
    double sum = 2 * n * n; /* the output layer */
    for (const term *t = polynomial; t->c != 0; t++)
        sum += t->c * pow(n, t->i) * pow(hidden - 1, t->j);
    return sum;
}

double rk_flops_of_mean(const rk_problem *problem) {
    return evaluate(problem->net,
                    problem->arguments.metric == RK_METRIC_EXACT ? mean_exact : mean_average);
}

double rk_flops_of_covariance(const rk_problem *problem) {
    return evaluate(problem->net, covariance);
}

double rk_flops_of_third(const rk_problem *problem) {
    rk_gauge gauge = rk_gauge_choose((rk_gauge)problem->arguments.gauge, problem->net,
                                     problem->options.covariance);
    if (gauge != RK_GAUGE_NONE) return (double)NAN;
    return evaluate(problem->net,
                    problem->arguments.metric == RK_METRIC_EXACT ? third_exact : third_average);
}

double rk_flops_of_sample(const rk_problem *problem) {
    const rk_network *net = problem->net;
    double pass = 0;
    for (size_t l = 0; l < net->n_layers; l++) {
        pass += 2 * (double)net->layers[l].rows * (double)net->layers[l].cols;
        if (rk_network_is_activated(net, l)) pass += (double)net->layers[l].rows;
    }
    return pass * (double)problem->options.samples;
}

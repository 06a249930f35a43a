/* What a caller waits for beyond the work itself:
 *
 *     call_overhead [repeats]      (default 5)
 *
 * For every method at 256 x 4 and 1024 x 16: the clock around rk_estimate over the sum of the steps
 * it reports, whose products are what has to be done; the least of some runs of either. What is
 * left is planning, choosing, threads and memory. Methods that a network does not take or that need
 * more than 5e11 FLOPs are left out. */
#include "kernel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const double most_flops = 5e11;

typedef struct call {
    double wall, steps, seconds; /* seconds: as the answer says */
} call;

static bool is_affordable(const rk_network *net, const rk_options *options) {
    rk_plan *plan;
    if (rk_plan_create(&plan, net, NULL, options, NULL) != RK_OK) return false;
    bool affordable = (double)rk_plan_cost(plan).flops_executed <= most_flops;
    rk_plan_destroy(plan);
    return affordable;
}

static call measure(const rk_network *net, const rk_options *options) {
    rk_answer *answer;
    rk_error error;
    call c = {.wall = -rk_seconds()};
    if (rk_estimate(&answer, net, NULL, options, &error) != RK_OK) study_stop(error.message);
    c.wall += rk_seconds();
    const rk_answer_data *a = rk_answer_view(answer);
    for (size_t s = 0; s < a->cost.n_steps; s++)
        c.steps += a->cost.steps[s].seconds;
    c.seconds = a->seconds;
    rk_answer_destroy(answer);
    return c;
}

static void print(size_t width, size_t hidden, const rk_network *net, const char *method,
                  size_t repeats) {
    rk_options options = rk_options_default();
    options.method = study_method(method);
    options.samples = 10000;
    if (!is_affordable(net, &options)) return;
    call least = {INFINITY, INFINITY, INFINITY};
    for (size_t r = 0; r < repeats; r++) {
        const call c = measure(net, &options);
        least.wall = fmin(least.wall, c.wall);
        least.steps = fmin(least.steps, c.steps);
        least.seconds = fmin(least.seconds, c.seconds);
    }
    printf("{\"method\": \"%s\", \"width\": %zu, \"hidden\": %zu, \"wall_seconds\": %.4g, "
           "\"seconds_reported\": %.4g, \"step_seconds\": %.4g, \"wall_over_steps\": %.3f}\n",
           method, width, hidden, least.wall, least.seconds, least.steps, least.wall / least.steps);
    fflush(stdout);
}

int main(int argc, char **argv) {
    static const size_t sizes[][2] = {{256, 4}, {1024, 16}};
    size_t repeats = argc > 1 ? strtoul(argv[1], NULL, 10) : 5;
    if (repeats == 0) study_stop("expected a positive number");
    for (size_t k = 0; k < 2; k++) {
        rk_network *net = study_relu(sizes[k][0], sizes[k][1], 0);
        const rk_method_info *info;
        for (size_t i = 0; (info = rk_method_at(i)); i++)
            print(sizes[k][0], sizes[k][1], net, info->name, repeats);
        rk_network_destroy(net);
    }
    return 0;
}

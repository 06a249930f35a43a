/* What one call for many networks saves:
 *
 *     many [networks [width hidden [method [repeats]]]]      (default 100 32 3 third 20)
 *
 * The clock around rk_estimate_many over that around rk_estimate for each, both as a caller finds
 * them and with a context made before; in turns, the best of some runs of each. The bits are
 * compared. */
#include "kernel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(const rk_job *job, const rk_answer *alone) {
    if (job->error.status != RK_OK) study_stop(job->error.message);
    const rk_answer_data *a = rk_answer_view(alone), *b = rk_answer_view(job->answer);
    if (memcmp(a->mean, b->mean, a->n_out * sizeof *a->mean) != 0) study_stop("other bits");
}

static double one_by_one(rk_answer **answers, const rk_job *jobs, size_t n,
                         const rk_options *options) {
    rk_error error;
    const double start = rk_seconds();
    for (size_t i = 0; i < n; i++)
        if (rk_estimate(&answers[i], jobs[i].net, NULL, options, &error) != RK_OK)
            study_stop(error.message);
    return rk_seconds() - start;
}

static double together(rk_job *jobs, size_t n, const rk_options *options) {
    rk_error error;
    const double start = rk_seconds();
    if (rk_estimate_many(jobs, n, options, &error) != RK_OK) study_stop(error.message);
    return rk_seconds() - start;
}

int main(int argc, char **argv) {
    const size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 100;
    const size_t width = argc > 3 ? strtoul(argv[2], NULL, 10) : 32;
    const size_t hidden = argc > 3 ? strtoul(argv[3], NULL, 10) : 3;
    const size_t repeats = argc > 5 ? strtoul(argv[5], NULL, 10) : 20;
    if (n == 0 || width == 0 || hidden == 0 || repeats == 0)
        study_stop("expected positive numbers");
    rk_job *jobs = need(n, sizeof *jobs);
    rk_answer **answers = need(n, sizeof *answers);
    for (size_t i = 0; i < n; i++)
        jobs[i].net = study_relu(width, hidden, i);
    rk_options options = rk_options_default();
    const char *method = argc > 4 ? argv[4] : "third";
    options.method = study_method(method);
    options.samples = 10000;
    const rk_context_options shared = {.size = sizeof shared};
    rk_context *context;
    if (rk_context_create(&context, &shared, NULL) != RK_OK) study_stop("no context");
    double alone[2] = {INFINITY, INFINITY}, many[2] = {INFINITY, INFINITY};
    for (size_t r = 0; r < repeats; r++)
        for (int kept = 0; kept < 2; kept++) {
            options.context = kept ? context : NULL;
            alone[kept] = fmin(alone[kept], one_by_one(answers, jobs, n, &options));
            many[kept] = fmin(many[kept], together(jobs, n, &options));
            for (size_t i = 0; i < n; i++) {
                check(&jobs[i], answers[i]);
                rk_answer_destroy(answers[i]);
                rk_answer_destroy(jobs[i].answer);
            }
        }
    printf("{\"method\": \"%s\", \"networks\": %zu, \"width\": %zu, \"hidden\": %zu, "
           "\"one_by_one_seconds\": %.4g, \"together_seconds\": %.4g, \"gain\": %.3g, "
           "\"with_context\": {\"one_by_one_seconds\": %.4g, \"together_seconds\": %.4g}}\n",
           method, n, width, hidden, alone[0], many[0], alone[0] / many[0], alone[1], many[1]);
    rk_context_destroy(context);
    for (size_t i = 0; i < n; i++)
        rk_network_destroy((rk_network *)jobs[i].net);
    free(answers);
    free(jobs);
    return 0;
}

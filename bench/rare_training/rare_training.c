/* Networks trained against an event that no sample shows: rare_training [networks [width [log10 p]]]
 * prints CSV, a line a step and one for the end of each run.
 *
 * He networks of three relu layers and 16 outputs, y[0] > t with t such that P = 10^-6 (importance
 * sampling). Steps have no probabilities; in the end they are unbiased: importance sampling, or
 * subset simulation where that says more. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "reckon/reckon.h"
#include "study.h"

enum { OUTPUTS = 16, SEARCH_PASSES = 20000 };

static const struct view {
    const char *name;
    rk_event_view view;
} views[] = {{"a+c", RK_VIEW_BOTH}, {"a", RK_VIEW_NORMAL}, {"c", RK_VIEW_TILTS}};

static double log10_p(const rk_network *net, const rk_event *event, rk_tail_kind kind) {
    const rk_tail_spec spec = {.size = sizeof spec, .kind = kind};
    rk_options options = rk_options_default();
    rk_tail_answer *answer;
    rk_error error;
    options.tail = &spec;
    options.samples = SEARCH_PASSES;
    if (rk_tail(&answer, net, NULL, event, 1, &options, &error) != RK_OK) study_stop(error.message);
    const double p = rk_tail_view(answer)->estimates[0].log10_p;
    rk_tail_destroy(answer);
    return p;
}

/* t with P(y[0] > t) = 10^wanted, to a few per cent of P. */
static double find_threshold(const rk_network *net, rk_event *event, double wanted) {
    double low = 0, high = 1;
    event->threshold = high;
    while (log10_p(net, event, RK_TAIL_BY_IMPORTANCE) > wanted)
        event->threshold = high *= 1.5;
    for (int k = 0; k < 14; k++) {
        event->threshold = 0.5 * (low + high);
        if (log10_p(net, event, RK_TAIL_BY_IMPORTANCE) > wanted)
            low = event->threshold;
        else
            high = event->threshold;
    }
    return event->threshold = 0.5 * (low + high);
}

static void train(uint64_t seed, const struct view *view, const rk_network *net,
                  const rk_event *event) {
    rk_train_event_options options = rk_train_event_options_default();
    rk_trained *trained;
    rk_error error;
    options.view = view->view;
    options.seed = seed;
    if (rk_train_event(&trained, net, NULL, event, &options, &error) != RK_OK)
        study_stop(error.message);
    const rk_train_event_data *d = rk_trained_view(trained);
    for (size_t k = 0; k < d->n_curve; k++)
        printf("%llu,%s,%llu,%.6g,,,,,,%.4g,%.4g,%.4g,%zu,%.4g,%.3g\n", (unsigned long long)seed,
               view->name, (unsigned long long)d->curve[k].step, event->threshold,
               d->curve[k].closure_loss, d->curve[k].loss, d->curve[k].log10_tilts,
               d->curve[k].n_modes, d->curve[k].flops, d->curve[k].seconds);
    printf("%llu,%s,end,%.6g,%.4f,%.4f,%.2g,%.4g,%.3f,%.4g,%.4g,%.2g,,%.4g,%.3g\n",
           (unsigned long long)seed, view->name, event->threshold, d->before.log10_p,
           d->after.log10_p, d->after.cv, pow(10, d->log10_factor), d->after_check.log10_p,
           d->closure_loss, d->loss, d->loss_standard_error, d->flops, d->seconds);
    for (size_t k = 0; k < d->n_warnings; k++)
        fprintf(stderr, "%llu %s: %s\n", (unsigned long long)seed, view->name, d->warnings[k]);
    fflush(stdout);
    rk_trained_destroy(trained);
}

int main(int argc, char **argv) {
    const uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 10;
    const size_t width = argc > 2 ? strtoull(argv[2], NULL, 10) : 64;
    const double wanted = argc > 3 ? atof(argv[3]) : -6;
    const size_t hidden[] = {width, width, width};
    printf("net,method,step,t,log10_before,log10_after,cv_after,factor,log10_check,closure_loss,"
           "loss,log10_tilts,modes,flops,seconds\n");
    for (uint64_t seed = 0; seed < count; seed++) {
        const rk_random_spec spec = {.n_in = width,
                                     .n_out = OUTPUTS,
                                     .hidden = hidden,
                                     .n_hidden = 3,
                                     .activation = {.kind = RK_RELU},
                                     .seed = seed};
        const rk_event_term term = {0, 1};
        rk_event event = {.text = "y[0] > t", .terms = &term, .n_terms = 1};
        rk_network *net;
        rk_error error;
        if (rk_network_random(&net, &spec, &error) != RK_OK) study_stop(error.message);
        find_threshold(net, &event, wanted);
        for (size_t v = 0; v < sizeof views / sizeof *views; v++)
            train(seed, &views[v], net, &event);
        rk_network_destroy(net);
    }
    return 0;
}

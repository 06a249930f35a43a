/* Networks trained against an event that no sample shows: rare_training [networks [width [log10
 * p]]] prints CSV, a line a step and one for the end of each run.
 *
 * He networks of three relu layers and 16 outputs, y[0] > t with t such that P = 10^-6 (importance
 * sampling). Steps have no probabilities; in the end they are unbiased: importance sampling, or
 * subset simulation where that says more. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "rare.h"
#include "study.h"

static const struct view {
    const char *name;
    rk_event_view view;
} views[] = {{"a+c", RK_VIEW_BOTH}, {"a", RK_VIEW_NORMAL}, {"c", RK_VIEW_TILTS}};

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
    printf("net,method,step,t,log10_before,log10_after,cv_after,factor,log10_check,closure_loss,"
           "loss,log10_tilts,modes,flops,seconds\n");
    for (uint64_t seed = 0; seed < count; seed++) {
        const rk_event_term term = {0, 1};
        rk_event event = {.text = "y[0] > t", .terms = &term, .n_terms = 1};
        rk_network *net = rare_network(width, seed);
        rare_threshold(net, &event, wanted);
        for (size_t v = 0; v < sizeof views / sizeof *views; v++)
            train(seed, &views[v], net, &event);
        rk_network_destroy(net);
    }
    return 0;
}

#include "rare.h"

#include "study.h"

enum { OUTPUTS = 16, SEARCH_PASSES = 20000, HALVINGS = 14 };

rk_network *rare_network(size_t width, uint64_t seed) {
    const size_t hidden[] = {width, width, width};
    const rk_random_spec spec = {.n_in = width,
                                 .n_out = OUTPUTS,
                                 .hidden = hidden,
                                 .n_hidden = 3,
                                 .activation = {.kind = RK_RELU},
                                 .seed = seed};
    rk_network *net;
    rk_error error;
    if (rk_network_random(&net, &spec, &error) != RK_OK) study_stop(error.message);
    return net;
}

rk_tail_estimate rare_probability(const rk_network *net, const rk_event *event, rk_tail_kind kind,
                                  uint64_t passes) {
    const rk_tail_spec spec = {.size = sizeof spec, .kind = kind};
    rk_options options = rk_options_default();
    rk_tail_answer *answer;
    rk_error error;
    options.tail = &spec;
    options.samples = passes;
    if (rk_tail(&answer, net, NULL, event, 1, &options, &error) != RK_OK) study_stop(error.message);
    const rk_tail_estimate estimate = rk_tail_view(answer)->estimates[0];
    rk_tail_destroy(answer);
    return estimate;
}

static bool is_likelier(const rk_network *net, const rk_event *event, double wanted) {
    return rare_probability(net, event, RK_TAIL_BY_IMPORTANCE, SEARCH_PASSES).log10_p > wanted;
}

void rare_threshold(const rk_network *net, rk_event *event, double wanted) {
    double low = 0, high = 1;
    event->threshold = high;
    while (is_likelier(net, event, wanted))
        event->threshold = high *= 1.5;
    for (int k = 0; k < HALVINGS; k++) {
        event->threshold = 0.5 * (low + high);
        if (is_likelier(net, event, wanted))
            low = event->threshold;
        else
            high = event->threshold;
    }
    event->threshold = 0.5 * (low + high);
}

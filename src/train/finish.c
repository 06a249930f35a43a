#include "train/finish.h"

#include <math.h>

static size_t hidden_width(const rk_network *net) {
    double sum = 0;
    for (size_t l = 0; l + 1 < net->n_layers; l++)
        sum += 1 / (double)net->layers[l].rows;
    return (size_t)lround((double)(net->n_layers - 1) / sum);
}

rk_sampled_steps_spec rk_finish_spec(const rk_network *teacher) {
    const size_t n = hidden_width(teacher);
    return (rk_sampled_steps_spec){.kind = RK_SGD,
                                   .rate = fmin(0.1, 0.4 / sqrt((double)n)),
                                   .schedule = RK_SCHEDULE_LINEAR,
                                   .points = RK_POINTS_ANTITHETIC,
                                   .batch = n > 4 ? 2 * n : 8};
}

bool rk_finish_pays(const rk_network *student, double samples) {
    double n_parameters = 0;
    for (size_t l = 0; l < student->n_layers; l++)
        n_parameters += (double)(student->layers[l].rows * student->layers[l].cols);
    const double noise = n_parameters / (double)rk_network_n_out(student) / samples;
    return 1.5 / (double)hidden_width(student) > 2 * noise;
}

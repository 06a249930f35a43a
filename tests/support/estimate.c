#include "support/estimate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the above */
#include <cmocka.h>

rk_network *draw_square(rk_random_spec spec, size_t n, size_t hidden) {
    size_t *widths = malloc(hidden * sizeof *widths);
    assert_non_null(widths);
    for (size_t l = 0; l < hidden; l++)
        widths[l] = n;
    spec.n_in = spec.n_out = n;
    spec.hidden = widths;
    spec.n_hidden = hidden;
    rk_network *net;
    rk_error error;
    if (rk_network_random(&net, &spec, &error) != RK_OK) fail_msg("%s", error.message);
    free(widths);
    return net;
}

rk_network *draw_spiked(size_t n, size_t hidden, uint64_t seed, double noise, size_t rank,
                        double spike) {
    rk_random_spec spec = {.activation = {.kind = RK_RELU}, .seed = seed};
    rk_network *random = draw_square(spec, n, hidden), *net;
    rk_layer *layers = malloc((hidden + 1) * sizeof *layers);
    double *weight = malloc((hidden + 1) * n * n * sizeof *weight);
    assert_true(layers && weight);
    for (size_t l = 0; l <= hidden; l++) {
        layers[l] = rk_network_layer(random, l);
        double *W = weight + l * n * n;
        const double *R = layers[l].weight;
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++) {
                W[i * n + j] = noise * R[i * n + j];
                for (size_t k = 0; k < rank; k++) /* rows of R as directions of norm about 1 */
                    W[i * n + j] += spike * R[k * n + i] * R[(k + rank) * n + j];
            }
        layers[l].weight = W;
    }
    assert_int_equal(rk_network_create(&net, layers, hidden + 1, NULL), RK_OK);
    rk_network_destroy(random);
    free(layers);
    free(weight);
    return net;
}

rk_answer *answer_of(const rk_network *net, const rk_input *input, const rk_options *options) {
    rk_answer *answer;
    rk_error error;
    if (rk_estimate(&answer, net, input, options, &error) != RK_OK) fail_msg("%s", error.message);
    return answer;
}

rk_answer *answer_of_layers(const rk_layer *layers, size_t n_layers, const rk_input *input,
                            const rk_options *options) {
    rk_network *net;
    rk_error error;
    if (rk_network_create(&net, layers, n_layers, &error) != RK_OK) fail_msg("%s", error.message);
    rk_answer *answer = answer_of(net, input, options);
    rk_network_destroy(net);
    return answer;
}

bool is_warned(const rk_answer_data *answer, const char *text) {
    for (size_t i = 0; i < answer->n_warnings; i++)
        if (strstr(answer->warnings[i], text)) return true;
    return false;
}

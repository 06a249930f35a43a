/* `edgeworth` is the public implementation's threshold activation, number for number. */
#include "format/tensor.h"
#include "support/bytes.h"
#include "support/golden.h"
#include "support/method.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 8 };

static void probabilities(const rk_network *net, const char *events_text, const char *method,
                          rk_tail_estimate out[N]) {
    rk_events *events;
    rk_tail_answer *answer = NULL;
    rk_error error;
    rk_options options = rk_options_default();
    options.tail = tail_method_of(method);
    options.threads = 1;
    if (rk_events_parse(&events, net, events_text, &error) != RK_OK ||
        rk_tail(&answer, net, NULL, rk_events_list(events), rk_events_count(events), &options,
                &error) != RK_OK)
        fail_msg("%s: %s", method, error.message);
    assert_int_equal(rk_tail_view(answer)->n_events, N);
    memcpy(out, rk_tail_view(answer)->estimates, N * sizeof *out);
    rk_tail_destroy(answer);
    rk_events_destroy(events);
}

/* The network with closed-form weights; three hidden relu layers and an output. */
static rk_network *closed_form_network(void) {
    static double weight[4][N * N];
    rk_layer layers[4];
    for (int l = 0; l < 4; l++) {
        for (int i = 1; i <= N; i++)
            for (int j = 1; j <= N; j++)
                weight[l][(i - 1) * N + j - 1] =
                    sqrt(2 * (l ? 2.0 : 1.0) / N) *
                    cos(0.7 + 1.3 * i * j + 0.37 * (l + 1) * i + 0.11 * j * j * (l + 2));
        layers[l] = (rk_layer){.rows = N,
                               .cols = N,
                               .weight = weight[l],
                               .activation = {.kind = l < 3 ? RK_RELU : RK_IDENTITY}};
    }
    rk_network *net;
    assert_int_equal(rk_network_create(&net, layers, 4, NULL), RK_OK);
    return net;
}

/* "lpe_b2/simple/K3/avg0/fac1 act2 1 0 p_0 .. p_7": P(z_3 > 2) after two relu layers. A negative
 * series has no logarithm: it must be refused, not returned. */
static size_t check_line(const rk_network *net, char *line) {
    char kind[16], method[80];
    int K, factored, used = 0;
    rk_tail_estimate p[N];
    if (sscanf(line, "lpe_b2/%15[a-z]/K%d/avg0/fac%d act2 1 0 %n", kind, &K, &factored, &used) !=
            3 ||
        !used)
        return 0;
    snprintf(method, sizeof method, "edgeworth:reference:%d,%s,%s", K, kind,
             factored ? "factored" : "dense");
    probabilities(net, "layer 3: z[*] > 2", method, p);
    char *next = line + used;
    for (int i = 0; i < N; i++) {
        double wanted = strtod(next, &next);
        if (wanted < 0 ? !isnan(p[i].p) : !(fabs(p[i].p - wanted) <= 1e-12))
            fail_msg("%s %d: %.15g, not %.15g", method, i, p[i].p, wanted);
        if (wanted < 0 && !*p[i].warning) fail_msg("%s %d: no warning", method, i);
    }
    return 1;
}

static void test_threshold_activation(void **state) {
    (void)state;
    size_t size, n_lines = 0;
    unsigned char *bytes = read_data("goldens/oracles/detnet_n8.txt", &size);
    char *text = malloc(size + 1);
    assert_non_null(text);
    memcpy(text, bytes, size);
    text[size] = 0;
    rk_network *net = closed_form_network();
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        n_lines += check_line(net, line);
    assert_true(n_lines >= 8);
    rk_network_destroy(net);
    free(text);
    free(bytes);
}

/* Heaviside layers: the mean of the output is W_3 P(z_2 > 0). */
static void test_heaviside_network(void **state) {
    (void)state;
    static const char *const configs[][2] = {{"k2_SIMPLE_f0_a1_K1", "edgeworth:covariance"},
                                             {"k2_SIMPLE_f0_a1_K1", "normal"},
                                             {"k4_SIMPLE_f0_a1_K1", "edgeworth:reference:4,dense"},
                                             {"k4_SIMPLE_f1_a1_K1", "edgeworth:fourth"}};
    golden g = golden_open("heaviside_n8_L3");
    rk_layer last = rk_network_layer(g.net, 2);
    for (size_t c = 0; c < 4; c++) {
        rk_tail_estimate p[N];
        probabilities(g.net, "layer 2: z[*] > 0", configs[c][1], p);
        const double *wanted = golden_get(&g, "%s", configs[c][0]);
        for (int i = 0; i < N; i++) {
            double mean = 0;
            for (int j = 0; j < N; j++)
                mean += last.weight[i * N + j] * p[j].p;
            if (!(fabs(mean - wanted[i]) <= 1e-12))
                fail_msg("%s %d: %.15g, not %.15g", configs[c][1], i, mean, wanted[i]);
        }
    }
    golden_close(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_threshold_activation),
                                       cmocka_unit_test(test_heaviside_network)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

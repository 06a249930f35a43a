#include "support/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* cmocka wants the two above */
#include <cmocka.h>

static void test_every_golden_opens(void **state) {
    (void)state;
    size_t count = 0;
    for (const char *name; (name = golden_name(count)); count++) {
        golden g = golden_open(name);
        assert_non_null(g.net);
        assert_non_null(g.input.mean);
        assert_non_null(g.input.covariance);
        size_t last = rk_network_n_layers(g.net) - 1;
        assert_int_equal(rk_network_layer(g.net, last).activation.kind, RK_IDENTITY);
        assert_int_not_equal(rk_network_layer(g.net, 0).activation.kind, RK_IDENTITY);
        golden_close(&g);
    }
    assert_int_equal(count, 38);
}

static void test_values_are_numpys(void **state) {
    (void)state;
    golden g = golden_open("relu_n8_L3");
    assert_true(golden_get(&g, "W%d", 1)[2 * 8 + 5] == -0.7557249768992738);
    assert_true(rk_network_layer(g.net, 1).weight[2 * 8 + 5] == -0.7557249768992738);
    assert_true(rk_network_layer(g.net, 2).weight_scale == 2);
    assert_true(golden_get(&g, "k%d_SIMPLE_f0_a0_K1", 3)[7] == 1.2841427708981212);
    assert_null(g.input.third_cumulant);
    golden_close(&g);

    g = golden_open("relu_gin3_n8_L3");
    assert_true(g.input.third_cumulant[(1 * 8 + 2) * 8 + 3] == 1.1246017775616972e-05);
    golden_close(&g);

    g = golden_open("relu_rect_12_16_5_L3");
    assert_int_equal(rk_network_n_in(g.net), 12);
    assert_int_equal(rk_network_layer(g.net, 1).rows, 16);
    assert_int_equal(rk_network_n_out(g.net), 5);
    golden_close(&g);
}

static void test_activations_follow_the_index(void **state) {
    (void)state;
    golden g = golden_open("mixed_n8_L4");
    assert_int_equal(rk_network_layer(g.net, 1).activation.kind, RK_TANH);
    assert_int_equal(rk_network_layer(g.net, 2).activation.kind, RK_GELU);
    golden_close(&g);
    g = golden_open("trace_gelu_bias_n6_L3");
    assert_int_equal(rk_network_layer(g.net, 0).activation.kind, RK_GELU);
    assert_non_null(rk_network_layer(g.net, 0).bias);
    golden_close(&g);
    g = golden_open("wick");
    assert_null(g.net);
    assert_non_null(golden_find(&g, "gelu_k8_p6"));
    golden_close(&g);
    assert_true(golden_is_doubtful("relu_n8_L5", "k2_AUGMENT_f0_a1"));
    assert_false(golden_is_doubtful("relu_n8_L4", "k2_AUGMENT_f0_a1"));
}

static void test_truths_open(void **state) {
    (void)state;
    static const struct { int n, count; } sizes[] = {{32, 8}, {64, 5}, {128, 5}};
    for (size_t i = 0; i < 3; i++)
        for (int j = 0; j < sizes[i].count; j++) {
            truth t = truth_open(sizes[i].n, 5, j);
            assert_int_equal(rk_network_n_layers(t.net), 5);
            assert_int_equal(rk_network_n_out(t.net), t.n);
            truth_close(&t);
        }
    truth t = truth_open(64, 5, 3);
    assert_true(rk_network_layer(t.net, 4).weight[63 * 64 + 62] == -0.0770711675286293);
    assert_true(t.se[63] == 2.361746490891135e-05);
    truth_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_golden_opens),
        cmocka_unit_test(test_values_are_numpys),
        cmocka_unit_test(test_activations_follow_the_index),
        cmocka_unit_test(test_truths_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

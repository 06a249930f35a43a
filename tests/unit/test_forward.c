#include "activation/activation.h"
#include "network/network.h"
#include "support/near.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* cmocka wants some of the above */
#include <cmocka.h>

static void test_a_small_network_by_hand(void **state) {
    (void)state;
    const double W1[] = {1, -2, 3, 0.5}, b1[] = {0.25, -1};
    const double W2[] = {2, 1, -1, 1, 0.5, 3};
    const rk_layer layers[] = {
        {.rows = 2, .cols = 2, .weight = W1, .bias = b1, .activation = {.kind = RK_RELU}},
        {.rows = 3, .cols = 2, .weight = W2, .activation = {.kind = RK_SQUARE}},
    };
    rk_network *net;
    assert_int_equal(rk_network_create(&net, layers, 2, NULL), RK_OK);
    const double x[] = {1, -0.5};
    double y[3];
    assert_int_equal(rk_network_forward(net, x, y, NULL), RK_OK);
    /* z1 = (1 + 1 + 0.25, 3 - 0.25 - 1) = (2.25, 1.75), all positive */
    assert_near(y[0], 6.25 * 6.25, 0);
    assert_near(y[1], 0.5 * 0.5, 0);
    assert_near(y[2], 6.375 * 6.375, 0);
    const double negative[] = {-1, 0.5}; /* z1 = (-1.75, -3.75) */
    assert_int_equal(rk_network_forward(net, negative, y, NULL), RK_OK);
    for (int i = 0; i < 3; i++)
        assert_near(y[i], 0, 0);
    rk_network_destroy(net);
}

static void test_widths_may_grow_and_shrink(void **state) {
    (void)state;
    enum { WIDE = 33 };
    double up[WIDE], down[WIDE];
    for (int i = 0; i < WIDE; i++) {
        up[i] = 0.1 * (i - 16);
        down[i] = cos(i);
    }
    const rk_layer layers[] = {
        {.rows = WIDE, .cols = 1, .weight = up, .activation = {.kind = RK_TANH}},
        {.rows = 1, .cols = WIDE, .weight = down, .activation = {.kind = RK_IDENTITY}},
    };
    rk_network *net;
    assert_int_equal(rk_network_create(&net, layers, 2, NULL), RK_OK);
    double x = 0.7, y, expected = 0;
    assert_int_equal(rk_network_forward(net, &x, &y, NULL), RK_OK);
    for (int i = 0; i < WIDE; i++)
        expected += cos(i) * tanh(0.07 * (i - 16));
    assert_near(y, expected, 1e-14);
    rk_network_destroy(net);
}

static double twice(double z, void *context) {
    return *(const double *)context * z;
}

static void test_custom_activations_are_called(void **state) {
    (void)state;
    double one = 1, factor = 2;
    const rk_activation custom = {.kind = RK_CUSTOM, .function = twice, .context = &factor};
    const rk_layer layer = {.rows = 1, .cols = 1, .weight = &one, .activation = custom};
    rk_network *net;
    assert_int_equal(rk_network_create(&net, &layer, 1, NULL), RK_OK);
    double x = 21, y;
    assert_int_equal(rk_network_forward(net, &x, &y, NULL), RK_OK);
    assert_near(y, 42, 0);
    rk_network_destroy(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_small_network_by_hand),
        cmocka_unit_test(test_widths_may_grow_and_shrink),
        cmocka_unit_test(test_custom_activations_are_called),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

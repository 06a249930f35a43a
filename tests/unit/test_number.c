/* Numbers have a point in every locale; tests/CMakeLists.txt makes one with a comma. */
#include "base/number.h"

#include "activation/activation.h"
#include "format/description.h"
#include "reckon/reckon.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the above */
#include <cmocka.h>

static void read_and_write(void) {
    static const struct {
        const char *text;
        double value;
        const char *rest; /* NULL: no number */
    } cases[] = {
        {"0", 0, ""},         {"12", 12, ""},
        {"+1.5", 1.5, ""},    {"-0.1", -0.1, ""},
        {".5", 0.5, ""},      {"5.", 5, ""},
        {"1e3", 1e3, ""},     {"1.25E-2x", 1.25e-2, "x"},
        {"2e", 2, "e"},       {"2e+", 2, "e+"},
        {"1,5", 1, ",5"},     {"0x10", 0, "x10"},
        {"1.5.5", 1.5, ".5"}, {"179769313486231570000000000000e279", 1.7976931348623157e308, ""},
        {"1e-400", 0, ""},    {"1e400", 0, NULL},
        {"", 0, NULL},        {".", 0, NULL},
        {"-", 0, NULL},       {"e5", 0, NULL},
        {" 1", 0, NULL},      {",5", 0, NULL},
        {"inf", 0, NULL},     {"nan", 0, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double x = (double)NAN;
        const char *end = rk_number_read(cases[i].text, &x);
        if (!end != !cases[i].rest || (end && strcmp(end, cases[i].rest) != 0) ||
            (end && !(x == cases[i].value)))
            fail_msg("'%s' is %g, then '%s'", cases[i].text, x, end ? end : "(nothing)");
    }
    char longest[120] = "0.";
    double x;
    memset(longest + 2, '1', 98);
    assert_ptr_equal(rk_number_read(longest, &x), longest + 100);
    longest[100] = '1';
    assert_null(rk_number_read(longest, &x));

    rk_number_text text;
    assert_string_equal(rk_number_write(0.1, 15, &text), "0.1");
    assert_string_equal(rk_number_write(-1.0 / 3, 17, &text), "-0.33333333333333331");
    assert_string_equal(rk_number_write(1e15, 10, &text), "1e+15");
    assert_string_equal(rk_number_write(7, 10, &text), "7");
}

/* What people and files write. */
static void specifications(void) {
    static const double W[] = {1, 2};
    const rk_layer layers[] = {
        {.rows = 1, .cols = 1, .weight = W, .activation = {RK_LEAKY_RELU, .parameter = 0.2}},
        {.rows = 1, .cols = 1, .weight = W + 1, .weight_scale = 1.5}};
    rk_activation phi;
    assert_int_equal(rk_activation_parse("leaky_relu:0.2", &phi, NULL), RK_OK);
    assert_true(phi.parameter == 0.2);
    assert_int_equal(rk_activation_parse("leaky_relu:0,2", &phi, NULL), RK_ERROR_ARGUMENT);
    rk_activation_text text;
    assert_string_equal(rk_activation_format(&layers[0].activation, &text), "leaky_relu:0.2");

    rk_network *net;
    rk_events *events;
    assert_int_equal(rk_network_create(&net, layers, 2, NULL), RK_OK);
    assert_int_equal(rk_events_parse(&events, net, "1.5 y[0] > 2,3.5", NULL), RK_OK);
    assert_int_equal(rk_events_count(events), 2);
    assert_string_equal(rk_events_list(events)[1].text, "1.5 y[0] > 3.5");
    rk_events_destroy(events);

    json_t *description = rk_description_of(net);
    size_t length;
    char *json = rk_json_text(description, &length);
    assert_non_null(json);
    assert_non_null(strstr(json, "\"leaky_relu:0.2,identity\""));
    assert_non_null(strstr(json, "\"0.0,1.5\""));
    free(json);
    json_decref(description);
    rk_network_destroy(net);
}

static void test_in_the_c_locale(void **state) {
    (void)state;
    read_and_write();
    specifications();
}

static void test_where_the_point_is_a_comma(void **state) {
    (void)state;
    if (!setlocale(LC_ALL, "de_DE.UTF-8")) exit(77); /* for ctest: not run */
    char sample[8];
    snprintf(sample, sizeof sample, "%.1f", 0.5);
    assert_string_equal(sample, "0,5");
    read_and_write();
    specifications();
    setlocale(LC_ALL, "C");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_in_the_c_locale),
                                       cmocka_unit_test(test_where_the_point_is_a_comma)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

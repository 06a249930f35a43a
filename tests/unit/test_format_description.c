#include "activation/activation.h"
#include "format/description.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants setjmp.h and stdarg.h */
#include <cmocka.h>

enum { MAX_LAYERS = 4 };

/* Layers, what the options and the file say, and the layers' activations or a part of the refusal.
 */
static const struct {
    size_t n_layers;
    const char *options, *file, *activations, *refusal;
} cases[] = {
    {3, "relu", NULL, "relu relu identity", NULL},
    {3, "relu,tanh", NULL, "relu tanh identity", NULL},
    {3, " relu , tanh\t,sigmoid", NULL, "relu tanh sigmoid", NULL},
    {3, "leaky_relu:0.25", NULL, "leaky_relu:0.25 leaky_relu:0.25 identity", NULL},
    {2, "relu", NULL, "relu identity", NULL},
    {1, "relu", NULL, "relu", NULL},
    {1, NULL, NULL, "identity", NULL},
    {1, NULL, "{\"activation\": \"relu\", \"output_activation\": \"tanh\"}", "tanh", NULL},
    {3, NULL, "{\"activation\": \"relu\"}", "relu relu identity", NULL},
    {3, NULL, "{\"activation\": \"relu,gelu\"}", "relu gelu identity", NULL},
    {3, NULL, "{\"activation\": [\"relu\", \"gelu\"]}", "relu gelu identity", NULL},
    {3, NULL, "{\"activation\": \"relu\", \"output_activation\": \"tanh\"}", "relu relu tanh",
     NULL},
    {3, NULL, "{\"activation\": \"relu\", \"format\": \"reckon\"}", "relu relu identity", NULL},
    {3, "abs", "{\"activation\": \"relu\", \"output_activation\": \"tanh\"}", "abs abs identity",
     NULL},
    {3, "relu", "{\"activation\": \"nonsense\"}", "relu relu identity", NULL},
    {2, "relu", "{}", "relu identity", NULL},

    {2, NULL, NULL, NULL, "nothing says which activation the 1 hidden layers have"},
    {2, NULL, "{\"weight_scale\": [1, 2]}", NULL, "nothing says"},
    {3, "relu,relu,relu,relu", NULL, NULL, "options: 4 activations for 3 layers"},
    {4, "relu,relu", NULL, NULL, "options: 2 activations for 4 layers"},
    {2, "", NULL, NULL, "options: "},
    {3, "relu,", NULL, NULL, "options: "},
    {2, "rleu", NULL, NULL, "rleu"},
    {2, "re\033lu", NULL, NULL, "malformed"},
    {2, "\xff", NULL, NULL, "options: not a list of activations"},
    {2, "custom", NULL, NULL, "custom"},
    {2, "identity,custom", NULL, NULL, "custom"},
    {2, NULL, "{\"activation\": 1}", NULL, "neither a name nor a list"},
    {2, NULL, "{\"activation\": [1]}", NULL, "neither a name nor a list"},
    {2, NULL, "{\"activation\": []}", NULL, "0 activations"},
    {2, NULL, "{\"activation\": \"relu\", \"output_activation\": 1}", NULL, "is not a name"},
    {2, NULL, "{\"output_activation\": \"relu\"}", NULL, "without \"activation\""},
    {3, NULL, "{\"activation\": [\"relu\", \"relu\", \"tanh\"], \"output_activation\": \"tanh\"}",
     NULL, "3 activations"},
    {2, NULL, "{\"activaton\": \"relu\"}", NULL,
     "the key 'activaton' is none of activation, output_activation, weight_scale, layers, origin; "
     "did you "
     "mean "
     "'activation'?"},
    {2, NULL, "{\"hidden\": \"relu\"}", NULL, "the key 'hidden' is none of activation"},
    {2, NULL, "{\"\\u001b[31m\": 1}", NULL, "the key '(malformed)' is none"},
    {2, NULL, "{\"activation\": \"relu\", \"activation\": \"relu\"}", NULL, "not valid JSON"},
    {2, NULL, "[]", NULL, "not a JSON object"},
    {2, NULL, "relu", NULL, "not valid JSON"},
    {2, "relu", "{\"weight_scale\": [1]}", NULL, "1 weight scales for 2 layers"},
    {2, "relu", "{\"weight_scale\": [1, -1]}", NULL, "not a list of numbers >= 0"},
    {2, "relu", "{\"weight_scale\": 1}", NULL, "not a list of numbers >= 0"},
    {2, "relu", "{\"weight_scale\": \"1, 1e999\"}", NULL, "not a list of numbers >= 0"},
};

static rk_status apply(const char *options, const char *file, rk_layer *layers, size_t n_layers,
                       rk_error *error) {
    rk_description sources[2] = {{0}};
    rk_deciders by;
    rk_status status = RK_OK;
    if (options) status = rk_description_from_text(&sources[0], "options", options, NULL, error);
    if (file && status == RK_OK)
        status = rk_description_parse(&sources[1], "side-car", (const unsigned char *)file,
                                      strlen(file), error);
    if (status == RK_OK) status = rk_description_apply(sources, 2, layers, n_layers, &by, error);
    for (int i = 0; i < 2; i++)
        rk_description_destroy(&sources[i]);
    return status;
}

static void test_who_says_what(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rk_layer layers[MAX_LAYERS] = {{0}};
        rk_error error;
        rk_status status =
            apply(cases[i].options, cases[i].file, layers, cases[i].n_layers, &error);
        if (cases[i].refusal) {
            if (status == RK_OK) fail_msg("case %zu: accepted", i);
            if (!strstr(error.message, cases[i].refusal)) fail_msg("%zu: %s", i, error.message);
            continue;
        }
        if (status != RK_OK) fail_msg("case %zu: %s", i, error.message);
        char text[256] = "";
        for (size_t l = 0; l < cases[i].n_layers; l++) {
            rk_activation_text one;
            if (l) strcat(text, " ");
            strcat(text, rk_activation_format(&layers[l].activation, &one));
        }
        assert_string_equal(text, cases[i].activations);
    }
}

/* Metadata may hold anything, but not a misspelling where we would have been told something. */
static void test_metadata_of_others(void **state) {
    (void)state;
    static const struct {
        const char *metadata, *options, *activations, *refusal;
    } rows[] = {
        {"{\"activation\": \"relu\", \"step\": 7, \"x\": null}", NULL, "relu relu identity", NULL},
        {"{\"activation\": \"relu\", \"activations\": 7}", NULL, "relu relu identity", NULL},
        {"{\"activation\": \"relu\", \"validation\": 0.9}", NULL, "relu relu identity", NULL},
        {"{\"activaton\": \"relu\"}", NULL, NULL,
         "; does the metadata say 'activaton' for 'activation'"},
        {"{\"Activation\": \"relu\"}", NULL, NULL, "'Activation' for 'activation'"},
        {"{\"activaton\": \"relu\"}", "tanh", "tanh tanh identity", NULL},
        {"{\"activation\": \"relu\", \"output_activaton\": \"tanh\"}", NULL, NULL,
         "metadata: does it say 'output_activaton' for 'output_activation'? Rename the key"},
        {"{\"creation\": \"today\"}", NULL, NULL, "with .json appended"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rk_layer layers[3] = {{0}};
        rk_description sources[2] = {{0}};
        rk_deciders by;
        rk_error error;
        json_t *object = json_loads(rows[i].metadata, 0, NULL);
        assert_non_null(object);
        if (rows[i].options)
            assert_int_equal(
                rk_description_from_text(&sources[0], "options", rows[i].options, NULL, NULL),
                RK_OK);
        assert_int_equal(rk_description_from_metadata(&sources[1], object, &error), RK_OK);
        rk_status status = rk_description_apply(sources, 2, layers, 3, &by, &error);
        if (rows[i].refusal) {
            assert_int_equal(status, RK_ERROR_FORMAT);
            if (!strstr(error.message, rows[i].refusal)) fail_msg("%zu: %s", i, error.message);
        } else {
            if (status != RK_OK) fail_msg("%zu: %s", i, error.message);
            rk_activation_text one;
            assert_memory_equal(rk_activation_format(&layers[0].activation, &one),
                                rows[i].activations, 4);
        }
        json_decref(object);
        for (int k = 0; k < 2; k++)
            rk_description_destroy(&sources[k]);
    }
}

static void test_mistakes_are_the_callers_or_the_files(void **state) {
    (void)state;
    rk_layer layers[2] = {{0}};
    assert_int_equal(apply("rleu", NULL, layers, 2, NULL), RK_ERROR_ARGUMENT);
    assert_int_equal(apply(NULL, "{\"activation\": \"rleu\"}", layers, 2, NULL), RK_ERROR_FORMAT);
}

static void test_scales(void **state) {
    (void)state;
    rk_layer layers[3] = {{0}};
    assert_int_equal(apply("relu", "{\"weight_scale\": \"1, 2.5,0\"}", layers, 3, NULL), RK_OK);
    assert_true(layers[0].weight_scale == 1 && layers[1].weight_scale == 2.5 &&
                layers[2].weight_scale == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_says_what),
        cmocka_unit_test(test_metadata_of_others),
        cmocka_unit_test(test_mistakes_are_the_callers_or_the_files),
        cmocka_unit_test(test_scales),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

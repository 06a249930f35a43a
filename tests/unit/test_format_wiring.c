/* Layers spelled out: what a description's "layers" makes of tensors. */
#include "activation/activation.h"
#include "format/description.h"
#include "format/read.h"
#include "format/safetensors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants setjmp.h and stdarg.h */
#include <cmocka.h>

/* A safetensors file of F64 zeros: "fc1.weight 4x3, fc1.bias 4". */
static unsigned char *make_file(const char *tensors, size_t *size) {
    char header[2048];
    size_t used = (size_t)sprintf(header, "{"), begin = 0;
    while (*tensors) {
        char name[64];
        int read;
        assert_int_equal(sscanf(tensors, " %63s%n", name, &read), 1);
        size_t count = 1;
        used += (size_t)sprintf(header + used, "%s\"%s\":{\"dtype\":\"F64\",\"shape\":[",
                                used > 1 ? "," : "", name);
        for (tensors += read; *tensors == ' ' || *tensors == 'x';) {
            char *end;
            const size_t n = strtoul(tensors + 1, &end, 10);
            used += (size_t)sprintf(header + used, "%s%zu", *tensors == 'x' ? "," : "", n);
            count *= n;
            tensors = end;
        }
        used += (size_t)sprintf(header + used, "],\"data_offsets\":[%zu,%zu]}", begin,
                                begin + 8 * count);
        begin += 8 * count;
        tensors += *tensors == ',';
    }
    used += (size_t)sprintf(header + used, "}");
    unsigned char *bytes = calloc(1, 8 + used + begin);
    assert_non_null(bytes);
    bytes[0] = (unsigned char)used;
    bytes[1] = (unsigned char)(used >> 8);
    memcpy(bytes + 8, header, used);
    *size = 8 + used + begin;
    return bytes;
}

/* "4x3+b relu reads 1 adds 2; ..." */
static void describe(const rk_network *net, char *out) {
    *out = '\0';
    for (size_t l = 0; l < rk_network_n_layers(net); l++) {
        const rk_layer layer = rk_network_layer(net, l);
        rk_activation_text activation;
        out += sprintf(out, "%s%zux%zu%s%s %s", l ? "; " : "", layer.rows, layer.cols,
                       layer.weight ? "" : " (none)", layer.bias ? "+b" : "",
                       rk_activation_format(&layer.activation, &activation));
        if (layer.reads) out += sprintf(out, " reads %zu", layer.reads);
        if (layer.adds) out += sprintf(out, " adds %zu", layer.adds);
        if (layer.weight_scale != 0) out += sprintf(out, " scale %g", layer.weight_scale);
    }
}

#define BLOCK "in.weight 4x4, fc1.weight 8x4, fc1.bias 8, fc2.weight 4x8, out.weight 2x4"

/* What is in the file, what the side-car says, and the network or a part of the refusal. */
static const struct {
    const char *tensors, *sidecar, *network, *refusal;
} cases[] = {
    {BLOCK,
     "{'layers': [{'weight': 'in.weight', 'name': 'x'}, {'weight': 'fc1.weight', 'activation': "
     "'relu'}, {'weight': 'fc2.weight', 'adds': 'x'}, {'weight': 'out.weight'}]}",
     "4x4 identity; 8x4+b relu; 4x8 identity adds 2; 2x4 identity", NULL},
    {BLOCK,
     "{'layers': [{'weight': 'fc1.weight', 'bias': 'fc1.bias', 'reads': 'input', 'activation': "
     "'gelu'}, {'weight': 'fc2.weight', 'adds': 1, 'weight_scale': 0.5}, {'activation': 'tanh'}, "
     "{'weight': 'in.weight', 'reads': 3}, {'weight': 'out.weight', 'adds': 6, 'reads': 5}]}",
     NULL, "layer 5: \"adds\" is value 6; before it there are 1 (the input) to 5"},
    {BLOCK,
     "{'layers': [{'weight': 'fc1.weight', 'bias': 'fc1.bias', 'reads': 'input', 'activation': "
     "'gelu'}, {'weight': 'fc2.weight', 'adds': 1, 'weight_scale': 0.5}, {'activation': 'tanh'}, "
     "{'weight': 'in.weight', 'reads': 3}, {'weight': 'out.weight', 'reads': 4}]}",
     "8x4+b gelu reads 1; 4x8 identity adds 1 scale 0.5; 4x4 (none) tanh; 4x4 identity reads 3; "
     "2x4 identity reads 4",
     NULL},
    {"W 3x3, V 3x3", "{'layers': '[{`weight`: `W`}, {`weight`: `V`, `adds`: `input`}]'}",
     "3x3 identity; 3x3 identity adds 1", NULL},
    {"W 3x3, V 3x3", "{'layers': '[{~weight~: ~W~}, {~weight~: ~V~, ~adds~: ~input~}]'}",
     "3x3 identity; 3x3 identity adds 1", NULL},
    {"W 3x3, b 3", "{'layers': [{'weight': 'W'}, {'reads': 'input', 'adds': 2}]}",
     "3x3+b identity; 3x3 (none) identity reads 1 adds 2", NULL},
    {"W 3x3, c 3", "{'layers': [{'weight': 'W'}, {'bias': 'c', 'activation': 'relu'}]}",
     "3x3 identity; 3x3 (none)+b relu", NULL},

    {"W 3x3", "{'layers': [{'weight': 'V'}]}", NULL,
     "side-car: layer 1: \"weight\": there is no tensor 'V'"},
    {"fc1.weight 3x3", "{'layers': [{'weight': 'fc1.weigth'}]}", NULL,
     "there is no tensor 'fc1.weigth'; did you mean 'fc1.weight'?"},
    {"W 3x3, V 3x3",
     "{'layers': [{'weight': 'W', 'name': 'block'}, {'weight': 'V', 'adds': 'blokc'}]}", NULL,
     "layer 2: \"adds\": no layer before it is called 'blokc'; did you mean 'block'?"},
    {"W 3x3", "{'layers': [{'weight': 'W', 'adds': 'later'}, {'weight': 'W', 'name': 'later'}]}",
     NULL, "layer 1: \"adds\": no layer before it is called 'later'"},
    {"W 3x3", "{'layers': [{'weight': 'W', 'name': 'a'}, {'name': 'a'}]}", NULL,
     "layer 2: the name 'a' is taken"},
    {"W 3x3", "{'layers': [{'weight': 'W', 'name': 'input'}]}", NULL, "'input' is taken"},
    {"W 3x3", "{'layers': [{'weight': 'W', 'add': 1}]}", NULL,
     "side-car: layer 1: the key 'add' is none of name, weight, bias, activation, reads, adds, "
     "weight_scale; did you mean 'adds'?"},
    {"W 3x3", "{'layers': [{'weight': 'W', 'adds': 0}]}", NULL,
     "layer 1: \"adds\" is not a number from 1, which is the input, or the name of a layer"},
    {"W 3x3", "{'layers': [{'weight': 'W', 'adds': [1]}]}", NULL,
     "\"adds\" is not a number from 1"},
    {"W 3x3", "{'layers': [{'weight': 'W', 'reads': 1e3}]}", NULL, "\"reads\" is not a number"},
    {"W 3x3", "{'layers': [{'weight': 1}]}", NULL, "\"weight\" is not the name of a tensor"},
    {"W 3x3", "{'layers': [{'weight': 'W', 'weight_scale': -1}]}", NULL, "is not a number >= 0"},
    {"W 3x3", "{'layers': [{'weight': 'W', 'activation': 'rleu'}]}", NULL, "rleu"},
    {"W 3x3", "{'layers': [{'activation': 'relu'}, {'weight': 'W'}]}", NULL,
     "layer 1 has no \"weight\" to tell how many inputs there are"},
    {"W 3x3", "{'layers': []}", NULL, "\"layers\" is not a list of layers"},
    {"W 3x3", "{'layers': 7}", NULL, "\"layers\" is not a list of layers"},
    {"W 3x3", "{'layers': 'W'}", NULL, "\"layers\" is not a list of layers"},
    {"W 3x3", "{'layers': [7]}", NULL, "layer 1 of \"layers\" is not an object"},
    {"W 3x3", "{'layers': [{'weight': 'W'}], 'activation': 'relu'}", NULL,
     "\"layers\" says it layer by layer; leave \"activation\" out"},
    {"W 3x3", "{'layers': [{'weight': 'W'}], 'weight_scale': [1]}", NULL,
     "leave \"weight_scale\" out"},
    {"W 3x3", "{'layer': [{'weight': 'W'}]}", NULL, "did you mean 'layers'?"},
    {"W 3x3, V 3x3", "{'layers': [{'weight': 'W'}]}", NULL,
     "tensor 'V' (3, 3) is in none of the \"layers\" of the side-car: name it there, or leave it"},
    {"W 3x3, b 3", "{'layers': [{'weight': 'b'}]}", NULL,
     "layer 1: \"weight\": tensor 'b' (3,) should have 2 dimensions"},
    {"W 3x3, V 3x3", "{'layers': [{'weight': 'W', 'bias': 'V'}]}", NULL,
     "\"bias\": tensor 'V' (3, 3) should have 1 dimension"},
    {"W 3x3, b 4", "{'layers': [{'weight': 'W'}]}", NULL,
     "tensor 'b' has 4 entries, but layer 1, whose bias it is, has 3 outputs"},
    {"W 3x3", "{'layers': [{'weight': 'W'}, {'weight': 'W'}]}", NULL,
     "layer 2: tensor 'W' has its place already; save a copy of what two layers share under"},
    {"W 0x3", "{'layers': [{'weight': 'W'}]}", NULL, "tensor 'W' (0, 3): empty"},
    {"W 3x2, V 3x3", "{'layers': [{'weight': 'W'}, {'weight': 'V', 'adds': 1}]}", NULL,
     "layer 2 has 3 outputs but value 1, which it adds, has 2 entries"},
    {"W 3x2, V 3x3", "{'layers': [{'weight': 'V'}, {'weight': 'W'}]}", NULL,
     "layer 2 takes 2 inputs but layer 1 has 3 outputs"},
};

/* For reading: ' stands for ", ` for \", ~ for '. */
static void to_json(char *out, const char *text) {
    for (; *text; text++) {
        if (*text == '`') *out++ = '\\';
        *out++ = *text == '~' ? '\'' : *text == '\'' || *text == '`' ? '"' : *text;
    }
    *out = '\0';
}

static void test_layers_are_as_told(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char sidecar[1024];
        to_json(sidecar, cases[i].sidecar);
        size_t size;
        unsigned char *bytes = make_file(cases[i].tensors, &size);
        rk_model_bytes model = {bytes, (unsigned char *)sidecar, size, strlen(sidecar)};
        rk_network *net;
        rk_error error;
        rk_status status = rk_network_parse(&net, &model, NULL, &error);
        if (cases[i].network) {
            if (status != RK_OK) fail_msg("%s: %s", cases[i].sidecar, error.message);
            char text[512];
            describe(net, text);
            assert_string_equal(text, cases[i].network);
        } else {
            if (status != RK_ERROR_FORMAT) fail_msg("%zu: accepted: %s", i, cases[i].sidecar);
            if (!strstr(error.message, cases[i].refusal))
                fail_msg("%s: %s", cases[i].sidecar, error.message);
            assert_null(net);
        }
        rk_network_destroy(net);
        free(bytes);
    }
}

/* Activations may be told by somebody else, but one for all would also stand behind additions. */
static void test_activations_from_the_caller(void **state) {
    (void)state;
    static const char sidecar[] = "{\"layers\": [{\"weight\": \"W\"}, {\"adds\": 1}]}";
    size_t size;
    unsigned char *bytes = make_file("W 3x3", &size);
    const rk_model_bytes model = {bytes, (const unsigned char *)sidecar, size, strlen(sidecar)};
    rk_network *net;
    rk_error error;
    char text[512];
    assert_int_equal(
        rk_network_parse(&net, &model, &(rk_read_options){.activation = "relu"}, &error),
        RK_ERROR_ARGUMENT);
    assert_string_equal(error.message,
                        "options: one activation for all hidden layers, but in the side-car each "
                        "layer has its own: give 2, one a layer");
    assert_int_equal(
        rk_network_parse(&net, &model, &(rk_read_options){.activation = "relu,tanh"}, NULL), RK_OK);
    describe(net, text);
    assert_string_equal(text, "3x3 relu; 3x3 (none) tanh adds 1");
    rk_network_destroy(net);
    free(bytes);
}

/* Metadata are others' too: "layers" may be their count. */
static void test_metadata_with_other_layers(void **state) {
    (void)state;
    static const char *const theirs[] = {"{\"layers\": \"12\"}", "{\"layers\": 12}",
                                         "{\"layers\": \"[1, 2]\"}", "{\"labels\": \"a\"}"};
    for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++) {
        json_t *object = json_loads(theirs[i], 0, NULL);
        rk_description description = {0};
        assert_int_equal(rk_description_from_metadata(&description, object, NULL), RK_OK);
        assert_null(description.layers);
        assert_string_equal(description.misspelt, "");
        rk_description_destroy(&description);
        json_decref(object);
    }
}

/* A short side-car must not stand for much memory. */
static void test_layers_without_weights_are_bounded(void **state) {
    (void)state;
    enum { LAYERS = 2000 };
    char *sidecar = malloc(64 + 4 * LAYERS);
    assert_non_null(sidecar);
    size_t used = (size_t)sprintf(sidecar, "{\"layers\": [{\"weight\": \"W\"}"), size;
    for (size_t l = 1; l < LAYERS; l++)
        used += (size_t)sprintf(sidecar + used, ",{}");
    used += (size_t)sprintf(sidecar + used, "]}");
    unsigned char *bytes = make_file("W 1000x1", &size);
    const rk_model_bytes model = {bytes, (unsigned char *)sidecar, size, used};
    rk_network *net;
    rk_error error;
    assert_int_equal(rk_network_parse(&net, &model, NULL, &error), RK_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "without weights have 1999000 neurons"));
    free(bytes);
    free(sidecar);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers_are_as_told),
        cmocka_unit_test(test_activations_from_the_caller),
        cmocka_unit_test(test_metadata_with_other_layers),
        cmocka_unit_test(test_layers_without_weights_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

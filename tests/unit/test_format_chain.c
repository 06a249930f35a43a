#include "format/chain.h"
#include "format/layout.h"
#include "format/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants setjmp.h and stdarg.h */
#include <cmocka.h>

/* "fc1.weight 4x3, fc1.bias 4" */
static rk_tensors make_tensors(const char *text) {
    rk_tensors list = {0};
    while (*text) {
        char name[64];
        int used;
        assert_int_equal(sscanf(text, " %63s%n", name, &used), 1);
        size_t shape[RK_MAX_DIMS] = {0}, n_dims = 0;
        for (text += used; *text == ' ' || *text == 'x';) {
            char *end;
            shape[n_dims++] = strtoul(text + 1, &end, 10);
            text = end;
        }
        rk_tensor *tensor;
        assert_int_equal(rk_tensors_add(&list, name, &tensor, NULL), RK_OK);
        tensor->array.n_dims = n_dims;
        memcpy(tensor->array.shape, shape, sizeof shape);
        text += *text == ',';
    }
    return list;
}

/* "fc1.weight+fc1.bias fc2.weight" */
static void describe(const rk_tensor_chain *chain, char *out) {
    *out = '\0';
    for (size_t l = 0; l < chain->count; l++) {
        const rk_link *link = &chain->links[l];
        out += sprintf(out, "%s%s", l ? " " : "", link->weight->name);
        if (link->weight->array.n_dims == 3) out += sprintf(out, "[%zu]", link->slice);
        if (link->bias) out += sprintf(out, "+%s", link->bias->name);
    }
}

/* What is in the file, and the layers made of it or a part of the refusal. */
static const struct {
    const char *tensors, *layers, *refusal;
} cases[] = {
    /* names as frameworks give them */
    {"0.weight 4x3, 0.bias 4, 2.weight 2x4, 2.bias 2", "0.weight+0.bias 2.weight+2.bias", NULL},
    {"net.2.bias 2, net.2.weight 2x4, net.0.weight 4x3", "net.0.weight net.2.weight+net.2.bias",
     NULL},
    {"fc10.weight 3x3, fc9.weight 3x3, fc1.weight 3x3", "fc1.weight fc9.weight fc10.weight", NULL},
    {"layers.3.weight 2x2, layers.11.weight 2x2", "layers.3.weight layers.11.weight", NULL},
    {"W0 4x3, b0 4, W1 2x4, b1 2", "W0+b0 W1+b1", NULL},
    {"W1 3x3, W2 3x3, b2 3", "W1 W2+b2", NULL},
    {"weights.0 3x3, weights.1 3x3, biases.0 3, biases.1 3",
     "weights.0+biases.0 weights.1+biases.1", NULL},
    {"layer1.0.weight 3x3, layer1.1.weight 3x3, layer2.0.weight 3x3",
     "layer1.0.weight layer1.1.weight layer2.0.weight", NULL},
    {"weight 2x3, bias 2", "weight+bias", NULL},
    {"array 2x3", "array", NULL},
    {"array 3x2x2", "array[0] array[1] array[2]", NULL},
    {"w 1x2x3", "w[0]", NULL},
    {"arr_0 4x3, arr_1 2x4", "arr_0 arr_1", NULL},
    {"arr_0 4x3, arr_1 4, arr_2 2x4, arr_3 2", "arr_0+arr_1 arr_2+arr_3", NULL},
    {"arr_10 3x3, arr_1 3x3, arr_9 3x3", "arr_1 arr_9 arr_10", NULL},
    {"2.weight 3x3, 5.weight 3x3, 8.weight 3x3", "2.weight 5.weight 8.weight", NULL},
    {"layer3.0.weight 3x3, layer3.1.weight 3x3", "layer3.0.weight layer3.1.weight", NULL},
    {"policy.weight 2x3, policy.bias 2", "policy.weight+policy.bias", NULL},
    {"model.encoder.weight 4x3, model.value.weight 1x4", "model.encoder.weight model.value.weight",
     NULL},

    /* the shapes decide where the names do not */
    {"encoder.weight 4x3, decoder.weight 3x4, head.weight 1x3",
     "encoder.weight decoder.weight head.weight", NULL},
    {"classifier.0.weight 2x5, features.0.weight 4x3, features.2.weight 5x4",
     "features.0.weight features.2.weight classifier.0.weight", NULL},
    {"fc1.weight 4x4, fc2.weight 4x4, out.weight 1x4", "fc1.weight fc2.weight out.weight", NULL},
    {"block.0.in.weight 8x4, block.0.out.weight 4x8, block.1.in.weight 8x4, block.1.out.weight "
     "4x8, "
     "read.weight 1x4",
     "block.0.in.weight block.0.out.weight block.1.in.weight block.1.out.weight read.weight", NULL},
    {"fc1.weight 4x4, fc2.weight 4x4, out.weight 4x4", NULL, "ambiguous: 'fc1.weight' and 'out"},
    {"encoder.weight 4x4, decoder.weight 4x4", NULL, "ambiguous"},
    {"gate_proj.weight 8x4, up_proj.weight 8x4, down_proj.weight 4x8", NULL, "ambiguous"},
    {"c_fc.weight 8x4, c_proj.weight 4x8", NULL, "ambiguous"},

    /* shapes that do not chain */
    {"0.weight 4x3, 1.weight 2x5", NULL, "tensor '1.weight' takes 5 inputs, but '0.weight'"},
    {"0.weight 3x4, 1.weight 4x2", NULL, "transposed they would fit"},
    {"a.weight 4x3, b.weight 2x5", NULL, "'b.weight' takes 5 inputs"},
    {"0.weight 4x3, 0.bias 3", NULL, "'0.bias' has 3 entries, but '0.weight' has 4 outputs"},
    {"array 3x2x4", NULL, "must be square"},
    {"0.weight 0x3", NULL, "empty"},

    /* what is no chain of linear layers */
    {"", NULL, "no tensors"},
    {"conv.weight 4x3x5x5, conv.bias 4", NULL, "'conv.weight' (4, 3, 5, 5)"},
    {"0.weight 4x3, 0.bias 4x2", NULL, "a bias has one dimension"},
    {"0.weight 4x3, 1.num_batches_tracked", NULL, "'1.num_batches_tracked' (): a batch norm"},
    {"0.weight 4x3, Kin2 3x3", NULL, "'Kin2' (3, 3): neither"},
    {"0.weight 4x3, temperature", NULL,
     "'temperature' (): neither a weight nor a bias by its name; "
     "leave it out"},

    /* what it is instead, and the way out */
    {"0.weight 4x3, 1.weight 4, 1.bias 4, 1.running_mean 4, 1.running_var 4, "
     "1.num_batches_tracked, "
     "2.weight 4x4",
     NULL,
     "'1.running_mean' (4,): a batch normalisation is not read; "
     "torch.nn.utils.fusion.fuse_linear_bn_eval"},
    {"0.weight 4x3, 1.weight 4, 1.bias 4, 2.weight 4x4", NULL,
     "'1.weight' (4,): a weight of one dimension, as LayerNorm"},
    {"0.weight 4x3, 1.weight 1, 2.weight 4x4", NULL,
     "'1.weight' (1,): a weight of one number, as a PReLU has"},
    {"conv.weight 4x3x5x5", NULL, "as convolutions have"},
    {"0.weight_g 4x1, 0.weight_v 4x3", NULL, "torch.nn.utils.remove_weight_norm"},
    {"weight_g 1x1, weight_v 1x5", NULL, "a weight norm (old spelling)"},
    {"p.parametrizations.weight.original0 8x1, p.parametrizations.weight.original1 8x8", NULL,
     "a weight norm (new spelling) or another parametrization"},
    {"0.weight_orig 8x8, 0.weight_mask 8x8", NULL, "torch.nn.utils.prune.remove"},
    {"0.weight_orig 8x8, 0.weight_u 8, 0.weight_v 8", NULL, "remove_spectral_norm"},
    {"0.weight 4x4, 0.lora_A.weight 1x4, 0.lora_B.weight 4x1", NULL, "merge_and_unload"},
    {"rnn.weight_ih_l0 4x4, rnn.weight_hh_l0 4x4", NULL, "a recurrent layer"},
    {"attn.in_proj_weight 12x4, attn.out_proj.weight 4x4", NULL, "attention"},
    {"params/Dense_0/kernel 8x8, params/Dense_0/bias 8, params/Dense_1/kernel 8x3, "
     "params/Dense_1/bias 3",
     "params/Dense_0/kernel+params/Dense_0/bias params/Dense_1/kernel+params/Dense_1/bias", NULL},
    {"coefs_0 8x8, coefs_1 8x3, intercepts_0 8, intercepts_1 3",
     "coefs_0+intercepts_0 coefs_1+intercepts_1", NULL},
    {"coefs_.0 4x8, coefs_.1 8x3, intercepts_.0 8, intercepts_.1 3",
     "coefs_.0+intercepts_.0 coefs_.1+intercepts_.1", NULL},
    {"dense/kernel 8x4, dense/bias 3", NULL, "'dense/bias' has 3 entries"},
    {"fc1.weight 4x3, fc1.bias 1x4, fc2.weight 2x4, fc2.bias 2x1",
     "fc1.weight+fc1.bias fc2.weight+fc2.bias", NULL},
    {"h.0.mlp.c_fc.weight 8x32, h.0.mlp.c_fc.bias 32, h.0.mlp.c_proj.weight 32x8, "
     "h.0.mlp.c_proj.bias 8",
     NULL,
     "'h.0.mlp.c_fc.bias' has 32 entries, but 'h.0.mlp.c_fc.weight' has 8 outputs; transposed they "
     "would fit: the weights are stored (in, out), as Conv1D of GPT-2 does: --layout in-out"},
    {"0.weight 3x4, 0.bias 4, 1.weight 4x4, 1.bias 4", NULL, "stored (in, out)"},
    {"encoder.weight 4x8, encoder.bias 4, decoder_bias 8", NULL,
     "'decoder_bias' (8,): a bias without a weight; a matrix that two layers share (tied weights)"},

    /* halves and doubles */
    {"2.weight 8x8, 2.bias 8, 4.weight 3x8, 4.bias 3", NULL,
     "the layers' numbers begin at 2 ('2.weight'): is this one shard of several"},
    {"model.layers.7.weight 3x3, model.layers.8.weight 3x3", NULL, "begin at 7"},
    {"fc3.weight 3x3", NULL, "begin at 3"},
    {"arr_9 3x3, arr_10 3x3", NULL, "begin at 9"},
    {"fc99999999999999999999999.weight 3x3", NULL, "begin at 18446744073709551615"},
    {"actor.0.weight 8x8, actor.2.weight 3x8, critic.0.weight 8x8, critic.2.weight 1x8", NULL,
     "the file holds several networks by their names, actor.* (2 tensors), critic.* (2 tensors); "
     "--tensors 'actor.*' takes one"},
    {"model.0.weight 8x8, model.2.weight 3x8, optimizer.0.weight.exp_avg 8x8", NULL,
     "the file holds several groups, model.* (2 tensors), optimizer.* (1 tensor)"},
    {"actor.0.weight 8x4, actor.2.weight 3x8, critic.0.weight 8x3, critic.2.weight 1x8", NULL,
     "several networks by their names, actor.* (2 tensors), critic.*"},
    {"generator.weight 8x4, discriminator.weight 1x8", NULL, "several networks"},
    {"q1.0.weight 3x3, q1.2.weight 3x3, q2.0.weight 3x3, q2.2.weight 3x3", NULL,
     "several networks by their names, q1.* (2 tensors), q2.* (2 tensors)"},
    {"agent.policy_net.0.weight 3x3, agent.target_net.0.weight 3x3", NULL, "several networks"},
    {"models.0.0.weight 3x3, models.0.2.weight 3x3, models.1.0.weight 3x3, models.1.2.weight 3x3",
     NULL, "several networks by their names, models.0.* (2 tensors), models.1.*"},

    {"0.weight 4x3, 1.bias 4", NULL, "'1.bias' (4,): a bias without a weight"},
    {"0.weight 4x3, 0.bias 4, 0.b 4", NULL, "a second bias"},
    {"0.weight 3x3, 0.w 3x3", NULL, "the same place"},
    {"0.weight 3x3, 00.weight 3x3", NULL, "the same place"},
    {"arr_0 3, arr_1 3x3", NULL, "no matrix right before"},
    {"arr_0 3x3, arr_1 3x3, arr_2 3, arr_3 3", NULL, "no matrix right before"},
    {"arr_0 3x3, other 3x3", NULL, "neither"},
    {"arr_0 3x3x3, arr_1 3x3", NULL, "neither"},
    {"array", NULL, "neither"},
};

static void test_tensors_chain_or_are_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rk_tensors tensors = make_tensors(cases[i].tensors);
        rk_tensor_chain chain;
        rk_error error;
        rk_layout_apply(&tensors, RK_LAYOUT_BY_NAME, NULL);
        rk_status status = rk_tensor_chain_create(&chain, &tensors, &error);
        if (cases[i].layers) {
            if (status != RK_OK) fail_msg("%s: %s", cases[i].tensors, error.message);
            char layers[512];
            describe(&chain, layers);
            assert_string_equal(layers, cases[i].layers);
        } else {
            if (status != RK_ERROR_FORMAT) fail_msg("%s: accepted", cases[i].tensors);
            if (!strstr(error.message, cases[i].refusal))
                fail_msg("%s: %s", cases[i].tensors, error.message);
        }
        rk_tensor_chain_destroy(&chain);
        rk_tensors_destroy(&tensors);
    }
}

/* Values of types that are not read matter only where they are weights. */
static void test_types_that_are_not_read(void **state) {
    (void)state;
    static const struct {
        const char *tensors, *unread, *type, *refusal;
    } rows[] = {
        {"0.weight 4x3, 1.weight 2x4", "1.weight", "F8_E4M3",
         "tensor '1.weight': its values are quantised (F8_E4M3); dequantise them first"},
        {"0.weight 4x3, 1.weight 2x4", "0.weight", "I8", "quantised (I8)"},
        {"0.weight 4x3, 0.bias 4", "0.bias", "I64", "'0.bias': dtype I64 is not supported"},
        {"w 2x2x2", "w", "U8", "quantised (U8)"},
        {"0.weight 4x3, 1.num_batches_tracked", "1.num_batches_tracked", "I64", "a batch norm"},
        {"0.weight 4x3, step", "step", "I64", "'step' (): neither a weight nor a bias"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rk_tensors tensors = make_tensors(rows[i].tensors);
        for (size_t t = 0; t < tensors.count; t++)
            if (strcmp(tensors.items[t].name, rows[i].unread) == 0)
                strcpy(tensors.items[t].unread, rows[i].type);
        rk_tensor_chain chain;
        rk_error error;
        assert_int_equal(rk_tensor_chain_create(&chain, &tensors, &error), RK_ERROR_FORMAT);
        if (!strstr(error.message, rows[i].refusal)) fail_msg("%s", error.message);
        rk_tensor_chain_destroy(&chain);
        rk_tensors_destroy(&tensors);
    }
}

static void test_names_of_shards(void **state) {
    (void)state;
    static const struct {
        const char *path;
        size_t which, count; /* 0: none */
    } rows[] = {
        {"model-00001-of-00002.safetensors", 1, 2},
        {"a/b-of-c/pytorch_model-00010-of-00012.bin", 10, 12},
        {"net-3-of-4.npz", 3, 4},
        {"one-of-us.safetensors", 0, 0},
        {"out-of-1.safetensors", 0, 0},
        {"model-00001-of-00002/model.safetensors", 0, 0},
        {"1-of-2.npz", 0, 0},
        {"-of-", 0, 0},
        {"", 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t which = 0, count = 0;
        assert_int_equal(rk_name_is_shard(rows[i].path, &which, &count), rows[i].count > 0);
        assert_int_equal(which, rows[i].which);
        assert_int_equal(count, rows[i].count);
    }
}

/* Every order of many square matrices that are named differently chains: the search must give up.
 */
static void test_hopeless_searches_end(void **state) {
    (void)state;
    char text[64 * 24] = "", name[32];
    for (int i = 0; i < 40; i++) {
        /* 0 -> 1 -> 0 -> ... is impossible to finish: one output fits nowhere */
        snprintf(name, sizeof name, "%s%c%c.weight %s", i ? ", " : "", 'a' + i / 20, 'a' + i % 20,
                 i % 2 ? "2x3" : "3x3");
        strcat(text, name);
    }
    rk_tensors tensors = make_tensors(text);
    rk_tensor_chain chain;
    assert_int_equal(rk_tensor_chain_create(&chain, &tensors, NULL), RK_ERROR_FORMAT);
    rk_tensors_destroy(&tensors);
}

static void test_names_in_natural_order(void **state) {
    (void)state;
    static const char *const ascending[] = {"",    "a",     "a1",    "a2",     "a02b",
                                            "a10", "a10.1", "a10.9", "a10.10", "b"};
    for (size_t i = 0; i < 10; i++)
        for (size_t j = 0; j < 10; j++) {
            int order = rk_name_compare(ascending[i], ascending[j]);
            assert_true(i < j ? order < 0 : i > j ? order > 0 : order == 0);
        }
    assert_true(rk_name_alike("layer1.fc2", "layer10.fc33"));
    assert_false(rk_name_alike("layer1.fc2", "layer.fc2"));
    assert_false(rk_name_alike("layer1", "layer1a"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tensors_chain_or_are_refused),
        cmocka_unit_test(test_types_that_are_not_read),
        cmocka_unit_test(test_names_of_shards),
        cmocka_unit_test(test_hopeless_searches_end),
        cmocka_unit_test(test_names_in_natural_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

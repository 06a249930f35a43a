/* What PyTorch 1.13 and 2.x wrote (tests/data/torch/make.py), and what nobody should have. */
#include "format/read.h"
#include "network/network.h"
#include "support/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants setjmp.h and stdarg.h */
#include <cmocka.h>

static rk_status parse(rk_network **net, const unsigned char *bytes, size_t size, rk_error *error) {
    const rk_read_options options = {.activation = "relu"};
    return rk_network_parse(net, &(rk_model_bytes){.bytes = bytes, .size = size}, &options, error);
}

static rk_network *read_ok(const char *name) {
    char path[64];
    size_t size;
    snprintf(path, sizeof path, "torch/%s", name);
    unsigned char *bytes = read_data(path, &size);
    rk_network *net;
    rk_error error;
    if (parse(&net, bytes, size, &error) != RK_OK) fail_msg("%s: %s", name, error.message);
    free(bytes);
    return net;
}

static void check_refused(const char *name, const unsigned char *bytes, size_t size,
                          const char *why) {
    rk_network *net;
    rk_error error;
    if (parse(&net, bytes, size, &error) != RK_ERROR_FORMAT || !strstr(error.message, why))
        fail_msg("%s: %s", name, net ? "read" : error.message);
    assert_true(strlen(error.message) + 1 < sizeof error.message);
}

static void check_same_bits(const char *name, const rk_network *a, const rk_network *b) {
    assert_int_equal(rk_network_n_layers(a), rk_network_n_layers(b));
    for (size_t l = 0; l < rk_network_n_layers(a); l++) {
        const rk_layer x = rk_network_layer(a, l), y = rk_network_layer(b, l);
        assert_int_equal(x.rows, y.rows);
        assert_int_equal(x.cols, y.cols);
        if (memcmp(x.weight, y.weight, x.rows * x.cols * sizeof *x.weight) != 0 ||
            memcmp(x.bias, y.bias, x.rows * sizeof *x.bias) != 0)
            fail_msg("%s: layer %zu differs", name, l + 1);
    }
}

/* ------------------------------------------------------------------------- what PyTorch writes */

static void test_same_bits_as_npz(void **state) {
    (void)state;
    static const char *const kinds[] = {"state",      "half",   "bfloat",     "double",
                                        "transposed", "views",  "shared",     "tree",
                                        "protocol4",  "legacy", "checkpoint", "parameters"};
    rk_network *wanted = read_ok("net.npz");
    for (size_t i = 0; i < 2 * (sizeof kinds / sizeof *kinds); i++) {
        char name[64];
        snprintf(name, sizeof name, "%s_%s.pt", i % 2 ? "new" : "old", kinds[i / 2]);
        rk_network *net = read_ok(name);
        check_same_bits(name, net, wanted);
        rk_network_destroy(net);
    }
    static const char *const odd[] = {"big_endian.pt", "no_folder.pt"};
    for (size_t i = 0; i < 2; i++) {
        rk_network *net = read_ok(odd[i]);
        check_same_bits(odd[i], net, wanted);
        rk_network_destroy(net);
    }
    rk_network_destroy(wanted);
}

static void test_expanded(void **state) {
    (void)state;
    rk_network *wanted = read_ok("expanded.npz"), *old = read_ok("old_expanded.pt"),
               *new = read_ok("new_expanded.pt");
    check_same_bits("old", old, wanted);
    check_same_bits("new", new, wanted);
    rk_network_destroy(wanted);
    rk_network_destroy(old);
    rk_network_destroy(new);
}

static void test_notes_name_the_choice(void **state) {
    (void)state;
    rk_network *net = read_ok("new_checkpoint.pt");
    assert_non_null(strstr(rk_network_notes(net), "tensors of 'state_dict.*'"));
    assert_non_null(strstr(rk_network_notes(net), "'optimizer.state.0.step' first"));
    assert_non_null(strstr(rk_network_notes(net), "layer 1: state_dict.fc1.weight 5x3"));
    rk_network_destroy(net);
}

static void test_cases(void **state) {
    (void)state;
    static const char *const read[] = {"50_state_dict.pt", "51_state_dict_legacy.pt",
                                       "53_checkpoint.pt", "54_half.pt"};
    for (size_t i = 0; i < sizeof read / sizeof *read; i++)
        rk_network_destroy(read_ok(read[i]));
}

static const struct {
    const char *name, *why;
} refused[] = {
    {"52_module.pt", "a pickled module"},
    {"52_module.pt", "torch.save(torch.load('net.pt', weights_only=False"},
    {"old_module.pt", "a pickled module"},
    {"new_module.pt", "a pickled module"},
    {"old_two.pt", "'ema' (4 tensors), 'model' (4 tensors)"},
    {"new_two.pt", "--tensors 'model.*' takes one"},
    {"new_counters.pt", "tensor 'steps'"},
    {"bad_byteorder.pt", "neither little nor big"},
    {"bad_size.pt", "storage '0' is not as large as the pickle says"},
    {"bad_short.pt", "storage '1' is not as large as the pickle says"},
    {"bad_missing.pt", "storage '3' is not in the archive"},
    {"bad_compressed.pt", "zip -0"},
    {"bad_pickle.pt", "the pickle is cut short"},
    {"bad_opcode.pt", "the opcode 0x46, which no torch.save writes"},
    {"bad_script.pt", "a TorchScript archive"},
};

static void test_refusals(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char path[64];
        size_t size;
        snprintf(path, sizeof path, "torch/%s", refused[i].name);
        unsigned char *bytes = read_data(path, &size);
        check_refused(refused[i].name, bytes, size, refused[i].why);
        free(bytes);
    }
}

static void test_cut_anywhere(void **state) {
    (void)state;
    static const char *const names[] = {"torch/new_legacy.pt", "torch/old_legacy.pt",
                                        "torch/new_state.pt"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t size;
        unsigned char *bytes = read_data(names[i], &size);
        for (size_t length = 0; length < size; length++) {
            unsigned char *prefix = malloc(length ? length : 1);
            assert_non_null(prefix);
            memcpy(prefix, bytes, length);
            check_refused(names[i], prefix, length, "");
            free(prefix);
        }
        free(bytes);
    }
}

/* ------------------------------------------------------------------------------ hostile pickles */

/* In the old kind of file, where a pickle needs no archive around it. */
#define PREAMBLE                                                                                   \
    "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."                                      \
    "\x80\2M\xe9\3."                                                                               \
    "\x80\2}."

/* A dict of 0.weight, a view into storage "0" of `n` floats; three floats follow. */
#define STORAGE(n)                                                                                 \
    "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"                                             \
    "0X\3\0\0\0cpu" n "tQ"
#define MATRIX(n, view)                                                                            \
    "\x80\2}X\x08\0\0\0"                                                                           \
    "0.weightctorch._utils\n_rebuild_tensor_v2\n(" STORAGE(n) view "\x89}tRs."
#define KEYS                                                                                       \
    "\x80\2](X\1\0\0\0"                                                                            \
    "0e."
#define THREE "\3\0\0\0\0\0\0\0"
#define ONES  "\0\0\x80\x3f\0\0\x80\x3f\0\0\x80\x3f"
#define ROW   "K\0K\1K\3\x86K\3K\1\x86" /* offset 0, shape (1, 3), strides (3, 1) */

#define BYTES(text) text, sizeof(text) - 1
static const struct {
    const char *what, *bytes;
    size_t size;
    const char *why; /* NULL: it is read */
} pickles[] = {
    {"sound", BYTES(MATRIX("K\3", ROW) KEYS THREE ONES), NULL},
    {"os.system", BYTES("\x80\2cos\nsystem\nX\2\0\0\0lsR."), "names os.system"},
    {"os.system, protocol 4", BYTES("\x80\4\x8c\5posix\x8c\6system\x93\x8c\2ls\x85R."),
     "names posix.system"},
    {"subprocess", BYTES("\x80\2csubprocess\nPopen\n)\x81."), "names subprocess.Popen"},
    {"eval",
     BYTES("\x80\2c__builtin__\neval\nX\1\0\0\0"
           "1\x85R."),
     "names __builtin__.eval"},
    {"popped, but named", BYTES("\x80\2cbuiltins\nexec\n0}."), "names builtins.exec"},
    {"ansi in a name", BYTES("\x80\2cos\n\x1b[2Jx\n."), "names os.?[2Jx"},
    {"set", BYTES("\x80\2}X\1\0\0\0ac__builtin__\nset\n]\x85Rs."), "the pickle is cut short"},
    {"set, with keys", BYTES("\x80\2}X\1\0\0\0ac__builtin__\nset\n]\x85Rs.\x80\2]."), "no tensors"},
    {"an array of another kind",
     BYTES("\x80\2}X\4\0\0\0fc.W"
           "ctorch._utils\n_rebuild_qtensor\n)Rs.\x80\2]."),
     "a weight has two dimensions"},
    {"unknown class", BYTES("\x80\2cmine\nThing\n)\x81}b.\x80\2]."), "no tensors"},
    {"no storages listed", BYTES(MATRIX("K\3", ROW) "\x80\2]."), "storage '0' is not in the file"},
    {"storage listed twice",
     BYTES(MATRIX("K\3", ROW) "\x80\2](X\1\0\0\0"
                              "0X\1\0\0\0"
                              "0e." THREE ONES),
     "the list of storages is not the pickle's"},
    {"storage of another size", BYTES(MATRIX("K\4", ROW) KEYS THREE ONES "\0\0\0\0"),
     "not as large as the pickle says"},
    {"storage beyond the file", BYTES(MATRIX("J\xff\xff\xff\x7f", ROW) KEYS THREE ONES),
     "storage '0' is cut short"},
    {"storage of negative size", BYTES(MATRIX("J\xff\xff\xff\xff", ROW) KEYS THREE ONES),
     "a storage of an unknown kind"},
    {"storage of overflowing size",
     BYTES(MATRIX("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", ROW) KEYS THREE ONES),
     "a storage of an unknown kind"},
    {"bytes left over", BYTES(MATRIX("K\3", ROW) KEYS THREE ONES "x"), "bytes are left over"},
    {"offset too large", BYTES(MATRIX("K\3", "K\1K\1K\3\x86K\3K\1\x86") KEYS THREE ONES),
     "not within its storage"},
    {"stride too large", BYTES(MATRIX("K\3", "K\0K\1K\3\x86K\3K\2\x86") KEYS THREE ONES),
     "not within its storage"},
    {"stride negative",
     BYTES(MATRIX("K\3", "K\2K\1K\3\x86K\3J\xff\xff\xff\xff\x86") KEYS THREE ONES),
     "not within its storage"},
    {"shape negative",
     BYTES(MATRIX("K\3", "K\0K\1J\xff\xff\xff\xff\x86K\3K\1\x86") KEYS THREE ONES),
     "not within its storage"},
    {"shape overflows",
     BYTES(MATRIX("K\3", "K\0J\xff\xff\xff\x7f\x8a\5\xff\xff\xff\xff\x7f\x86"
                         "K\0K\0\x86") KEYS THREE ONES),
     "not within its storage"},
    {"shape of floats",
     BYTES(MATRIX("K\3", "K\0G\0\0\0\0\0\0\0\0K\3\x86K\3K\1\x86") KEYS THREE ONES),
     "not within its storage"},
    {"strides missing", BYTES(MATRIX("K\3", "K\0K\1K\3\x86K\1\x85") KEYS THREE ONES),
     "not within its storage"},
    {"expanded without end",
     BYTES(MATRIX("K\3", "K\0J\xff\xff\xff\x7fK\3\x86K\0K\1\x86") KEYS THREE ONES), "too often"},
    {"not a number", BYTES(MATRIX("K\3", ROW) KEYS THREE "\0\0\xc0\x7f\0\0\0\0\0\0\0\0"),
     "the value at (0, 0) is not a number"},
    {"unknown storage",
     BYTES("\x80\2(X\7\0\0\0storagectorch\nSomeStorage\nX\1\0\0\0"
           "0NK\1tQ."),
     "a storage of an unknown kind"},
    {"a huge memo index", BYTES("\x80\2}r\xff\xff\xff\xff."), "an index larger than itself"},
    {"a memo index never set", BYTES("\x80\2}q\1h\0."), "recalls what it never remembered"},
    {"a huge frame", BYTES("\x80\4\x95\xff\xff\xff\xff\xff\xff\xff\x7f}."), "a frame longer than"},
    {"a huge string", BYTES("\x80\4\x8d\xff\xff\xff\xff\xff\xff\xff\xff}."), "is cut short"},
    {"an empty stack", BYTES("\x80\2."), "takes from an empty stack"},
    {"no mark", BYTES("\x80\2}u."), "no mark"},
    {"below the mark", BYTES("\x80\2}(R."), "takes from an empty stack"},
    {"a key without a value", BYTES("\x80\2}(K\1u."), "a key without a value"},
    {"items into a number", BYTES("\x80\2K\1K\2a."), "no container of theirs"},
    {"protocol 0", BYTES("(dp0\n."), "0x70"},
    {"a list in itself", BYTES("\x80\2]q\0h\0a.\x80\2]."), "nested deeper than 64"},
    {"a dict in itself, twice", BYTES("\x80\2}q\0(K\0h\0K\1h\0u.\x80\2]."),
     "nested deeper than 64"},
    {"a name with a zero", BYTES("\x80\2}X\3\0\0\0a\0b]s.\x80\2]."), "a zero byte"},
};

static void test_hostile_pickles(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof pickles / sizeof *pickles; i++) {
        const size_t preamble = sizeof PREAMBLE - 1, size = preamble + pickles[i].size;
        unsigned char *bytes = malloc(size);
        assert_non_null(bytes);
        memcpy(bytes, PREAMBLE, preamble);
        memcpy(bytes + preamble, pickles[i].bytes, pickles[i].size);
        rk_network *net;
        rk_error error;
        if (pickles[i].why) {
            check_refused(pickles[i].what, bytes, size, pickles[i].why);
        } else {
            if (parse(&net, bytes, size, &error) != RK_OK)
                fail_msg("%s: %s", pickles[i].what, error.message);
            assert_true(rk_network_layer(net, 0).weight[2] == 1);
            rk_network_destroy(net);
        }
        free(bytes);
    }
}

/* Pickles that grow without their file doing so: `begin`, then `repeat` over and over, then `end`.
 */
static const struct {
    const char *what, *begin, *repeat, *end;
    size_t times;
    const char *why;
} bombs[] = {
    {"lists in lists", "\x80\2]", "]", "", 1 << 20, "more than a million objects"},
    {"marks", "\x80\2", "(", "", 1 << 20, "is cut short"},
    {"nested tuples", "\x80\2]", "\x85", ".\x80\2].", 100000, "nested deeper than 64"},
    {"doubled tuples", "\x80\2]", "2\x86", ".\x80\2].", 62, "4 million items"},
    {"repeats of the top", "\x80\2]", "2", "", 1 << 22, "is cut short"},
    {"a list that grows", "\x80\2]", "Na", ".\x80\2].", 1 << 19, "no tensors"},
    {"sixteen megabytes", "\x80\2]", "N0", "", 1 << 23, "more than a million objects"},
};

static void test_bombs(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bombs / sizeof *bombs; i++) {
        const size_t unit = strlen(bombs[i].repeat), head = sizeof PREAMBLE - 1,
                     begin = strlen(bombs[i].begin), end = strlen(bombs[i].end),
                     size = head + begin + unit * bombs[i].times + end;
        unsigned char *bytes = malloc(size), *at = bytes;
        assert_non_null(bytes);
        memcpy(at, PREAMBLE, head);
        memcpy(at += head, bombs[i].begin, begin);
        at += begin;
        for (size_t k = 0; k < bombs[i].times; k++, at += unit)
            memcpy(at, bombs[i].repeat, unit);
        memcpy(at, bombs[i].end, end);
        check_refused(bombs[i].what, bytes, size, bombs[i].why);
        free(bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits_as_npz),
        cmocka_unit_test(test_expanded),
        cmocka_unit_test(test_notes_name_the_choice),
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_hostile_pickles),
        cmocka_unit_test(test_bombs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Methods as structures and as text. */
#include "estimate/methods.h"
#include "estimate/words.h"
#include "support/method.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Field by field: there is padding. */
static bool same(const rk_method_spec *a, const rk_method_spec *b) {
    return a->kind == b->kind && a->metric == b->metric && a->terms == b->terms &&
           a->angular == b->angular && a->tilt == b->tilt && a->fourth == b->fourth &&
           a->rank == b->rank && a->reach == b->reach && a->old == b->old &&
           a->all_neurons == b->all_neurons && a->double_legs == b->double_legs &&
           a->order == b->order && a->dense == b->dense && a->points == b->points &&
           a->control == b->control && a->pairs == b->pairs;
}

static void assert_round_trip(const char *text) {
    const rk_method_spec *spec = method_of(text);
    char spelled[RK_METHOD_TEXT];
    rk_method_spell(spec, spelled, sizeof spelled);
    rk_method_spec accepted;
    if (!same(spec, method_of(spelled))) fail_msg("%s is not %s", spelled, text);
    assert_int_equal(rk_method_accept(&accepted, spec, NULL), RK_OK);
    assert_true(same(spec, &accepted) && accepted.size == sizeof accepted);
}

/* Every word of every method, numbers at both ends, and what earlier versions said. */
static void test_every_word_round_trips(void **state) {
    (void)state;
    size_t n = 0;
    for (int kind = 0; kind < RK_METHOD_COUNT; kind++) {
        const rk_method *method = rk_method_of(&(rk_method_spec){.kind = (rk_method_kind)kind});
        assert_round_trip(method->info.name);
        for (const rk_word *w = method->words; w && w->text; w++, n++) {
            char text[RK_METHOD_TEXT];
            const int values[] = {w->least, w->most};
            for (size_t v = 0; v < 2; v++) {
                if (w->least == w->most)
                    snprintf(text, sizeof text, "%s:%s", method->info.name, w->text);
                else
                    snprintf(text, sizeof text, "%s:%s%d", method->info.name, w->text, values[v]);
                assert_round_trip(text);
            }
        }
        for (const rk_old_word *old = method->old_words; old && old->text; old++, n++) {
            char text[RK_METHOD_TEXT], now[RK_METHOD_TEXT];
            snprintf(text, sizeof text, "%s:%s", method->info.name, old->text);
            snprintf(now, sizeof now, "%s:%s", method->info.name, old->words);
            assert_true(same(method_of(text), method_of(now)));
            assert_round_trip(text);
        }
    }
    assert_true(n > 50);
}

static void test_text(void **state) {
    (void)state;
    static const struct {
        const char *text, *spelled;
        rk_method_spec spec;
    } cases[] = {
        {NULL, "auto", {.kind = RK_AUTO}},
        {"covariance", "covariance", {.kind = RK_COVARIANCE}},
        {"covariance:gauge=none", "covariance", {.kind = RK_COVARIANCE}},
        {"covariance:order=4,pairs=completed",
         "covariance:pairs=completed,order=4",
         {.kind = RK_COVARIANCE, .pairs = RK_PAIRS_COMPLETED, .order = 4}},
        {"covariance:pairs=first", "covariance", {.kind = RK_COVARIANCE}},
        {"mean:metric=avg,base",
         "mean:base,metric=avg",
         {.kind = RK_MEAN, .metric = RK_METRIC_AVERAGE, .terms = RK_REFERENCE_BASE}},
        {"third:rank=24,reach=5,fourth=full",
         "third:fourth=full,rank=24,reach=5",
         {.kind = RK_THIRD, .fourth = RK_FOURTH_FULL, .rank = 24, .reach = 5}},
        {"third:gauge=none,rank=full",
         "third:tilt=off,fourth=average,rank=full",
         {.kind = RK_THIRD,
          .tilt = RK_TILT_OFF,
          .fourth = RK_FOURTH_AVERAGE,
          .rank = RK_RANK_FULL}},
        {"reference:3,augment,dense",
         "reference:3,augment,dense",
         {.kind = RK_REFERENCE, .order = 3, .terms = RK_REFERENCE_AUGMENT, .dense = true}},
        {"sample:iid,anchor", "sample:anchor", {.kind = RK_SAMPLE, .control = RK_CONTROL_ANCHOR}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const rk_method_spec *spec = method_of(cases[i].text);
        char spelled[RK_METHOD_TEXT];
        rk_method_spell(spec, spelled, sizeof spelled);
        assert_string_equal(spelled, cases[i].spelled);
        if (!same(spec, &cases[i].spec)) fail_msg("%s is another", spelled);
    }
    char cut[6];
    rk_method_spell(&(rk_method_spec){.kind = RK_COVARIANCE}, cut, sizeof cut);
    assert_string_equal(cut, "covar");
}

static void test_what_is_no_method(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"men", "unknown method 'men'; there are auto, mean, "},
        {"", "unknown method ''; there are "},
        {"mean:", "method 'mean' does not know ''; it takes simple|base, metric=exact|avg"},
        {"mean:base,", "method 'mean' does not know ''"},
        {"mean:simple,base", "method 'mean' takes only one of 'base' and its alternatives"},
        {"sample:control,anchor", "method 'sample' takes only one of 'anchor'"},
        {"gain:fast", "method 'gain' does not know 'fast'; it takes no arguments"},
        {"third:gauge=full,fourth=lean", "method 'third' takes only one of 'fourth=lean'"},
        {"third:rank=8,rank=full", "method 'third' takes only one of 'rank=full'"},
        {"third:rank=0", "method 'third': rank=0: expected a whole number from 1 on"},
        {"third:rank=2147483648", "method 'third': rank=2147483648: expected"},
        {"third:rank=99999999999999999999", "method 'third': rank=99999999999999999999: expected"},
        {"third:reach=0", "method 'third': reach=0: expected a whole number from 1 to 8"},
        {"third:reach=9", "method 'third': reach=9: expected a whole number from 1 to 8"},
        {"third:reach=", "method 'third': reach=: expected"},
        {"third:reach=-1", "method 'third': reach=-1: expected"},
        {"third:reach= 1", "method 'third': reach= 1: expected"},
        {"third:reach=2x", "method 'third': reach=2x: expected"},
        {"third:rank", "method 'third' does not know 'rank'"},
        {"reference:5", "method 'reference' does not know '5'"},
        {"covariance:order=5", "method 'covariance': order=5: expected a whole number from 1 to 4"},
        {"covariance:pairs=exact,pairs=first", "method 'covariance' takes only one of"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rk_method_spec spec = {.kind = RK_GAIN};
        rk_error error;
        assert_int_equal(rk_method_parse(cases[i].text, &spec, &error), RK_ERROR_ARGUMENT);
        if (strncmp(error.message, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("%s: %s", cases[i].text, error.message);
        assert_int_equal(spec.kind, RK_GAIN);
    }
}

/* What only a program can ask for. */
static void test_specs_are_checked(void **state) {
    (void)state;
    static const struct {
        rk_method_spec spec;
        const char *message; /* NULL: all is well */
    } cases[] = {
        {{.kind = RK_THIRD}, NULL},
        {{.kind = RK_THIRD, .rank = 24, .reach = 7, .fourth = RK_FOURTH_LEAN}, NULL},
        {{.size = sizeof(rk_method_spec), .kind = RK_MEAN}, NULL},
        {{.size = sizeof(rk_method_spec) - 1}, "rk_method_spec.size is"},
        {{.size = 1}, "rk_method_spec.size is 1"},
        {{.kind = RK_METHOD_COUNT}, "method number 8"},
        {{.kind = (rk_method_kind)1000}, "method number 1000"},
        {{.kind = RK_THIRD, .rank = -2}, "method 'third': -2 is no 'rank'"},
        {{.kind = RK_THIRD, .reach = RK_MAX_REACH + 1}, "method 'third': 9 is no 'reach'"},
        {{.kind = RK_THIRD, .fourth = (rk_fourth_kind)7}, "method 'third': 7 is no 'fourth'"},
        {{.kind = RK_MEAN, .terms = RK_REFERENCE_AUGMENT}, "method 'mean': 1 is no 'simple'"},
        {{.kind = RK_MEAN, .rank = 8}, "method 'mean' does not know 'rank=8'"},
        {{.kind = RK_SAMPLE, .points = (rk_point_set)4}, "method 'sample': 4 is no 'iid'"},
        {{.kind = RK_AUTO, .control = RK_CONTROL_ANCHOR}, "method 'auto' does not know 'anchor'"},
        {{.kind = RK_REFERENCE, .order = 5}, "method 'reference': 5 is no 'order'"},
        {{.kind = RK_COVARIANCE, .order = 5}, "method 'covariance': 5 is no "},
        {{.kind = RK_COVARIANCE, .pairs = (rk_pair_closure)3}, "method 'covariance': 3 is no "},
        {{.kind = RK_GAIN, .pairs = RK_PAIRS_EXACT}, "method 'gain' does not know 'pairs=exact'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rk_method_spec own;
        rk_error error;
        rk_status status = rk_method_accept(&own, &cases[i].spec, &error);
        assert_int_equal(status, cases[i].message ? RK_ERROR_ARGUMENT : RK_OK);
        if (status && strncmp(error.message, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("case %zu: %s", i, error.message);
    }
}

/* Structures of later versions: fine as long as they ask for nothing that is not here. */
static void test_structures_may_have_grown(void **state) {
    (void)state;
    struct {
        rk_method_spec spec;
        char more[16];
    } later = {.spec = {.size = sizeof later, .kind = RK_MEAN}};
    rk_method_spec own;
    assert_int_equal(rk_method_accept(&own, &later.spec, NULL), RK_OK);
    assert_int_equal(own.kind, RK_MEAN);
    assert_int_equal(rk_method_parse("gain", &later.spec, NULL), RK_OK);
    assert_int_equal(later.spec.kind, RK_GAIN);
    assert_int_equal(later.spec.size, sizeof later);
    later.more[15] = 1;
    assert_int_equal(rk_method_accept(&own, &later.spec, NULL), RK_ERROR_ARGUMENT);

    rk_options options = rk_options_default(), taken;
    assert_int_equal(rk_options_accept(&taken, &options, NULL), RK_OK);
    assert_int_equal(taken.samples, 100000);
    options.size = 0;
    assert_int_equal(rk_options_accept(&taken, &options, NULL), RK_OK);
    options.size = sizeof options - 1;
    rk_error error;
    assert_int_equal(rk_options_accept(&taken, &options, &error), RK_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "rk_options.size is"));
}

/* What a run resolves asks for the same run, as a structure and as text, whatever was asked. */
static void test_resolved_methods_are_whole(void **state) {
    (void)state;
    static const char *const methods[] = {"mean",
                                          "covariance:gauge=angular",
                                          "covariance:pairs=completed",
                                          "covariance:gauge=angular,pairs=exact",
                                          "third",
                                          "third:tilt=on",
                                          "third:tilt=off",
                                          "third:fourth=lean,rank=3,reach=5",
                                          "third:gauge=fitted",
                                          "third:fourth=full,rank=24,reach=7",
                                          "reference:2,augment",
                                          "sample:anchor",
                                          "third:tilt=on,fourth=zero,neurons=all,legs=double"};
    rk_random_spec random = {.n_in = 12,
                             .n_out = 3,
                             .hidden = (const size_t[]){12, 12, 12, 12, 12, 12},
                             .n_hidden = 6,
                             .activation = {.kind = RK_RELU}};
    rk_network *net;
    assert_int_equal(rk_network_random(&net, &random, NULL), RK_OK);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        rk_options options = rk_options_default();
        rk_answer *answer, *again;
        options.samples = 500;
        options.method = method_of(methods[i]);
        assert_int_equal(rk_estimate(&answer, net, NULL, &options, NULL), RK_OK);
        const rk_answer_data *a = rk_answer_view(answer);
        if (!same(a->spec, method_of(a->method))) fail_msg("%s is another", a->method);
        options.method = a->spec;
        assert_int_equal(rk_estimate(&again, net, NULL, &options, NULL), RK_OK);
        const rk_answer_data *b = rk_answer_view(again);
        assert_string_equal(a->method, b->method);
        assert_memory_equal(a->mean, b->mean, 3 * sizeof(double));
        assert_memory_equal(&a->error_rms, &b->error_rms, sizeof(double));
        rk_answer_destroy(again);
        rk_answer_destroy(answer);
    }
    rk_network_destroy(net);
}

/* A rank of the layers' width is all there is, and a rank between the others errs between them. */
static void test_any_rank_and_reach(void **state) {
    (void)state;
    enum { N = 24 };
    rk_random_spec random = {.n_in = N,
                             .n_out = 1,
                             .hidden = (const size_t[]){N, N, N, N, N, N, N, N, N, N, N, N},
                             .n_hidden = 12,
                             .activation = {.kind = RK_RELU}};
    rk_network *net;
    assert_int_equal(rk_network_random(&net, &random, NULL), RK_OK);
    rk_method_spec spec = {.kind = RK_THIRD, .fourth = RK_FOURTH_DIAGONAL, .all_neurons = true};
    rk_options options = rk_options_default();
    options.method = &spec;
    double last = 0, full = 0;
    static const int ranks[] = {RK_RANK_FULL, 1, 3, 7, N - 1, N, 1000};
    for (size_t i = 0; i < sizeof ranks / sizeof *ranks; i++) {
        rk_answer *answer;
        spec.rank = ranks[i];
        assert_int_equal(rk_estimate(&answer, net, NULL, &options, NULL), RK_OK);
        const double mean = rk_answer_view(answer)->mean[0];
        if (i == 0) full = mean;
        if (i > 1 && ranks[i] < N) assert_true(mean != last);
        if (ranks[i] >= N && !(mean == full)) fail_msg("rank %d: %g, not %g", ranks[i], mean, full);
        last = mean;
        rk_answer_destroy(answer);
    }
    spec = (rk_method_spec){.kind = RK_THIRD, .fourth = RK_FOURTH_LEAN};
    for (spec.reach = 1; spec.reach <= RK_MAX_REACH; spec.reach++) {
        rk_answer *answer;
        assert_int_equal(rk_estimate(&answer, net, NULL, &options, NULL), RK_OK);
        const double mean = rk_answer_view(answer)->mean[0];
        assert_true(mean != last);
        last = mean;
        rk_answer_destroy(answer);
    }
    rk_network_destroy(net);
}

/* Each tilt with each fourth: what exists runs as itself, the rest is refused by name. */
static void test_tilt_times_fourth(void **state) {
    (void)state;
    static const bool exists[3][RK_FOURTH_FITTED + 1] = {
        [RK_TILT_AUTO] = {1, 1, 1, 1, 1, 1, 1},
        [RK_TILT_OFF] = {1, 1, 0, 0, 0, 0, 1},
        [RK_TILT_ON] = {1, 0, 1, 1, 1, 1, 0},
    };
    rk_random_spec random = {.n_in = 16,
                             .n_out = 2,
                             .hidden = (const size_t[]){16, 16},
                             .n_hidden = 2,
                             .activation = {.kind = RK_RELU}};
    rk_network *net;
    assert_int_equal(rk_network_random(&net, &random, NULL), RK_OK);
    for (int tilt = RK_TILT_AUTO; tilt <= RK_TILT_ON; tilt++)
        for (int fourth = RK_FOURTH_AUTO; fourth <= RK_FOURTH_FITTED; fourth++) {
            rk_method_spec spec = {
                .kind = RK_THIRD, .tilt = (rk_tilt_kind)tilt, .fourth = (rk_fourth_kind)fourth};
            rk_options options = rk_options_default();
            options.method = &spec;
            rk_answer *answer;
            rk_error error;
            rk_status status = rk_estimate(&answer, net, NULL, &options, &error);
            assert_int_equal(status, exists[tilt][fourth] ? RK_OK : RK_ERROR_ARGUMENT);
            if (status != RK_OK) {
                assert_non_null(strstr(error.message, "tilt=off goes with fourth=average"));
                continue;
            }
            const rk_method_spec *ran = rk_answer_view(answer)->spec;
            assert_true(ran->tilt != RK_TILT_AUTO && ran->fourth != RK_FOURTH_AUTO);
            assert_true(tilt == RK_TILT_AUTO || (int)ran->tilt == tilt);
            assert_true(fourth == RK_FOURTH_AUTO || (int)ran->fourth == fourth);
            rk_answer_destroy(answer);
        }
    rk_network_destroy(net);
}

static void test_methods_for_events(void **state) {
    (void)state;
    static const struct {
        const char *text, *spelled, *message;
    } cases[] = {
        {NULL, "auto", NULL},
        {"sample", "sample", NULL},
        {"normal:covariance", "normal:covariance", NULL},
        {"saddlepoint:third:gauge=none", "saddlepoint:third:tilt=off,fourth=average", NULL},
        {"edgeworth:reference:2,augment", "edgeworth:reference:2,augment", NULL},
        {"sampel", NULL, "unknown method 'sampel'; for events there are auto, normal, "},
        {"sample:third", NULL, "method 'sample' takes no arguments"},
        {"normal:thrid", NULL, "unknown method 'thrid'; there are "},
        {"normal:third:rank=-3", NULL, "method 'third': rank=-3: expected"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rk_tail_spec spec = {.size = sizeof spec}, again = {.size = sizeof spec};
        rk_error error;
        rk_status status = rk_tail_method_parse(cases[i].text, &spec, &error);
        assert_int_equal(status, cases[i].message ? RK_ERROR_ARGUMENT : RK_OK);
        if (status != RK_OK) {
            if (strncmp(error.message, cases[i].message, strlen(cases[i].message)) != 0)
                fail_msg("%s: %s", cases[i].text, error.message);
            continue;
        }
        char spelled[RK_METHOD_TEXT];
        rk_tail_method_spell(&spec, spelled, sizeof spelled);
        assert_string_equal(spelled, cases[i].spelled);
        assert_int_equal(rk_tail_method_parse(spelled, &again, NULL), RK_OK);
        assert_true(again.kind == spec.kind && same(&again.closure, &spec.closure));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_word_round_trips),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_what_is_no_method),
        cmocka_unit_test(test_specs_are_checked),
        cmocka_unit_test(test_structures_may_have_grown),
        cmocka_unit_test(test_resolved_methods_are_whole),
        cmocka_unit_test(test_any_rank_and_reach),
        cmocka_unit_test(test_tilt_times_fourth),
        cmocka_unit_test(test_methods_for_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

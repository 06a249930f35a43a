/* Folding the older sources of the third order: exact where they have few directions, close where
 * they have many, the same for any number of threads. */
#include "estimate/method.h"
#include "support/method.h"
#include "third/compress.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N = 40, M = 70, SPAN = 9, RANK = 3, COLS = 2 * M + RANK + 1 };

static double uniform(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) / 9007199254740992.0 - 0.5;
}

/* p and a of only SPAN directions: folding in place and unfolding must give them back. */
static void test_few_directions_are_kept(void **state) {
    (void)state;
    uint64_t seed = 1;
    static double legs[N * COLS], before[N * COLS], K[SPAN * 2 * M], statics[3][M];
    static double wide[SPAN * 2 * M], narrow[SPAN * N], basis[SPAN * N], gram[SPAN * SPAN];
    double u[N][SPAN], k[SPAN][2 * M];
    for (size_t i = 0; i < N * SPAN; i++)
        u[i / SPAN][i % SPAN] = uniform(&seed);
    for (size_t i = 0; i < SPAN * 2 * M; i++)
        k[i / (2 * M)][i % (2 * M)] = uniform(&seed);
    for (size_t i = 0; i < 3 * M; i++)
        statics[i / M][i % M] = uniform(&seed);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < COLS; j++) {
            double sum = j < 2 * M ? 0 : uniform(&seed);
            for (size_t r = 0; r < SPAN && j < 2 * M; r++)
                sum += u[i][r] * k[r][j];
            legs[i * COLS + j] = before[i * COLS + j] = sum;
        }
    rk_source whole = {.width = M,
                       .rank = RANK,
                       .fed = true,
                       .legs = {.stride = COLS, .d = legs},
                       .w2 = statics[0],
                       .s = statics[1],
                       .e = statics[2]};
    rk_source folded = whole;
    folded.span = SPAN;
    folded.legs.stride = rk_source_columns(&folded);
    folded.K = (rk_legs){.stride = 2 * M, .d = K};
    rk_fold_scratch scratch = {.wide = {.stride = 2 * M, .d = wide},
                               .narrow = {.stride = N, .d = narrow},
                               .basis = basis,
                               .gram = gram};
    rk_work work = {.flops = 0};
    rk_source_fold(&work, N, &whole, &scratch, &folded);
    static double room[N * COLS];
    rk_source back = rk_source_unfold(&work, N, &folded, (rk_legs){.stride = COLS, .d = room});
    assert_int_equal(back.legs.stride, COLS);
    for (size_t i = 0; i < N * COLS; i++)
        if (!(fabs(room[i] - before[i]) <= 1e-10))
            fail_msg("entry %zu: %g is not %g", i, room[i], before[i]);
}

static rk_answer *estimate(const size_t *hidden, size_t n_hidden, const char *method, int threads) {
    rk_random_spec spec = {.n_in = 20,
                           .n_out = 5,
                           .hidden = hidden,
                           .n_hidden = n_hidden,
                           .activation = {.kind = RK_RELU},
                           .seed = 3};
    rk_options options = rk_options_default();
    options.method = method_of(method);
    options.threads = threads;
    rk_network *net;
    rk_answer *answer;
    assert_int_equal(rk_network_random(&net, &spec, NULL), RK_OK);
    assert_int_equal(rk_estimate(&answer, net, NULL, &options, NULL), RK_OK);
    rk_network_destroy(net);
    return answer;
}

/* Root mean square difference of the means over their root mean square. */
static double difference(const rk_answer_data *a, const rk_answer_data *b) {
    double sum = 0, scale = 0;
    for (size_t i = 0; i < a->n_out; i++) {
        sum += (a->mean[i] - b->mean[i]) * (a->mean[i] - b->mean[i]);
        scale += b->mean[i] * b->mean[i];
    }
    return sqrt(sum / scale);
}

static void test_folding_changes_little_and_saves(void **state) {
    (void)state;
    static const size_t equal[] = {64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64};
    static const size_t unequal[] = {80, 50, 90, 33, 120, 60, 48, 100, 64, 30, 90, 70};
    static const struct {
        const size_t *widths;
        const char *exact, *folded;
        double change;
    } rows[] = {
        {equal, "third:gauge=diagonal,old=exact", "third:gauge=diagonal,old=folded", 2e-3},
        {unequal, "third:gauge=diagonal,old=exact", "third:gauge=diagonal,old=folded", 2e-3},
        {equal, "third:gauge=full,rank=8,reach=3,old=exact",
         "third:gauge=full,rank=8,reach=3,old=folded", 1e-2},
        {unequal, "third:gauge=full,rank=8,reach=2,old=exact",
         "third:gauge=full,rank=8,reach=2,old=folded", 1e-2},
        {unequal, "third:gauge=lean,old=exact", "third:gauge=lean,old=folded", 1e-2},
        {equal, "third:gauge=full,rank=8,reach=8,old=exact",
         "third:gauge=full,rank=8,reach=8,old=folded", 1e-2},
    };
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        rk_answer *exact = estimate(rows[k].widths, 12, rows[k].exact, 1);
        rk_answer *folded = estimate(rows[k].widths, 12, rows[k].folded, 1);
        rk_answer *threaded = estimate(rows[k].widths, 12, rows[k].folded, 3);
        const rk_answer_data *a = rk_answer_view(folded), *b = rk_answer_view(exact);
        double change = difference(a, b);
        if (!(change > 0 && change < rows[k].change)) fail_msg("row %zu changes by %g", k, change);
        assert_true(a->cost.flops_executed < b->cost.flops_executed);
        assert_true(difference(a, rk_answer_view(threaded)) == 0);
        rk_answer_destroy(exact);
        rk_answer_destroy(folded);
        rk_answer_destroy(threaded);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_few_directions_are_kept),
                                       cmocka_unit_test(test_folding_changes_little_and_saves)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

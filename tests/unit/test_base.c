#include "base/pool.h"
#include "base/size.h"
#include "base/work.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
/* cmocka wants some of the above */
#include <cmocka.h>

static void test_sizes_refuse_overflow(void **state) {
    (void)state;
    size_t out = 7;
    assert_true(rk_size_mul(3, 5, &out));
    assert_int_equal(out, 15);
    assert_false(rk_size_mul(SIZE_MAX / 2, 3, &out));
    assert_false(rk_size_add(SIZE_MAX, 1, &out));
    assert_int_equal(out, 15);
    assert_null(rk_alloc(SIZE_MAX, SIZE_MAX, 8));
}

static void mark_block(void *context, size_t block) {
    unsigned char *seen = context;
    seen[block]++;
}

static void test_pool_runs_every_block_once(void **state) {
    (void)state;
    for (int threads = 1; threads <= 5; threads++) {
        rk_pool *pool;
        assert_int_equal(rk_pool_create(&pool, threads, NULL), RK_OK);
        assert_int_equal(rk_pool_threads(pool), threads);
        for (int repeat = 0; repeat < 200; repeat++) {
            unsigned char seen[97] = {0};
            rk_pool_run(pool, sizeof seen, mark_block, seen);
            for (size_t b = 0; b < sizeof seen; b++)
                assert_int_equal(seen[b], 1);
        }
        rk_pool_destroy(pool);
    }
    rk_pool *none;
    assert_int_equal(rk_pool_create(&none, -1, NULL), RK_ERROR_ARGUMENT);
    assert_null(none);
}

static void script(rk_work *work) {
    assert_true(rk_work_step(work, "first"));
    double *a = rk_work_doubles(work, 3, 5);
    size_t mark = rk_work_mark(work);
    double *b = rk_work_doubles(work, 100, 1);
    if (rk_work_charge(work, 10)) a[14] = b[99] = 1;
    rk_work_release(work, mark);
    assert_true(rk_work_step(work, "second %d", 2));
    float *c = rk_work_floats(work, 7, 1);
    if (rk_work_charge(work, 32)) c[6] = 2;
    rk_work_end(work);
}

static void test_wet_run_follows_the_dry_one(void **state) {
    (void)state;
    rk_work plan, run;
    rk_work_init_dry(&plan);
    script(&plan);
    assert_int_equal(plan.flops, 42);
    assert_int_equal(plan.peak, 128 + 832);
    assert_int_equal(plan.n_steps, 2);
    assert_string_equal(plan.steps[1].label, "second 2");
    assert_int_equal(rk_work_init_wet(&run, &plan, NULL, NULL), RK_OK);
    script(&run);
    assert_int_equal(run.flops, plan.flops);
    assert_int_equal(run.peak, plan.peak);
    assert_int_equal(run.steps[1].flops, 32);
    rk_work_finish(&run);
    free(plan.steps);
}

enum { SLEEPS = 40 };

static void sleep_in_block(void *context, size_t block) {
    unsigned char *seen = context;
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    seen[block] = 1;
}

static bool refuse_later(void *context, double fraction) {
    (void)fraction;
    int *calls = context;
    return ++*calls < 2;
}

static size_t blocks_done(rk_work *work, bool listens) {
    unsigned char seen[SLEEPS] = {0};
    rk_work_listen(work, listens);
    assert_true(rk_work_step(work, "long"));
    if (rk_work_charge(work, 1)) rk_pool_run(work->pool, SLEEPS, sleep_in_block, seen);
    size_t done = 0;
    for (size_t b = 0; b < SLEEPS; b++)
        done += seen[b];
    return done;
}

/* Within a kernel of two seconds, by a run that listens; nothing is done after that. */
static void test_an_interrupt_is_heard_between_blocks(void **state) {
    (void)state;
    for (int threads = 1; threads <= 2; threads++)
        for (int listens = 0; listens < 2; listens++) {
            rk_work plan, run;
            rk_pool *pool;
            int calls = 0;
            rk_work_init_dry(&plan);
            assert_true(rk_work_step(&plan, "long"));
            rk_work_charge(&plan, 1);
            assert_int_equal(rk_pool_create(&pool, threads, NULL), RK_OK);
            assert_int_equal(rk_work_init_wet(&run, &plan, pool, NULL), RK_OK);
            run.progress = refuse_later;
            run.progress_context = &calls;
            size_t done = blocks_done(&run, listens);
            assert_int_equal(done < SLEEPS, listens);
            assert_int_equal(run.interrupted, listens);
            assert_int_equal(rk_work_charge(&run, 1), !listens);
            rk_work_finish(&run);
            rk_pool_destroy(pool);
            free(plan.steps);
        }
}

static void test_dry_run_notices_overflow(void **state) {
    (void)state;
    rk_work plan;
    rk_work_init_dry(&plan);
    rk_work_doubles(&plan, SIZE_MAX / 2, 3);
    assert_true(plan.overflow);
}

static void test_errors_name_the_place(void **state) {
    (void)state;
    rk_error error;
    assert_int_equal(rk_fail_at(&error, RK_ERROR_FORMAT, 17, "bad %s", "tensor"), RK_ERROR_FORMAT);
    assert_string_equal(error.message, "bad tensor (at byte 17)");
    assert_int_equal(rk_fail(NULL, RK_ERROR_IO, "nobody listens"), RK_ERROR_IO);
    assert_string_equal(rk_status_text(RK_ERROR_IO), "input/output error");
    assert_string_equal(rk_status_text((rk_status)999), "unknown status");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_refuse_overflow),
        cmocka_unit_test(test_pool_runs_every_block_once),
        cmocka_unit_test(test_wet_run_follows_the_dry_one),
        cmocka_unit_test(test_an_interrupt_is_heard_between_blocks),
        cmocka_unit_test(test_dry_run_notices_overflow),
        cmocka_unit_test(test_errors_name_the_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

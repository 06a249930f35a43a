/* What may be shared by threads and calls: one plan, one context, one call for many jobs. Always
 * the bits of one call after another; under the thread sanitizer this looks for races. */
#include "support/estimate.h"
#include "support/method.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 3, TIMES = 4, JOBS = 100, BAD = 37 };

static bool same_bits(const rk_answer *one, const rk_answer *other) {
    const rk_answer_data *a = rk_answer_view(one), *b = rk_answer_view(other);
    const size_t n = a->n_out * sizeof(double);
    return a->n_out == b->n_out && a->cost.flops_executed == b->cost.flops_executed &&
           a->cost.n_steps == b->cost.n_steps && strcmp(a->method, b->method) == 0 &&
           memcmp(a->mean, b->mean, n) == 0 && memcmp(a->variance, b->variance, n) == 0 &&
           memcmp(a->error_per_output, b->error_per_output, n) == 0;
}

static rk_network *draw(size_t width, size_t hidden, uint64_t seed) {
    return draw_square((rk_random_spec){.activation = {.kind = RK_RELU}, .seed = seed}, width,
                       hidden);
}

static rk_options by(const char *method, rk_context *context) {
    rk_options options = rk_options_default();
    options.method = method_of(method);
    options.samples = 2000;
    options.threads = 2;
    options.context = context;
    return options;
}

static rk_context *share(int threads, uint64_t memory_limit) {
    const rk_context_options options = {
        .size = sizeof options, .threads = threads, .memory_limit = memory_limit};
    rk_context *context;
    assert_int_equal(rk_context_create(&context, &options, NULL), RK_OK);
    return context;
}

/* ------------------------------------------------------------------------- plans, from threads */

/* cmocka's assertions are for the thread that runs the test: others count. */
typedef struct user {
    const rk_plan *plan;
    const rk_answer *expected;
    int n_good;
} user;

static void *execute_often(void *argument) {
    user *u = argument;
    for (int i = 0; i < TIMES; i++) {
        rk_answer *answer;
        if (rk_plan_execute(u->plan, &answer, NULL) != RK_OK) continue;
        u->n_good += same_bits(answer, u->expected);
        rk_answer_destroy(answer);
    }
    return NULL;
}

/* THREADS threads at a time, on plan i % n_plans each. */
static void execute_from_threads(const rk_plan *const *plans, rk_answer *const *expected,
                                 size_t n_plans) {
    pthread_t threads[THREADS];
    user users[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        users[i] = (user){plans[i % n_plans], expected[i % n_plans], 0};
        assert_int_equal(pthread_create(&threads[i], NULL, execute_often, &users[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(users[i].n_good, TIMES);
    }
}

/* Closures in blocks, lanes of passes, and a choice that is made again. */
static const char *const methods[] = {"third:gauge=full", "sample:orthogonal", "auto"};
enum { METHODS = sizeof methods / sizeof *methods };

static void use_plans(rk_context *context) {
    rk_network *net = draw(80, 2, 1);
    const rk_plan *plans[METHODS];
    rk_plan *own[METHODS];
    rk_answer *expected[METHODS];
    for (size_t i = 0; i < METHODS; i++) {
        rk_options options = by(methods[i], NULL);
        options.budget_flops = i == 2 ? 2e7 : 0;
        options.receipt_samples = i == 0 ? 200 : 0;
        expected[i] = answer_of(net, NULL, &options);
        options.context = context;
        assert_int_equal(rk_plan_create(&own[i], net, NULL, &options, NULL), RK_OK);
        plans[i] = own[i];
        execute_from_threads(&plans[i], &expected[i], 1);
    }
    execute_from_threads(plans, expected, METHODS);
    for (size_t i = 0; i < METHODS; i++) {
        rk_plan_destroy(own[i]);
        rk_answer_destroy(expected[i]);
    }
    rk_network_destroy(net);
}

static void test_one_plan_from_several_threads(void **state) {
    (void)state;
    use_plans(NULL);
}

static void test_one_context_from_several_threads(void **state) {
    (void)state;
    rk_context *context = share(3, 0);
    use_plans(context);
    use_plans(context);
    rk_context_destroy(context);
}

/* --------------------------------------------------------------------------------- the context */

static void test_a_context_bounds_its_runs(void **state) {
    (void)state;
    rk_network *net = draw(80, 2, 1);
    rk_options options = by("third:gauge=full", NULL);
    rk_plan *plan;
    rk_answer *answer;
    rk_error error;
    assert_int_equal(rk_plan_create(&plan, net, NULL, &options, NULL), RK_OK);
    const uint64_t bytes = rk_plan_cost(plan).bytes;
    rk_plan_destroy(plan);

    rk_context *context = share(1, bytes / 2);
    options.context = context;
    options.memory_limit = 0;
    assert_int_equal(rk_estimate(&answer, net, NULL, &options, &error), RK_ERROR_TOO_LARGE);
    options.memory_limit = 2 * bytes; /* bounded by the context's */
    assert_int_equal(rk_estimate(&answer, net, NULL, &options, &error), RK_ERROR_TOO_LARGE);
    options.memory_limit = 0;
    rk_context_destroy(context);

    options.context = context = share(2, 0);
    options.threads = 7;
    answer = answer_of(net, NULL, &options);
    assert_int_equal(rk_answer_view(answer)->threads, 2);
    rk_answer_destroy(answer);
    options.threads = 1;
    answer = answer_of(net, NULL, &options);
    assert_int_equal(rk_answer_view(answer)->threads, 1);
    rk_answer_destroy(answer);
    rk_context_destroy(context);
    rk_network_destroy(net);
}

/* Memory for one of them at a time: the others wait. */
static void test_runs_wait_for_memory(void **state) {
    (void)state;
    rk_network *net = draw(80, 2, 1);
    rk_options options = by("third:gauge=full", NULL);
    rk_answer *expected = answer_of(net, NULL, &options);
    rk_context *context = share(2, rk_answer_view(expected)->cost.bytes * 3 / 2);
    options.context = context;
    rk_plan *plan;
    assert_int_equal(rk_plan_create(&plan, net, NULL, &options, NULL), RK_OK);
    const rk_plan *shared = plan;
    execute_from_threads(&shared, &expected, 1);
    rk_plan_destroy(plan);
    rk_context_destroy(context);
    rk_answer_destroy(expected);
    rk_network_destroy(net);
}

static void test_bad_contexts(void **state) {
    (void)state;
    rk_context *context;
    rk_error error;
    const rk_context_options cut = {.size = 1};
    assert_int_equal(rk_context_create(&context, &cut, &error), RK_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "rk_context_options.size is 1"));
    const rk_context_options negative = {.size = sizeof negative, .threads = -1};
    assert_int_equal(rk_context_create(&context, &negative, &error), RK_ERROR_ARGUMENT);
    assert_null(context);
    assert_int_equal(rk_context_create(&context, NULL, NULL), RK_OK);
    rk_network *net = draw(8, 1, 1);
    const rk_options options = by("mean", context);
    rk_answer_destroy(answer_of(net, NULL, &options));
    rk_network_destroy(net);
    rk_context_destroy(context);
    rk_context_destroy(NULL);
}

/* --------------------------------------------------------------------------------- many at once */

typedef struct many {
    rk_network *nets[JOBS];
    rk_job jobs[JOBS];
} many;

/* Two wide ones among the narrow. */
static void prepare(many *m) {
    for (size_t i = 0; i < JOBS; i++) {
        m->nets[i] = draw(i % 50 == 7 ? 90 : 16, 2 + i % 2, i);
        m->jobs[i] = (rk_job){.net = m->nets[i]};
    }
}

static void clear(many *m) {
    for (size_t i = 0; i < JOBS; i++) {
        rk_answer_destroy(m->jobs[i].answer);
        rk_network_destroy(m->nets[i]);
    }
}

static void test_many_are_as_one_by_one(void **state) {
    (void)state;
    static const double nowhere[16] = {(double)INFINITY};
    const rk_input bad = {.mean = nowhere};
    rk_options own = by("sample:design,control", NULL);
    for (size_t i = 0; i < METHODS; i++)
        for (int threads = 1; threads <= 4; threads += 3) {
            many m;
            prepare(&m);
            m.jobs[BAD].input = &bad;
            m.jobs[BAD + 1].options = &own;
            rk_options options = by(methods[i], NULL);
            options.threads = threads;
            options.budget_flops = i == 2 ? 4e6 : 0;
            assert_int_equal(rk_estimate_many(m.jobs, JOBS, &options, NULL), RK_OK);
            for (size_t k = 0; k < JOBS; k++) {
                const rk_job *job = &m.jobs[k];
                if (k == BAD) {
                    assert_null(job->answer);
                    assert_int_equal(job->error.status, RK_ERROR_ARGUMENT);
                    assert_non_null(strstr(job->error.message, "not finite"));
                    continue;
                }
                assert_int_equal(job->error.status, RK_OK);
                rk_answer *alone =
                    answer_of(job->net, NULL, job->options ? job->options : &options);
                assert_true(same_bits(alone, job->answer));
                rk_answer_destroy(alone);
            }
            clear(&m);
        }
}

static void test_many_within_little_memory(void **state) {
    (void)state;
    many m;
    prepare(&m);
    rk_options options = by("third", NULL);
    rk_answer *widest = answer_of(m.nets[7], NULL, &options);
    rk_context *context = share(4, rk_answer_view(widest)->cost.bytes * 5 / 4);
    rk_answer_destroy(widest);
    options.context = context;
    options.threads = 0;
    for (int again = 0; again < 2; again++) {
        assert_int_equal(rk_estimate_many(m.jobs, JOBS, &options, NULL), RK_OK);
        for (size_t k = 0; k < JOBS; k++) {
            assert_int_equal(m.jobs[k].error.status, RK_OK);
            rk_answer_destroy(m.jobs[k].answer);
            m.jobs[k].answer = NULL;
        }
    }
    rk_context_destroy(context);
    clear(&m);
}

typedef struct listener {
    pthread_t caller;
    double last;
    int n_asked, patience;
    bool is_good;
} listener;

static bool listen(void *context, double fraction) {
    listener *l = context;
    l->is_good &= pthread_equal(l->caller, pthread_self()) && fraction >= l->last && fraction <= 1;
    l->last = fraction;
    return ++l->n_asked < l->patience;
}

/* Alone, the caller asks before every job; beside a worker it may sleep while that does them all.
 */
static void test_progress_is_of_all_jobs_and_interrupts_them(void **state) {
    (void)state;
    static const struct {
        int threads, patience;
        size_t fewest, most; /* jobs left undone */
    } rows[] = {{1, 5, 1, JOBS}, {2, 5, 0, JOBS}, {1, INT_MAX, 0, 0}, {2, INT_MAX, 0, 0}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        many m;
        prepare(&m);
        listener l = {.caller = pthread_self(), .patience = rows[r].patience, .is_good = true};
        rk_options options = by("mean", NULL);
        options.threads = rows[r].threads;
        options.progress = listen;
        options.progress_context = &l;
        assert_int_equal(rk_estimate_many(m.jobs, JOBS, &options, NULL), RK_OK);
        assert_true(l.is_good);
        size_t n_done = 0, n_left = 0;
        for (size_t k = 0; k < JOBS; k++) {
            n_done += m.jobs[k].answer && !rk_answer_view(m.jobs[k].answer)->interrupted;
            n_left += !m.jobs[k].answer && m.jobs[k].error.status == RK_ERROR_INTERRUPTED;
        }
        assert_in_range(n_left, rows[r].fewest, rows[r].most);
        assert_true(n_done + n_left <= JOBS);
        if (rows[r].most == 0) assert_int_equal(n_done, JOBS);
        clear(&m);
    }
}

static void test_seconds_are_for_one_at_a_time(void **state) {
    (void)state;
    many m;
    prepare(&m);
    rk_options options = by("auto", NULL), hurried = options;
    options.method = method_of("mean");
    hurried.budget_seconds = 1e-4;
    for (size_t k = 0; k < 4; k++)
        m.jobs[2 * k].options = &hurried;
    assert_int_equal(rk_estimate_many(m.jobs, 10, &options, NULL), RK_OK);
    for (size_t k = 0; k < 10; k++)
        assert_int_equal(m.jobs[k].error.status, RK_OK);
    clear(&m);
}

static void test_bad_calls(void **state) {
    (void)state;
    rk_error error;
    assert_int_equal(rk_estimate_many(NULL, 0, NULL, NULL), RK_OK);
    assert_int_equal(rk_estimate_many(NULL, 1, NULL, &error), RK_ERROR_ARGUMENT);
    rk_job nothing = {.net = NULL};
    assert_int_equal(rk_estimate_many(&nothing, 1, NULL, NULL), RK_OK);
    assert_int_equal(nothing.error.status, RK_ERROR_ARGUMENT);
    rk_options options = by("mean", NULL);
    options.threads = -1;
    assert_int_equal(rk_estimate_many(&nothing, 1, &options, NULL), RK_ERROR_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_plan_from_several_threads),
        cmocka_unit_test(test_one_context_from_several_threads),
        cmocka_unit_test(test_a_context_bounds_its_runs),
        cmocka_unit_test(test_runs_wait_for_memory),
        cmocka_unit_test(test_bad_contexts),
        cmocka_unit_test(test_many_are_as_one_by_one),
        cmocka_unit_test(test_many_within_little_memory),
        cmocka_unit_test(test_progress_is_of_all_jobs_and_interrupts_them),
        cmocka_unit_test(test_seconds_are_for_one_at_a_time),
        cmocka_unit_test(test_bad_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

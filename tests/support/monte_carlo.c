#include "support/monte_carlo.h"

#include "linalg/blas.h"
#include "support/near.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* cmocka wants some of the above */
#include <cmocka.h>

static void take_results(monte_carlo *mc, const rk_network *net) {
    const size_t n_out = rk_network_n_out(net), n_hidden = net->n_layers - 1;
    mc->n_values = n_out * (n_out + 3);
    for (size_t l = 0; l < n_hidden; l++)
        mc->n_values += net->layers[l].rows;
    double *next = mc->storage = calloc(mc->n_values, sizeof *next);
    double **hidden = mc->result.hidden_mean = calloc(n_hidden + 1, sizeof *hidden);
    assert_true(next && hidden);
    mc->result.mean = next;
    mc->result.standard_error = next += n_out;
    mc->result.variance = next += n_out;
    mc->result.covariance = next += n_out;
    next += n_out * n_out;
    for (size_t l = 0; l < n_hidden; l++) {
        hidden[l] = next;
        next += net->layers[l].rows;
    }
}

monte_carlo monte_carlo_run(const rk_network *net, const rk_input *input, rk_sample_spec spec,
                            int threads, rk_progress progress, void *progress_context) {
    const rk_input standard = {0};
    monte_carlo mc = {.flops_planned = 0};
    rk_work plan, run;
    rk_pool *pool;
    rk_error error = {.message = ""};
    take_results(&mc, net);
    spec.lanes = (size_t)threads;
    rk_work_init_dry(&plan);
    if (rk_sample(&plan, net, input ? input : &standard, &spec, &mc.result, &error) != RK_OK)
        fail_msg("%s", error.message);
    assert_int_equal(rk_pool_create(&pool, threads, NULL), RK_OK);
    assert_int_equal(rk_work_init_wet(&run, &plan, pool, NULL), RK_OK);
    run.progress = progress;
    run.progress_context = progress_context;
    rk_blas_make_serial();
    if (rk_sample(&run, net, input ? input : &standard, &spec, &mc.result, &error) != RK_OK)
        fail_msg("%s", error.message);
    rk_blas_restore();
    mc.flops_planned = plan.flops;
    mc.flops_executed = run.flops;
    rk_work_finish(&run);
    rk_pool_destroy(pool);
    free(plan.steps);
    return mc;
}

void monte_carlo_free(monte_carlo *mc) {
    free(mc->result.hidden_mean);
    free(mc->storage);
}

bool stop_after(void *calls_left, double fraction) {
    assert_true(0 <= fraction && fraction <= 1);
    return (*(int *)calls_left)-- > 0;
}

void assert_made_of_halves(const rk_network *net, rk_sample_spec spec, uint64_t second) {
    monte_carlo all = monte_carlo_run(net, NULL, spec, 1, NULL, NULL);
    spec.n_samples /= 2;
    monte_carlo head = monte_carlo_run(net, NULL, spec, 1, NULL, NULL);
    spec.first_item = second;
    monte_carlo tail = monte_carlo_run(net, NULL, spec, 1, NULL, NULL);
    for (size_t i = 0; i < rk_network_n_out(net); i++) {
        double a = head.result.mean[i], b = tail.result.mean[i];
        assert_near(all.result.mean[i], (a + b) / 2, 1e-7);
        assert_true(fabs(a - b) > 1e-6);
    }
    monte_carlo_free(&all);
    monte_carlo_free(&head);
    monte_carlo_free(&tail);
}

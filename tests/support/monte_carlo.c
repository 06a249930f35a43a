#include "support/monte_carlo.h"

#include "linalg/blas.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* cmocka wants the three above */
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
    int blas_threads = rk_blas_make_serial();
    if (rk_sample(&run, net, input ? input : &standard, &spec, &mc.result, &error) != RK_OK)
        fail_msg("%s", error.message);
    rk_blas_restore(blas_threads);
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

/* What samples can do where rare_training trains: rare_sgd [networks [width [log10 p [FLOPs]]]]
 * prints CSV, a line a run.
 *
 * The same networks and events, the same objective, path and curvature; but both terms are seen by
 * batches of 300 fresh samples, as many as the FLOPs pay for (those of a step's passes; checks and
 * curvature are a gift):
 *
 *     sgd-gaussian  log Phi((mean - t) / deviation) of the batch's outputs;
 *     sgd-events    log of the batch's mean excess over t, if any sample has one.
 */
#include "gradient/batch.h"
#include "gradient/inputs.h"
#include "linalg/blas.h"
#include "rare.h"
#include "study.h"
#include "train/loss_receipt.h"
#include "train/rare_path.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 300, CHECKS = 4096, CHECK_EVERY = 4, CLOSURE_STEPS = 30 };

static const double ALLOWANCE = 1e-3;

typedef struct run {
    const rk_network *T;
    const rk_event *event;
    rk_rare_event rare;
    bool gaussian;
    double flops;
    rk_parameters of;
    uint64_t seed, steps, seen; /* seen: samples of the event */
    double loss, standard_error;
} run;

/* df / d y of the event's term, added to adjoints (BATCH x n). */
static void add_event(run *r, const double *y, size_t n, double weight, double *adjoint) {
    double mean = 0, square = 0, excess = 0;
    for (size_t k = 0; k < BATCH; k++) {
        const double z = y[k * n];
        mean += z / BATCH;
        square += z * z / BATCH;
        excess += fmax(0, z - r->rare.t);
        r->seen += z > r->rare.t;
    }
    const rk_normal_tail tail = rk_normal_tail_at(mean, square - mean * mean, r->rare.t);
    for (size_t k = 0; k < BATCH; k++) {
        const double z = y[k * n];
        if (r->gaussian)
            adjoint[k * n] += weight * (tail.by_mean + 2 * tail.by_variance * (z - mean)) / BATCH;
        else if (z > r->rare.t)
            adjoint[k * n] += weight / excess;
    }
}

static void fail_if(rk_status status, const rk_error *error) {
    if (status != RK_OK) study_stop(error->message);
}

static void check(run *r, rk_work *work, uint64_t samples) {
    rk_loss_receipt receipt;
    rk_error error;
    fail_if(rk_loss_receipt_take(work, r->T, r->of.net, &r->rare.input, r->seed, samples, &receipt,
                                 &error),
            &error);
    r->loss = receipt.loss / receipt.square;
    r->standard_error = receipt.standard_error / receipt.square;
}

static void step(run *r, rk_work *work, rk_rare_path *p, rk_batch *S, rk_batch *T,
                 rk_inputs *inputs) {
    const size_t n = rk_network_n_out(r->T), count = r->of.theta.n;
    rk_error error;
    fail_if(rk_inputs_draw(work, inputs, r->steps * BATCH, BATCH, &error), &error);
    rk_batch_forward(work, T, BATCH, inputs->x);
    rk_batch_forward(work, S, BATCH, inputs->x);
    rk_batch_begin_back(work, S);
    if (!work->dry) {
        const double *y = rk_batch_output(S), *wanted = rk_batch_output(T);
        double *adjoint = rk_batch_adjoint(S, r->T->n_layers);
        for (size_t i = 0; i < BATCH * n; i++)
            adjoint[i] = 2 * (y[i] - wanted[i]) / BATCH;
        add_event(r, y, n, p->beta * p->ordinary.unit, adjoint);
        for (size_t i = 0; i < count; i++)
            r->of.gradient.x[i] = 0;
    }
    rk_batch_back(work, S,
                  &(rk_adjoint){.weight = r->of.gradient.weight, .bias = r->of.gradient.bias},
                  false);
    rk_kfac_apply(work, &p->kfac, r->of.gradient.x, p->step);
    for (size_t i = 0; !work->dry && i < count; i++)
        r->of.theta.x[i] -= p->spec.rate * p->step[i];
    rk_parameters_moved(&r->of);
}

static void train(run *r, rk_work *work) {
    const double samples = r->flops / (4 * study_pass_flops(r->T));
    const uint64_t steps = work->dry ? 1 : (uint64_t)(samples / BATCH);
    rk_rare_path_spec spec = rk_rare_path_default();
    rk_rare_path p;
    rk_inputs inputs;
    rk_error error;
    spec.view = RK_VIEW_NORMAL;
    spec.keep.teacher = r->T;
    spec.keep.input = &r->rare.input;
    spec.growth = pow(spec.growth, (double)CLOSURE_STEPS / (double)steps);
    fail_if(rk_rare_path_create(&p, work, &spec, &r->of, &r->rare, &error), &error);
    fail_if(rk_inputs_take(work, &r->rare.input, rk_network_n_in(r->T), RK_POINTS_IID,
                           (rk_stream){r->seed, RK_STREAM_TRAINING}, BATCH, &inputs, &error),
            &error);
    rk_batch S = rk_batch_take(work, r->of.net, BATCH, true);
    rk_batch T = rk_batch_take(work, r->T, BATCH, false);
    for (r->steps = 0; r->steps < steps; r->steps++) {
        for (size_t i = 0; !work->dry && i < r->of.theta.n && r->steps % CHECK_EVERY == 0; i++)
            p.before[i] = r->of.theta.x[i];
        step(r, work, &p, &S, &T, &inputs);
        p.beta *= p.spec.growth;
        if ((r->steps + 1) % CHECK_EVERY != 0 && !work->dry) continue;
        check(r, work, CHECKS);
        if (work->dry || !(r->loss > ALLOWANCE)) continue;
        for (size_t i = 0; i < r->of.theta.n; i++)
            r->of.theta.x[i] = p.before[i];
        rk_parameters_moved(&r->of);
        break;
    }
    check(r, work, 0);
    rk_rare_path_free(&p);
}

static void report(run *r, const char *name, double before) {
    rk_work dry, wet;
    rk_error error;
    rk_pool *pool;
    rk_input input = {.mean = NULL};
    fail_if(rk_rare_event_create(&r->rare, r->T, r->event, &input, &error), &error);
    fail_if(rk_parameters_create(&r->of, r->T, &error), &error);
    fail_if(rk_pool_create(&pool, rk_pool_default_threads(), &error), &error);
    rk_work_init_dry(&dry);
    train(r, &dry);
    fail_if(rk_work_init_wet(&wet, &dry, pool, &error), &error);
    r->seen = 0;
    rk_blas_make_serial();
    train(r, &wet);
    rk_blas_restore();
    rk_work_finish(&wet);
    free(dry.steps);
    rk_pool_destroy(pool);
    const rk_tail_estimate after = rare_probability(r->of.net, r->event, RK_TAIL_BY_AUTO, 100000);
    printf("%llu,%s,%llu,%llu,%llu,%.4f,%.4f,%.2g,%.4g,%.4g,%.2g\n", (unsigned long long)r->seed,
           name, (unsigned long long)r->steps, (unsigned long long)r->steps * BATCH,
           (unsigned long long)r->seen, before, after.log10_p, after.cv,
           pow(10, before - after.log10_p), r->loss, r->standard_error);
    fflush(stdout);
    rk_parameters_free(&r->of);
    rk_rare_event_free(&r->rare);
}

int main(int argc, char **argv) {
    const uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 10;
    const size_t width = argc > 2 ? strtoull(argv[2], NULL, 10) : 64;
    const double wanted = argc > 3 ? atof(argv[3]) : -6, flops = argc > 4 ? atof(argv[4]) : 8e9;
    printf("net,method,steps,samples,events,log10_before,log10_after,cv_after,factor,loss,"
           "standard_error\n");
    for (uint64_t seed = 0; seed < count; seed++) {
        const rk_event_term term = {0, 1};
        rk_event event = {.text = "y[0] > t", .terms = &term, .n_terms = 1};
        rk_network *net = rare_network(width, seed);
        rare_threshold(net, &event, wanted);
        const double before = rare_probability(net, &event, RK_TAIL_BY_AUTO, 100000).log10_p;
        run r = {.T = net, .event = &event, .flops = flops, .seed = seed};
        report(&r, "sgd-events", before);
        r.gaussian = true;
        report(&r, "sgd-gaussian", before);
        rk_network_destroy(net);
    }
    return 0;
}

/* reckon doctor: what this build and machine can do, and whether it computes what it should. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "gnuplot.h"
#include "json.h"
#include "message.h"
#include "output.h"
#include "report.h"

typedef struct diagnosis {
    long processors;
    bool gnuplot;
    double self_test;     /* what the built-in network gave */
    bool known;           /* as it should */
    const char *unsteady; /* a method whose bits change from run to run, or NULL */
    double speed;         /* FLOPs a second of one thread */
    double own_threads;   /* the seconds of all threads over those of the only one of reckon's */
    bool healthy;
} diagnosis;

/* Mean of output 0 of the self-test network by `covariance`. */
static const double expected = -0.10359336341292374;
static const double tolerance = 1e-12;

static rk_network *network(size_t width, size_t n_hidden, size_t n_out) {
    const size_t hidden[] = {width, width, width, width};
    rk_random_spec spec = {.n_in = width,
                           .n_out = n_out,
                           .hidden = hidden,
                           .n_hidden = n_hidden,
                           .activation = {.kind = RK_RELU},
                           .seed = 1};
    rk_network *net;
    rk_error error;
    if (rk_network_random(&net, &spec, &error)) warn("self-test: %s", error.message);
    return net;
}

/* NULL if anything fails. */
static rk_answer *estimate(const rk_network *net, const char *method, int threads) {
    rk_options run = rk_options_default();
    run.samples = 2000;
    run.threads = threads;
    rk_method_spec spec = {.size = sizeof spec};
    run.method = &spec;
    rk_answer *answer;
    rk_error error;
    if (net && rk_method_parse(method, &spec, &error) == RK_OK &&
        rk_estimate(&answer, net, NULL, &run, &error) == RK_OK)
        return answer;
    if (net) warn("self-test of %s: %s", method, error.message);
    return NULL;
}

static double self_test(void) {
    rk_network *net = network(32, 2, 8);
    rk_answer *answer = estimate(net, "covariance", 0);
    double mean = answer ? rk_answer_view(answer)->mean[0] : (double)NAN;
    rk_answer_destroy(answer);
    rk_network_destroy(net);
    return mean;
}

static bool same_bits(const rk_answer *a, const rk_answer *b) {
    if (!a || !b) return false;
    const rk_answer_data *x = rk_answer_view(a), *y = rk_answer_view(b);
    return memcmp(x->mean, y->mean, x->n_out * sizeof *x->mean) == 0 &&
           memcmp(x->variance, y->variance, x->n_out * sizeof *x->variance) == 0;
}

/* Every method twice with one thread, then with several: whose answers differ at all. Products are
 * large enough here that any BLAS would use its own threads. */
static const char *unsteady_method(void) {
    static const char *const methods[] = {"third", "third:tilt=off", "covariance", "gain",
                                          "sample:design,control"};
    static const int threads[] = {1, 0, 2, 3, 2, 3};
    rk_network *net = network(256, 4, 16);
    const char *unsteady = NULL;
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        rk_answer *first = estimate(net, methods[m], 1);
        for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
            rk_answer *again = estimate(net, methods[m], threads[t]);
            if (!same_bits(first, again)) unsteady = methods[m];
            rk_answer_destroy(again);
        }
        rk_answer_destroy(first);
    }
    rk_network_destroy(net);
    return unsteady;
}

static double seconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Seconds of processors count, not of the clock on the wall: others may be busy on this machine. */
static void measure(diagnosis *d) {
    rk_network *net = network(512, 2, 512);
    for (int repeat = 0; net && repeat < 3; repeat++) {
        double all = seconds(CLOCK_PROCESS_CPUTIME_ID), own = seconds(CLOCK_THREAD_CPUTIME_ID);
        rk_answer *answer = estimate(net, "covariance", 1);
        all = seconds(CLOCK_PROCESS_CPUTIME_ID) - all;
        own = seconds(CLOCK_THREAD_CPUTIME_ID) - own;
        if (answer) {
            double flops = (double)rk_answer_view(answer)->cost.flops_executed;
            d->speed = fmax(d->speed, flops / all);
            d->own_threads = fmax(d->own_threads, all / own);
        }
        rk_answer_destroy(answer);
    }
    rk_network_destroy(net);
}

static void give_advice(const diagnosis *d) {
    const double slow = 3e9, shared = 1.3;
    if (d->own_threads > shared)
        warn("BLAS has threads of its own, which fight with reckon's: set OMP_NUM_THREADS=1 (or "
             "its like, BLIS_NUM_THREADS=1)");
    if (d->speed < slow)
        warn("BLAS is slow, %.2g GFLOP/s a thread: on Debian, libopenblas0-pthread is ten times "
             "faster than the reference",
             d->speed / 1e9);
}

/* ------------------------------------------------------------------------------------- output */

static int print_json(const void *result, FILE *stream) {
    const diagnosis *d = result;
    json_document doc = json_begin("reckon.doctor/1");
    json_t *build = json_build();
    json_t *memory = json_object_get(build, "memory_bytes");
    double bytes = memory ? strtod(json_string_value(memory), NULL) : (double)NAN;
    json_object_set_new(doc.root, "build", build);
    json_object_set_new(doc.root, "processors", json_integer(d->processors));
    json_object_set_new(doc.root, "memory_bytes", json_double(&doc, bytes));
    json_object_set_new(doc.root, "gnuplot", json_boolean(d->gnuplot));
    json_object_set_new(doc.root, "flops_per_second", json_double(&doc, d->speed));
    json_object_set_new(doc.root, "self_test_mean", json_double(&doc, d->self_test));
    json_object_set_new(doc.root, "unsteady_method", json_text_or_null(d->unsteady));
    json_object_set_new(doc.root, "healthy", json_boolean(d->healthy));
    return json_end(&doc, stream);
}

static int print_human(const void *result, FILE *stream) {
    const diagnosis *d = result;
    json_t *build = json_build(), *value;
    const char *key;
    char cell[CELL];
    heading(stream, "reckon %s on this machine", rk_version());
    json_object_foreach(build, key, value) {
        const char *text = json_string_value(value);
        if (strcmp(key, "memory_bytes") == 0)
            fprintf(stream, "%-13s%s\n", "memory", byte_size(strtod(text, NULL), cell));
        else if (strcmp(key, "threads") == 0)
            fprintf(stream, "%-13s%s by default, of %ld processors\n", key, text, d->processors);
        else
            fprintf(stream, "%-13s%s\n", key, text);
    }
    json_decref(build);
    fprintf(stream, "%-13s%.3g GFLOP/s a thread\n", "speed", d->speed / 1e9);
    fprintf(stream, "%-13s%s\n", "gnuplot",
            d->gnuplot ? "found" : "not found: figures stay scripts");
    if (d->known)
        fprintf(stream, "%-13spassed\n", "self-test");
    else
        fprintf(stream, "%-13sFAILED: %.17g instead of %.17g\n", "self-test", d->self_test,
                expected);
    if (d->unsteady)
        fprintf(stream, "%-13sFAILED: %s differs from run to run\n", "same bits", d->unsteady);
    else
        fprintf(stream, "%-13spassed\n", "same bits");
    return 0;
}

int cmd_doctor(const options *opts) {
    diagnosis d = {.processors = sysconf(_SC_NPROCESSORS_ONLN),
                   .gnuplot = gnuplot_found(),
                   .self_test = self_test(),
                   .unsteady = unsteady_method()};
    measure(&d);
    d.known = fabs(d.self_test - expected) <= tolerance;
    d.healthy = d.known && !d.unsteady;
    int code = output_result(opts, print_human, print_json, &d);
    give_advice(&d);
    if (!code && !d.known)
        code = fail(EXIT_FAILED, "the self-test failed: do not trust this build");
    if (!code && d.unsteady)
        code = fail(EXIT_FAILED, "the same run gives other bits: this BLAS cannot be made serial");
    return code;
}

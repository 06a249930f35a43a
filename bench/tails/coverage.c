/* How often the 95 % interval of an event holds its probability, and how often a warning stands
 * beside one that does not.
 *
 *     coverage METHOD SAMPLES SEEDS TRUTH_PASSES
 *
 * Without TRUTH_PASSES: events whose probability is known, unions of half-spaces, of modes alike
 * and unlike, curved, radial, saturated and on an atom, each from SEEDS seeds. With them: SEEDS
 * events or more of outputs of random narrow networks, whose truths are so many plain passes.
 * Prints a line an event: how many intervals cover, how many do or are warned of, warnings in all,
 * the mean of estimate / truth, its root mean square error and that stated, the passes. */
#include "study.h"
#include "tail/log_probability.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct plan {
    const char *method;
    uint64_t samples, seeds, truth_passes;
} plan;

typedef struct tally {
    size_t n, covered, excused, warned;
    double ratios, squares, stated, passes, seconds;
} tally;

static rk_tail_answer *ask(const rk_network *net, const char *text, const char *method,
                           uint64_t samples, uint64_t seed) {
    rk_events *events = NULL;
    rk_tail_answer *answer = NULL;
    rk_error error;
    rk_options options = rk_options_default();
    rk_tail_spec tail = {.size = sizeof tail};
    options.tail = &tail;
    options.samples = samples;
    options.seed = seed;
    if (rk_tail_method_parse(method, &tail, &error) != RK_OK ||
        rk_events_parse(&events, net, text, &error) != RK_OK ||
        rk_tail(&answer, net, NULL, rk_events_list(events), rk_events_count(events), &options,
                &error) != RK_OK)
        study_stop(error.message);
    rk_events_destroy(events);
    return answer;
}

static void enter(tally *t, const rk_tail_estimate *e, double p) {
    bool covered = e->log10_low <= log10(p) && log10(p) <= e->log10_high;
    t->n++;
    t->covered += covered;
    t->excused += !covered && *e->warning;
    t->warned += *e->warning != 0;
    t->ratios += e->p / p;
    t->squares += (e->p / p - 1) * (e->p / p - 1);
    t->stated += fmin(e->cv, 10);
    t->passes += (double)e->samples;
    if (!covered && getenv("SHOW"))
        printf("    %.4g of %.4g, %.3g .. %.3g (%s) %s\n", e->p, p, pow(10, e->log10_low),
               pow(10, e->log10_high), e->method, e->warning);
}

static void print(const char *name, double p, const tally *t) {
    double n = (double)t->n;
    printf("%-24s %9.3g %5zu  %6.1f %%  %6.1f %%  %6.1f %%  %7.3f  %7.1f %%  %7.1f %%  %8.0f  "
           "%6.1f ms\n",
           name, p, t->n, 100 * (double)t->covered / n, 100 * (double)(t->covered + t->excused) / n,
           100 * (double)t->warned / n, t->ratios / n, 100 * sqrt(t->squares / n),
           100 * t->stated / n, t->passes / n, 1e3 * t->seconds / n);
    fflush(stdout);
}

static void measure(const plan *want, const char *name, const rk_network *net, const char *event,
                    double p) {
    tally t = {0};
    for (uint64_t seed = 1; seed <= want->seeds; seed++) {
        rk_tail_answer *answer = ask(net, event, want->method, want->samples, seed);
        enter(&t, rk_tail_view(answer)->estimates, p);
        t.seconds += rk_tail_view(answer)->seconds;
        rk_tail_destroy(answer);
    }
    print(name, p, &t);
}

/* ------------------------------------------------------------------------------- known answers */

static double Q(double x) {
    return exp(rk_log_normal_tail(x));
}

/* sum_k v_k phi(w_k x_k - b_k) over n inputs of which each neuron has its own, or what W says. */
static rk_network *shallow(rk_activation_kind kind, size_t n, size_t n_in, const double *W,
                           const double *b, const double *v) {
    const rk_layer layers[] = {
        {.rows = n, .cols = n_in, .weight = W, .bias = b, .activation = {.kind = kind}},
        {.rows = 1, .cols = n, .weight = v}};
    rk_network *net;
    rk_error error;
    if (rk_network_create(&net, layers, 2, &error) != RK_OK) study_stop(error.message);
    return net;
}

static rk_network *separate(rk_activation_kind kind, size_t n, size_t n_in, const size_t *input,
                            const double *w, const double *b) {
    double *W = calloc(n * n_in, sizeof *W), *v = calloc(n, sizeof *v);
    if (!W || !v) study_stop("no memory");
    for (size_t k = 0; k < n; k++) {
        W[k * n_in + input[k]] = w[k];
        v[k] = 1;
    }
    rk_network *net = shallow(kind, n, n_in, W, b, v);
    free(W);
    free(v);
    return net;
}

/* Integral of phi(x) Q(bound(x)). */
static double quadrature(double (*bound)(double x)) {
    double sum = 0, h = 1e-4;
    for (double x = -9; x < 9; x += h) {
        double middle = x + h / 2;
        sum += exp(-middle * middle / 2 + rk_log_normal_tail(bound(middle)));
    }
    return sum * h / 2.506628274631000502;
}

static double valley(double x) {
    return 2.5 + fabs(x);
}

static double ridge(double x) {
    return 5 - fabs(x);
}

/* tanh(5 (x - 3)) + tanh(5 (y - 3)) > -1 */
static double plateau(double x) {
    double rest = -1 - tanh(5 * (x - 3));
    return rest <= -1 ? -INFINITY : rest >= 1 ? INFINITY : 3 + atanh(rest) / 5;
}

static void known(const plan *want) {
    const size_t in[] = {0, 1, 2, 3};
    rk_network *net = separate(RK_RELU, 2, 4, in, (double[]){1, -4}, (double[]){-3, -16});
    measure(want, "two modes", net, "y[0] > 0.5", Q(3.5) + Q(16.5 / 4));
    rk_network_destroy(net);
    net = separate(RK_RELU, 2, 24, in, (double[]){1, -4}, (double[]){-3, -16});
    measure(want, "two modes, 24 inputs", net, "y[0] > 0.5", Q(3.5) + Q(16.5 / 4));
    rk_network_destroy(net);
    net = separate(RK_RELU, 4, 8, in, (double[]){1, -2, 3, -1.5}, (double[]){-3, -7, -12, -5.5});
    measure(want, "four modes", net, "y[0] > 0.5", Q(3.5) + Q(3.75) + Q(12.5 / 3) + Q(4));
    rk_network_destroy(net);
    net = separate(RK_RELU, 2, 20, (size_t[]){0, 0}, (double[]){1, -0.8}, NULL);
    measure(want, "uneven |x|", net, "y[0] > 4", Q(4) + Q(5));
    rk_network_destroy(net);
    const double bent[] = {1, 0, -1, 0, 0, 1, 0, -1}, zero[4] = {0};
    net = shallow(RK_RELU, 4, 2, bent, zero, (double[]){1, -1, -1, -1});
    measure(want, "curved away", net, "y[0] > 2.5", quadrature(valley));
    rk_network_destroy(net);
    net = shallow(RK_RELU, 4, 2, bent, zero, (double[]){1, -1, 1, 1});
    measure(want, "curved around", net, "y[0] > 5", quadrature(ridge));
    rk_network_destroy(net);
    const size_t eight[] = {0, 1, 2, 3, 4, 5, 6, 7};
    net = separate(RK_SQUARE, 8, 8, eight, (double[]){1, 1, 1, 1, 1, 1, 1, 1}, NULL);
    measure(want, "radial", net, "y[0] > 36", exp(rk_log_chi_tail(8, 6)));
    rk_network_destroy(net);
    net = separate(RK_TANH, 2, 2, in, (double[]){5, 5}, (double[]){-15, -15});
    measure(want, "saturated", net, "y[0] > -1", quadrature(plateau));
    rk_network_destroy(net);
    size_t sixteen[16];
    double one[16], corner[16];
    for (size_t k = 0; k < 16; k++) {
        sixteen[k] = k;
        one[k] = 1;
        corner[k] = -4.5;
    }
    net = separate(RK_RELU, 16, 16, sixteen, one, corner);
    measure(want, "atom", net, "y[0] > 0", -expm1(16 * log1p(-Q(4.5))));
    rk_network_destroy(net);
    for (size_t k = 0; k < 16; k++)
        corner[k] = -2.5;
    net = separate(RK_RELU, 16, 16, sixteen, one, corner);
    measure(want, "atom, likely", net, "y[0] > 0", -expm1(16 * log1p(-Q(2.5))));
    rk_network_destroy(net);
}

/* ----------------------------------------------------------------------------- narrow networks */

typedef struct shape {
    const char *activation;
    size_t width, hidden;
    double variance, bias; /* of the weights, times n_in, and of the biases */
    double deviations;     /* of the threshold */
} shape;

static rk_network *draw(const shape *s, uint64_t seed) {
    size_t hidden[16];
    for (size_t l = 0; l < s->hidden; l++)
        hidden[l] = s->width;
    rk_random_spec spec = {.n_in = s->width,
                           .n_out = s->width,
                           .hidden = hidden,
                           .n_hidden = s->hidden,
                           .init = RK_INIT_MANUAL,
                           .weight_variance = s->variance,
                           .bias_variance = s->bias,
                           .seed = seed};
    rk_network *net = NULL;
    rk_error error;
    if (rk_activation_parse(s->activation, &spec.activation, &error) != RK_OK ||
        rk_network_random(&net, &spec, &error) != RK_OK)
        study_stop(error.message);
    return net;
}

/* Every output so many deviations above its mean. */
static void write_events(const rk_network *net, double deviations, char *text, size_t size) {
    rk_options options = rk_options_default();
    options.method = study_method("sample");
    options.samples = 20000;
    rk_answer *answer;
    rk_error error;
    if (rk_estimate(&answer, net, NULL, &options, &error) != RK_OK) study_stop(error.message);
    const rk_answer_data *data = rk_answer_view(answer);
    size_t used = 0;
    for (size_t i = 0; i < data->n_out; i++)
        used += (size_t)snprintf(text + used, size - used, "%sy[%zu] > %.9g", i ? ";" : "", i,
                                 data->mean[i] + deviations * sqrt(data->variance[i]));
    rk_answer_destroy(answer);
}

/* Events of all outputs of as many networks as make `seeds` events, those that the truth sees less
 * than 1100 times left out. The error of the truth widens the interval. */
static void narrow(const plan *want, const shape *s) {
    tally t = {0};
    double logs = 0;
    char text[4096];
    for (uint64_t seed = 1; t.n < want->seeds && seed <= want->seeds; seed++) {
        rk_network *net = draw(s, 7000 + seed);
        write_events(net, s->deviations, text, sizeof text);
        rk_tail_answer *truths = ask(net, text, "sample", want->truth_passes, 1000001);
        rk_tail_answer *answer = ask(net, text, want->method, want->samples, seed);
        const rk_tail_data *known = rk_tail_view(truths), *data = rk_tail_view(answer);
        size_t before = t.n;
        for (size_t i = 0; i < data->n_events; i++) {
            rk_tail_estimate e = data->estimates[i];
            double p = known->estimates[i].p, slack = 1.96 * known->estimates[i].cv / log(10);
            if (!(known->estimates[i].cv <= 0.03)) continue;
            e.log10_low = e.log10_p - hypot(e.log10_p - e.log10_low, slack);
            e.log10_high = e.log10_p + hypot(e.log10_high - e.log10_p, slack);
            enter(&t, &e, p);
            logs += log(p);
        }
        t.seconds += data->seconds * (double)(t.n - before) / (double)data->n_events;
        rk_tail_destroy(answer);
        rk_tail_destroy(truths);
        rk_network_destroy(net);
    }
    char name[64];
    snprintf(name, sizeof name, "%s %zu x %zu", s->activation, s->width, s->hidden);
    if (t.n) print(name, exp(logs / (double)t.n), &t);
}

int main(int argc, char **argv) {
    if (argc != 5) study_stop("usage: coverage METHOD SAMPLES SEEDS TRUTH_PASSES");
    const plan own = {argv[1], strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10),
                      strtoull(argv[4], NULL, 10)};
    printf("%-24s %9s %5s  %8s  %8s  %8s  %7s  %9s  %9s  %8s  %s\n", "event", "p", "n", "covered",
           "or warned", "warnings", "ratio", "rms error", "stated", "passes", "time");
    if (!own.truth_passes) {
        known(&own);
        return 0;
    }
    static const shape shapes[] = {{"relu", 32, 3, 2, 0, 4},    {"relu", 32, 3, 2, 0.1, 5},
                                   {"relu", 16, 2, 2, 0.5, 4},  {"tanh", 32, 3, 4, 0.1, 2.5},
                                   {"tanh", 16, 2, 25, 0.1, 2}, {"gelu", 16, 3, 2, 0.1, 5}};
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
        narrow(&own, &shapes[k]);
    return 0;
}

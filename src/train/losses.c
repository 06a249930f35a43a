/* Losses that anybody may descend: on data, and between two networks as a closure has it. */
#include "base/size.h"
#include "estimate/words.h"
#include "gradient/dataset.h"
#include "network/input.h"
#include "train/checks.h"
#include "train/expected_loss.h"
#include "train/pairing.h"
#include "train/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct job {
    rk_options options;
    rk_derivatives to; /* empty: none are wanted */
    const rk_network *net;
    rk_parameters of; /* the same with biases everywhere, and maybe layers that stand still */
    rk_examples data; /* n = 0: none, but */
    rk_network *teacher;
    rk_input input;
    rk_pairs_spec pairs;
    rk_loss found;
} job;

static rk_status accept(job *j, const rk_network *net, const rk_derivatives *to,
                        const rk_options *asked, rk_error *error) {
    *j = (job){.net = net};
    const rk_status status = rk_options_accept(&j->options, asked, error);
    if (status != RK_OK || !to) return status;
    if (rk_read_sized(&j->to, sizeof j->to, sizeof j->to, to)) return RK_OK;
    return rk_fail(error, RK_ERROR_ARGUMENT, RK_SIZE_IS_NONE, "rk_derivatives", to->size,
                   sizeof j->to);
}

/* A copy whose layers all have biases, 0 where there are none: derivatives by these are wanted. */
static rk_status copy(rk_parameters *out, const rk_network *net, rk_error *error) {
    const size_t widest = rk_network_max_width(net);
    rk_layer *layers = rk_alloc(net->n_layers, 1, sizeof *layers);
    double *zeros = rk_alloc(widest, 1, sizeof *zeros);
    rk_status status =
        layers && zeros ? RK_OK : rk_fail(error, RK_ERROR_MEMORY, "no memory for the network");
    for (size_t l = 0; status == RK_OK && l < net->n_layers; l++) {
        layers[l] = net->layers[l];
        if (!layers[l].bias) layers[l].bias = zeros;
    }
    rk_network *biased = NULL;
    if (status == RK_OK) status = rk_network_create(&biased, layers, net->n_layers, error);
    if (status == RK_OK) status = rk_parameters_create(out, biased, error);
    rk_network_destroy(biased);
    free(layers);
    free(zeros);
    return status;
}

/* Layer l of the given network is layer l, or stands where the deeper one has it beside. */
static size_t height(const job *j, size_t l) {
    const size_t n_hidden = j->net->n_layers - 1, depth = j->of.net->n_layers - 1;
    return l == n_hidden || n_hidden == depth ? l + depth - n_hidden
                                              : rk_pairing_height(l, n_hidden, depth);
}

static void put(double *const *arrays, size_t l, size_t n, const double *from) {
    if (arrays && arrays[l]) memcpy(arrays[l], from, n * sizeof *from);
}

static void deliver(const job *j, rk_loss *out) {
    const rk_parameter_vector *bar = &j->of.gradient;
    *out = j->found;
    for (size_t l = 0; l < j->net->n_layers; l++) {
        const rk_layer *layer = &j->net->layers[l];
        const size_t at = height(j, l);
        if (layer->weight) put(j->to.weight, l, layer->rows * layer->cols, bar->weight[at]);
        put(j->to.bias, l, layer->rows, bar->bias[at]);
    }
}

static bool wants_derivatives(const job *j) {
    return j->to.weight || j->to.bias;
}

static rk_status run_on_data(job *j, rk_work *work, rk_error *error) {
    enum { BLOCK = 512 };
    const rk_parameter_vector *bar = &j->of.gradient;
    const rk_adjoint to = {.weight = bar->weight, .bias = bar->bias};
    const bool back = wants_derivatives(j);
    rk_sampled_loss sampled;
    rk_loss_value value = {.mean = 0};
    rk_status status =
        rk_sampled_loss_take(work, &j->data, j->of.net, BLOCK, back, &sampled, error);
    if (status == RK_OK)
        status =
            rk_sampled_loss_run(work, &sampled, 0, j->data.n, back ? &to : NULL, &value, error);
    j->found = (rk_loss){.value = value.mean, .standard_error = value.standard_error};
    return status;
}

static rk_status run_between(job *j, rk_work *work, rk_error *error) {
    rk_expected_loss loss;
    const rk_status status =
        rk_expected_loss_create(&loss, work, j->teacher, &j->of, &j->input, &j->pairs, error);
    if (status != RK_OK) return status;
    j->found = (rk_loss){.value = rk_expected_loss_value(&loss, false), .square = loss.square};
    if (wants_derivatives(j)) rk_expected_loss_gradient(&loss, true);
    rk_expected_loss_free(&loss);
    return RK_OK;
}

static rk_status run(void *context, rk_work *work, rk_error *error) {
    job *j = context;
    work->progress = j->options.progress;
    work->progress_context = j->options.progress_context;
    const rk_status status =
        j->data.n > 0 ? run_on_data(j, work, error) : run_between(j, work, error);
    if (status != RK_OK || work->dry) return status;
    j->found.flops = work->flops;
    if (work->interrupted || work->abandoned)
        return rk_fail(error, RK_ERROR_INTERRUPTED, "interrupted before the loss was known");
    if (!isfinite(j->found.value))
        return rk_fail(error, RK_ERROR_NUMERIC, "the loss is not finite");
    return RK_OK;
}

static rk_status finish(job *j, rk_status status, rk_loss *out, rk_error *error) {
    rk_train_run doing = {.name = "the loss",
                          .options = rk_train_options(j->options.threads, j->options.memory_limit,
                                                      j->options.context),
                          .run = run,
                          .context = j};
    if (status == RK_OK) status = rk_train_run_do(&doing, error);
    if (status == RK_OK) deliver(j, out);
    rk_parameters_free(&j->of);
    rk_network_destroy(j->teacher);
    return status;
}

rk_status rk_data_loss(rk_loss *out, const rk_derivatives *to, const rk_network *net,
                       const rk_dataset *data, const rk_options *options, rk_error *error) {
    job j;
    rk_status status = accept(&j, net, to, options, error);
    if (status == RK_OK) status = rk_dataset_accept(&j.data, data, net, error);
    if (status == RK_OK) status = copy(&j.of, net, error);
    return finish(&j, status, out, error);
}

/* As options->method says, which is `covariance` with pairs of some kind. */
static rk_status accept_pairs(job *j, rk_error *error) {
    rk_method_spec spec = {.kind = RK_COVARIANCE, .pairs = RK_PAIRS_COMPLETED};
    const rk_method_spec *asked = j->options.method;
    if (asked && !rk_read_sized(&spec, sizeof spec, sizeof spec, asked))
        return rk_fail(error, RK_ERROR_ARGUMENT, RK_SIZE_IS_NONE, "rk_method_spec", asked->size,
                       sizeof spec);
    if (spec.kind != RK_COVARIANCE || spec.angular)
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "the distance of networks is known by covariance, with any pairs");
    j->pairs = (rk_pairs_spec){spec.pairs, spec.order ? spec.order : 2};
    return rk_train_check_pairs(j->pairs.closure, j->pairs.order, error);
}

/* Both as deep as the deeper one. */
static rk_status pair(job *j, const rk_network *teacher, rk_error *error) {
    const size_t a = j->net->n_layers, b = teacher->n_layers, depth = (a > b ? a : b) - 1;
    rk_network *student = NULL;
    rk_status status = rk_pairing_stretch(&student, j->net, depth, error);
    if (status == RK_OK) status = rk_pairing_stretch(&j->teacher, teacher, depth, error);
    if (status == RK_OK) status = copy(&j->of, student, error);
    rk_network_destroy(student);
    return status;
}

rk_status rk_distance_loss(rk_loss *out, const rk_derivatives *to, const rk_network *student,
                           const rk_network *teacher, const rk_input *input,
                           const rk_options *options, rk_error *error) {
    job j;
    double *symmetric = NULL;
    rk_status status = accept(&j, student, to, options, error);
    if (status == RK_OK) status = accept_pairs(&j, error);
    if (status == RK_OK)
        status = rk_train_check_network(student, "a distance", "student", j.pairs.closure, error);
    if (status == RK_OK)
        status = rk_train_check_network(teacher, "a distance", "teacher", j.pairs.closure, error);
    if (status == RK_OK && (rk_network_n_in(student) != rk_network_n_in(teacher) ||
                            rk_network_n_out(student) != rk_network_n_out(teacher)))
        status = rk_fail(error, RK_ERROR_ARGUMENT,
                         "the networks have %zu and %zu inputs, %zu and %zu outputs",
                         rk_network_n_in(student), rk_network_n_in(teacher),
                         rk_network_n_out(student), rk_network_n_out(teacher));
    if (status == RK_OK)
        status = rk_input_accept(&j.input, &symmetric, input, rk_network_n_in(student), error);
    if (status == RK_OK && j.input.third_cumulant)
        status = rk_fail(error, RK_ERROR_UNSUPPORTED, "a distance is of Gaussian inputs only");
    if (status == RK_OK) status = pair(&j, teacher, error);
    status = finish(&j, status, out, error);
    free(symmetric);
    return status;
}

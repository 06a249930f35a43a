/* Derivatives of the logarithm of an event's probability: of the formula on cumulants, through the
 * closure, on the network that has the functional as its output. */
#include "base/size.h"
#include "estimate/words.h"
#include "tail/event.h"
#include "tail/method.h"
#include "tail/series.h"
#include "tail/target.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------ the formula
 */

static rk_tail_law law_of(const rk_answer_data *answer) {
    rk_tail_law law = {.kappa = {0, answer->mean[0], answer->covariance[0]}};
    if (answer->third_marginal) law.kappa[3] = answer->third_marginal[0];
    if (answer->fourth_marginal) law.kappa[4] = answer->fourth_marginal[0];
    return law;
}

/* log P(X > t), and its derivatives by the cumulants of X. */
static double series_of(rk_tail_kind kind, int budget, const rk_tail_law *law, double t,
                        rk_tail_law *by) {
    int degree;
    *by = (rk_tail_law){{0}};
    if (law->kappa[2] == 0) return law->kappa[1] > t ? 0 : -(double)INFINITY;
    if (!(law->kappa[2] > 0)) return (double)NAN;
    switch (kind) {
    case RK_TAIL_BY_EDGEWORTH:
        return rk_series_edgeworth(law, budget, t, by);
    case RK_TAIL_BY_SADDLEPOINT:
        return rk_series_saddlepoint(law, t, &degree, by);
    default:
        return rk_series_normal(law, t, by);
    }
}

/* ------------------------------------------------------------------------------------- what is
 * asked */

typedef struct request {
    rk_options options; /* of the estimate */
    rk_tail_spec tail;
    int budget;
} request;

static rk_status accept(request *r, const rk_options *asked, const rk_network *net,
                        rk_error *error) {
    rk_law_source source;
    rk_status status = rk_options_accept(&r->options, asked, error);
    if (status == RK_OK)
        status = rk_tail_method_accept(&r->tail, r->options.tail, rk_network_is_plain(net), &source,
                                       error);
    if (status != RK_OK) return status;
    if (r->tail.kind == RK_TAIL_BY_AUTO) {
        const bool is_open = !r->options.tail || r->options.tail->closure.kind == RK_AUTO;
        r->tail.kind = RK_TAIL_BY_NORMAL;
        if (is_open) r->tail.closure = (rk_method_spec){.kind = RK_COVARIANCE};
    } else if (!rk_tail_method_of(&r->tail)->takes_closure) {
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "%s has no derivatives; normal, edgeworth and saddlepoint have",
                       rk_tail_method_of(&r->tail)->info.name);
    }
    r->budget = source.budget;
    r->options.method = &r->tail.closure;
    r->options.covariance = true;
    r->options.layers = false;
    r->options.cumulants = 0;
    r->options.marginals = r->tail.closure.kind == RK_THIRD;
    return RK_OK;
}

/* ------------------------------------------------------------------------------- the way through
 * it */

/* Derivatives by the folded network's weights: those of the layers that it shares with the network
 * go where they belong; the last layer's, which it does not, here. */
typedef struct folded {
    rk_target target;
    size_t depth; /* of the layer that the functional reads */
    double **lists, *row, bias;
} folded;

static rk_status fold(folded *f, const rk_network *net, const rk_event *event, rk_error *error) {
    *f = (folded){.depth = event->layer ? event->layer : net->n_layers};
    rk_status status = rk_target_fold(&f->target, net, event, error);
    if (status != RK_OK) return status;
    const size_t n_layers = f->target.net.n_layers;
    f->lists = rk_alloc(n_layers, 2, sizeof *f->lists);
    f->row = rk_alloc(f->target.net.layers[n_layers - 1].cols, 1, sizeof *f->row);
    if (f->lists && f->row) return RK_OK;
    free(f->lists);
    free(f->row);
    rk_target_destroy(&f->target);
    return rk_fail(error, RK_ERROR_MEMORY, "no memory for the derivatives");
}

static void unfold(folded *f) {
    free(f->lists);
    free(f->row);
    rk_target_destroy(&f->target);
}

static rk_derivatives enter(folded *f, const rk_derivatives *to) {
    const size_t last = f->target.net.n_layers - 1;
    double **weight = f->lists, **bias = f->lists + last + 1;
    for (size_t l = 0; l < last; l++) {
        weight[l] = to->weight ? to->weight[l] : NULL;
        bias[l] = to->bias ? to->bias[l] : NULL;
    }
    weight[last] = f->row;
    bias[last] = &f->bias;
    return (rk_derivatives){.weight = weight,
                            .bias = bias,
                            .input_mean = to->input_mean,
                            .input_covariance = to->input_covariance};
}

static void clear(const rk_layer *layer, double *weight, double *bias) {
    if (weight && layer->weight) memset(weight, 0, layer->rows * layer->cols * sizeof *weight);
    if (bias) memset(bias, 0, layer->rows * sizeof *bias);
}

/* The rows that the functional has combined, and the layers that it does not see. */
static void leave(const folded *f, const rk_network *net, const rk_event *event,
                  const rk_derivatives *to) {
    const bool is_combined = f->target.net.n_layers == f->depth;
    for (size_t l = f->depth - is_combined; l < net->n_layers; l++)
        clear(&net->layers[l], to->weight ? to->weight[l] : NULL, to->bias ? to->bias[l] : NULL);
    if (!is_combined) return;
    const size_t last = f->depth - 1, cols = net->layers[last].cols;
    double *weight = to->weight ? to->weight[last] : NULL, *bias = to->bias ? to->bias[last] : NULL;
    for (size_t k = 0; k < event->n_terms; k++) {
        const rk_event_term *term = &event->terms[k];
        for (size_t j = 0; weight && j < cols; j++)
            weight[term->index * cols + j] += term->coefficient * f->row[j];
        if (bias) bias[term->index] += term->coefficient * f->bias;
    }
}

static rk_status differentiate(folded *f, const request *r, const rk_network *net,
                               const rk_input *input, const rk_event *event,
                               const rk_derivatives *to, double *log_p, rk_error *error) {
    rk_linearisation *run;
    rk_status status = rk_linearise(&run, &f->target.net, input, &r->options, error);
    if (status != RK_OK) return status;
    const rk_tail_law found = law_of(rk_linearisation_view(run)->answer);
    const rk_tail_law law = event->below ? rk_law_mirror(&found) : found;
    const double t = event->threshold - f->target.offset[0];
    rk_tail_law by;
    *log_p = series_of(r->tail.kind, r->budget, &law, event->below ? -t : t, &by);
    if (isnan(*log_p))
        status = rk_fail(error, RK_ERROR_NUMERIC,
                         "event '%.200s': no probability: mean %.3g, variance %.3g, third and "
                         "fourth cumulants %.3g and %.3g",
                         event->text ? event->text : "", found.kappa[1], found.kappa[2],
                         found.kappa[3], found.kappa[4]);
    if (event->below) by = rk_law_mirror(&by);
    const rk_cotangents seen = {.mean = &by.kappa[1],
                                .covariance = &by.kappa[2],
                                .third_marginal = r->options.marginals ? &by.kappa[3] : NULL,
                                .fourth_marginal = r->options.marginals ? &by.kappa[4] : NULL};
    const rk_derivatives inner = enter(f, to);
    if (status == RK_OK) status = rk_vjp(run, &seen, &inner, error);
    if (status == RK_OK) leave(f, net, event, to);
    rk_linearisation_destroy(run);
    return status;
}

rk_status rk_event_gradient(double *log_p, const rk_derivatives *wanted, const rk_network *net,
                            const rk_input *input, const rk_event *event, const rk_options *options,
                            rk_error *error) {
    *log_p = (double)NAN;
    if (!net || !event) return rk_fail(error, RK_ERROR_ARGUMENT, net ? "no event" : "no network");
    rk_derivatives to;
    if (!rk_read_sized(&to, sizeof to, sizeof to, wanted))
        return rk_fail(error, RK_ERROR_ARGUMENT, RK_SIZE_IS_NONE, "rk_derivatives", wanted->size,
                       sizeof to);
    request r;
    folded f;
    rk_status status = rk_event_check(event, net, error);
    if (status == RK_OK) status = accept(&r, options, net, error);
    if (status == RK_OK) status = fold(&f, net, event, error);
    if (status != RK_OK) return status;
    status = differentiate(&f, &r, net, input, event, &to, log_p, error);
    unfold(&f);
    return status;
}

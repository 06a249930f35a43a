#include "support/direction.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

rk_derivatives *subject_direction(const subject *s, const rk_network *net) {
    rk_derivatives *v;
    assert_int_equal(rk_derivatives_create(&v, net, &s->options, NULL), RK_OK);
    for (size_t l = 0; l < s->n_layers; l++) {
        const size_t rows = s->layers[l].rows, cols = s->layers[l].cols;
        double *W = chances(30 + l, rows * cols), *b = chances(50 + l, rows);
        for (size_t i = 0; i < rows; i++) {
            double size = fabs(s->bias[l][i]);
            for (size_t j = 0; s->weight[l] && j < cols; j++) {
                v->weight[l][i * cols + j] = W[i * cols + j] * s->weight[l][i * cols + j];
                size = fmax(size, fabs(s->weight[l][i * cols + j]));
            }
            v->bias[l][i] = s->layers[l].bias && !s->method.angular ? b[i] * size : 0;
        }
        free(W), free(b);
    }
    double *m = chances(70, s->n_in), *S = chances(71, s->n_in * s->n_in);
    for (size_t i = 0; i < s->n_in; i++) {
        v->input_mean[i] = m[i] * sqrt(s->covariance[i * (s->n_in + 1)]);
        for (size_t j = 0; v->input_covariance && j < s->n_in; j++)
            v->input_covariance[i * s->n_in + j] =
                (S[i * s->n_in + j] + S[j * s->n_in + i]) / 4 * s->covariance[i * s->n_in + j];
    }
    free(m), free(S);
    if (s->method.angular) v->input_mean = v->input_covariance = NULL;
    return v;
}

changes changes_of(const subject *s) {
    const size_t n = s->n_out;
    changes c = {.n_hidden = s->n_layers - 1, .hidden = calloc(s->n_layers, sizeof *c.hidden)};
    for (size_t l = 0; l < c.n_hidden; l++)
        c.hidden[l] = numbers(s->layers[l].rows);
    c.to = (rk_tangents){.size = sizeof c.to,
                         .mean = numbers(n),
                         .variance = numbers(n),
                         .covariance = numbers(n * n),
                         .hidden_mean = c.hidden};
    return c;
}

void changes_release(changes *c) {
    for (size_t l = 0; l < c->n_hidden; l++)
        free(c->hidden[l]);
    free(c->hidden), free(c->to.mean), free(c->to.variance), free(c->to.covariance);
}

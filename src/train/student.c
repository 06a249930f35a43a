#include "train/student.h"

#include "base/size.h"
#include "train/pairing.h"

#include <math.h>
#include <stdlib.h>

/* The teacher's layer beside hidden layer k of n_hidden: the first one at its height or above. */
static const rk_layer *beside(const rk_network *teacher, size_t k, size_t n_hidden) {
    const size_t teachers = teacher->n_layers - 1;
    const size_t depth = teachers > n_hidden ? teachers : n_hidden;
    const size_t height = rk_pairing_height(k, n_hidden, depth);
    size_t l = 0;
    while (rk_pairing_height(l, teachers, depth) < height)
        l++;
    return &teacher->layers[l];
}

static void scale_first(rk_network *net, double factor) {
    double *W = rk_network_weights(net, 0);
    for (size_t i = 0; i < net->layers[0].rows * net->layers[0].cols; i++)
        W[i] *= factor;
}

rk_status rk_student_draw(rk_network **out, const rk_network *teacher, const size_t *widths,
                          size_t n_hidden, double input_variance, uint64_t seed, rk_error *error) {
    const rk_random_spec spec = {.n_in = rk_network_n_in(teacher),
                                 .n_out = rk_network_n_out(teacher),
                                 .hidden = widths,
                                 .n_hidden = n_hidden,
                                 .activation = beside(teacher, 0, n_hidden)->activation,
                                 .seed = seed};
    rk_network *drawn = NULL;
    *out = NULL;
    rk_status status = rk_network_random(&drawn, &spec, error);
    if (status != RK_OK) return status;
    if (input_variance > 0) scale_first(drawn, 1 / sqrt(input_variance));
    const size_t n = drawn->n_layers, widest = rk_network_max_rows(drawn);
    rk_layer *layers = rk_alloc(n, 1, sizeof *layers);
    double *zeros = rk_alloc(widest, 1, sizeof *zeros);
    for (size_t i = 0; zeros && i < widest; i++)
        zeros[i] = 0;
    for (size_t l = 0; layers && l < n; l++) {
        const rk_layer *as =
            l < n_hidden ? beside(teacher, l, n_hidden) : &teacher->layers[teacher->n_layers - 1];
        layers[l] = drawn->layers[l];
        layers[l].activation = as->activation;
        layers[l].bias = as->bias ? zeros : NULL;
    }
    status = layers && zeros ? rk_network_create(out, layers, n, error)
                             : rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu layers", n);
    free(zeros);
    free(layers);
    rk_network_destroy(drawn);
    return status;
}

rk_status rk_student_check(const rk_network *s, const rk_network *t, rk_error *error) {
    rk_status status = rk_network_check_plain(s, "the student of a distillation", error);
    if (status != RK_OK) return status;
    if (s->n_layers < 2)
        return rk_fail(
            error, RK_ERROR_ARGUMENT,
            "the student has no hidden layer: the best linear network needs no training, "
            "or give it widths");
    if (rk_network_n_in(s) != rk_network_n_in(t) || rk_network_n_out(s) != rk_network_n_out(t))
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "the student takes %zu inputs to %zu outputs, but the teacher %zu to %zu",
                       rk_network_n_in(s), rk_network_n_out(s), rk_network_n_in(t),
                       rk_network_n_out(t));
    if (s->layers[s->n_layers - 1].activation.kind != RK_IDENTITY)
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "the student's output has an activation (%s): its last layer has to be "
                       "linear",
                       rk_activation_name(s->layers[s->n_layers - 1].activation.kind));
    const bool linear = s->layers[s->n_layers - 2].activation.kind == RK_IDENTITY;
    if (linear != (t->layers[t->n_layers - 2].activation.kind == RK_IDENTITY))
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "the last hidden layer of the %s has no activation: multiply it with the "
                       "output layer",
                       linear ? "student" : "teacher");
    return RK_OK;
}

#include "sample/control.h"

#include "activation/activation.h"
#include "activation/piecewise.h"
#include "base/simd.h"

#include <math.h>
#include <string.h>

/* out = W x, or (W o W) x. */
RK_HOT static void apply(size_t m, size_t n, const float *restrict transposed, bool squares,
                         const double *restrict x, double *restrict out) {
    memset(out, 0, m * sizeof *out);
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < m; i++) {
            const double w = (double)transposed[j * m + i];
            out[i] += squares ? w * w * x[j] : w * x[j];
        }
}

/* E phi(mu + sigma Z) by the midpoint rule on so many nodes. */
static double midpoint(const rk_activation *activation, double mu, double sigma, int nodes) {
    enum { CHUNK = 2048 };
    const double reach = 9, step = 2 * reach / nodes;
    double value[CHUNK], sum = 0, total = 0;
    for (int first = 0; first < nodes; first += CHUNK) {
        for (int k = 0; k < CHUNK; k++)
            value[k] = mu + sigma * ((first + k + 0.5) * step - reach);
        rk_activation_get(activation->kind)->value(activation, CHUNK, value, value);
        for (int k = 0; k < CHUNK; k++) {
            const double x = (first + k + 0.5) * step - reach, density = exp(-x * x / 2);
            sum += density * value[k];
            total += density;
        }
    }
    return sum / total;
}

/* For a phi that is smooth on the scale of its step the rule converges exponentially, farther than
 * the coefficients' quadrature, which is made for sums: until it does, or is as good as passes in
 * single precision could tell. */
static double mean_of_smooth(const rk_activation *activation, double mu, double sigma) {
    enum { FEW = 2048, MANY = 1 << 17 };
    double mean = midpoint(activation, mu, sigma, FEW);
    for (int nodes = 2 * FEW; nodes <= MANY; nodes *= 2) {
        const double before = mean;
        mean = midpoint(activation, mu, sigma, nodes);
        if (fabs(mean - before) <= 1e-12 * (fabs(mean) + 1)) break;
    }
    return mean;
}

static void first_means(const rk_activation *activation, size_t n, const double *mu,
                        const double *var, double *mean) {
    for (size_t i = 0; i < n; i++)
        mean[i] = mean_of_smooth(activation, mu[i], sqrt(var[i]));
}

/* Pre-activations are taken as uncorrelated: slopes only have to be about right. */
static void close_layer(const rk_float_layer *layer, bool first, double *mean, double *var,
                        double *mu, double *var_z, double *w, double *slope) {
    const size_t m = layer->rows;
    apply(m, layer->cols, layer->transposed, false, mean, mu);
    apply(m, layer->cols, layer->transposed, true, var, var_z);
    for (size_t i = 0; layer->bias && i < m; i++)
        mu[i] += (double)layer->bias[i];
    rk_wick(&layer->activation, m, mu, var_z, 1, 2, mean, w);
    memcpy(slope, w + rk_wick_at(m, 1, 1, 1), m * sizeof *slope);
    for (size_t i = 0; i < m; i++) {
        const double above = w[rk_wick_at(m, 1, 0, 1) + i];
        mean[i] += above;
        var[i] = fmax(w[rk_wick_at(m, 1, 0, 2) + i] - above * above, 0);
    }
    if (first && rk_activation_get(layer->activation.kind)->wick != rk_piecewise_wick)
        first_means(&layer->activation, m, mu, var_z, mean);
}

rk_control rk_control_take(rk_work *work, const rk_network *net, const rk_float_layer *layers,
                           size_t anchor, const double *known) {
    const size_t width = rk_network_max_width(net), n_layers = net->n_layers;
    double *first_mean = rk_work_doubles(work, known ? 0 : width, 1);
    rk_control control = {.layers = layers,
                          .width = width,
                          .anchor = anchor,
                          .mean = known ? known : first_mean,
                          .slopes = rk_work_doubles(work, n_layers, width)};
    const size_t mark = rk_work_mark(work);
    double *mean = rk_work_doubles(work, width, 1), *var = rk_work_doubles(work, width, 1);
    double *mu = rk_work_doubles(work, width, 1), *var_z = rk_work_doubles(work, width, 1);
    double *w = rk_work_doubles(work, width, 4);
    uint64_t flops = 0;
    for (size_t l = 0; l < n_layers; l++)
        flops += 5 * (uint64_t)net->layers[l].rows * net->layers[l].cols;
    if (rk_work_charge(work, flops)) {
        for (size_t j = 0; j < layers[0].cols; j++) {
            mean[j] = 0;
            var[j] = 1;
        }
        for (size_t l = 0; l < n_layers; l++) {
            close_layer(&layers[l], l == 0, mean, var, mu, var_z, w, control.slopes + l * width);
            if (l == 0 && !known) memcpy(first_mean, mean, layers[0].rows * sizeof *mean);
        }
    }
    rk_work_release(work, mark);
    return control;
}

void rk_control_carry(const rk_control *control, size_t l, const double *below, double *d) {
    const rk_float_layer *layer = &control->layers[l];
    const double *slope = control->slopes + l * control->width;
    apply(layer->rows, layer->cols, layer->transposed, false, below, d);
    for (size_t i = 0; i < layer->rows; i++)
        d[i] *= slope[i];
}

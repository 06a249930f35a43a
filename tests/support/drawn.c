#include "support/drawn.h"

static size_t pick(uint64_t *state, size_t n) {
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return (size_t)(*state >> 33) % n;
}

double draw_uniform(uint64_t *state) {
    return (double)pick(state, 1 << 20) / (1 << 19) - 1;
}

size_t drawn_size(const drawn *d, size_t value) {
    return value == 0 ? d->layers[0].cols : d->layers[value - 1].rows;
}

void draw_any(drawn *d, uint64_t seed, const rk_activation *activations, size_t n_activations) {
    uint64_t state = seed + 1;
    const size_t widths[] = {3, 5, MOST_WIDTH};
    double *number = d->numbers;
    memset(d->layers, 0, sizeof d->layers);
    d->n_layers = 3 + pick(&state, MOST_LAYERS - 3);
    for (size_t l = 0; l < d->n_layers; l++) {
        rk_layer *layer = &d->layers[l];
        size_t read = l == 0 || pick(&state, 2) ? l : pick(&state, l + 1);
        layer->cols = l == 0 ? widths[pick(&state, 3)] : drawn_size(d, read);
        layer->reads = read == l ? 0 : read + 1;
        layer->rows = widths[pick(&state, 3)];
        if (layer->rows != layer->cols || pick(&state, 4)) {
            layer->weight = number;
            for (size_t i = 0; i < layer->rows * layer->cols; i++)
                *number++ = draw_uniform(&state);
        }
        layer->bias = pick(&state, 2) ? number : NULL;
        for (size_t i = 0; i < layer->rows; i++)
            *number++ = draw_uniform(&state);
        size_t added = pick(&state, l + 1);
        if (pick(&state, 2) && drawn_size(d, added) == layer->rows) layer->adds = added + 1;
        if (l + 1 < d->n_layers || pick(&state, 3) == 0)
            layer->activation = activations[pick(&state, n_activations)];
    }
}

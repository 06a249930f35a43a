/* Small networks of any wiring, drawn at random. */
#ifndef TEST_DRAWN_H
#define TEST_DRAWN_H

#include "reckon/reckon.h"

enum { MOST_LAYERS = 12, MOST_WIDTH = 9 };

typedef struct drawn {
    rk_layer layers[MOST_LAYERS];
    size_t n_layers;
    double numbers[MOST_LAYERS * MOST_WIDTH * (MOST_WIDTH + 1)];
} drawn;

/** Layers that read and add whatever fits, of widths 3, 5 and 9; some have no weights, some no
 *  biases, and each one of these activations. */
void draw_any(drawn *d, uint64_t seed, const rk_activation *activations, size_t n_activations);

/** Entries of a value, from 0. */
size_t drawn_size(const drawn *d, size_t value);

/** In [-1, 1). */
double draw_uniform(uint64_t *state);

#endif

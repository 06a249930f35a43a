/* Networks of many kinds, most of them not random matrices, and the laws of their inputs: what
 * stated errors have to hold on. Public header only, so that benchmarks use them, too. */
#ifndef TEST_KINDS_H
#define TEST_KINDS_H

#include "reckon/reckon.h"

typedef struct kind_case {
    rk_network *net;
    rk_input input; /* borrowed from what follows */
    double *mean, *covariance;
} kind_case;

/** The name of a kind, NULL past the end. */
const char *kind_name(size_t index);

/** Draws one: `hidden` layers of n neurons (a multiple of 16, at least 32) and 8 outputs.
 *  Deterministic. Stops the program if there is no such kind or no memory. */
kind_case kind_draw(const char *kind, const char *activation, size_t n, size_t hidden,
                    uint64_t seed);
void kind_release(kind_case *k);

#endif

/* The reference's outputs (tests/data/goldens) and the networks with known answers
 * (tests/data/truth). Trouble with a file fails the running test. */
#ifndef TEST_GOLDEN_H
#define TEST_GOLDEN_H

#include "format/tensor.h"

typedef struct golden {
    rk_tensors arrays;
    rk_network *net; /* NULL in a file without weights (wick) */
    rk_input input;  /* Kin1, Kin2, Kin3, borrowed; NULL members where the file has none */
} golden;

/** Opens goldens/NAME.npz, e.g. "relu_n8_L3". */
golden golden_open(const char *name);
void golden_close(golden *g);

/** An array by its printf-formatted name; NULL if the file has none. Borrowed. */
const rk_array *golden_find(const golden *g, const char *format, ...) RK_PRINTF(2, 3);
/** Its values; the test fails if there is none. */
const double *golden_get(const golden *g, const char *format, ...) RK_PRINTF(2, 3);

/** The names of index.json in its order ("relu_n8_L2", ...), NULL past the end. Traces and wick
 *  are not among them. The answer is valid until the next call. */
const char *golden_name(size_t index);
/** The reference warned that it clamped a variance in this configuration ("k2_AUGMENT_f0_a1"): its
 *  figures are not to be compared with. */
bool golden_is_doubtful(const char *name, const char *config);

/** A He-initialised relu network of n x n layers, n = 32, 64 or 128, L weight matrices and what
 *  very many samples say about its output under x ~ N(0, I). */
typedef struct truth {
    rk_tensors arrays;
    rk_network *net;
    size_t n;
    const double *mean, *se, *output_var; /* n each, borrowed */
} truth;

/** Network t of size n with L weight matrices. */
truth truth_open(int n, int L, int t);
void truth_close(truth *t);

#endif

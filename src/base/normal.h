/* Standard normals from the words of a stream, by Box and Muller: no rejection, so normal k of an
 * item is a function of the stream, the item and k alone. Only operations that IEEE 754 defines to
 * the bit are used (and SLEEF's portable double functions): same bits on every processor.
 *
 * doubles: words w_0, w_1 make the pair (normals 0 and 1), w_2, w_3 the next:
 *     r = sqrt(-2 ln((floor(w_0 / 2^11) + 1) / 2^53)),  t = 2 pi floor(w_1 / 2^11) / 2^53,
 *     (r cos t, r sin t).
 * floats: each word makes a pair from its high half a and its low half b, 32 bits each:
 *     r = sqrt(-2 ln((a + 1/2) / 2^32)),  t = 2 pi b / 2^32,  (r cos t, r sin t),
 * in single precision: within 1e-6 of the formula, and at most 6.77. */
#ifndef RK_BASE_NORMAL_H
#define RK_BASE_NORMAL_H

#include "base/stream.h"

/** The first `count` normals of `item`, within a few ulps of the formula. About 25 ns each. */
void rk_normal_doubles(rk_stream stream, uint64_t item, size_t count, double *out);

/** The first `count` normals of `item`. About 2 ns each. */
void rk_normal_floats(rk_stream stream, uint64_t item, size_t count, float *out);

#endif

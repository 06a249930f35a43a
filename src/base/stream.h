/* Counter-based random words: Philox4x64-10 keyed by (seed, stream).
 *
 * Nothing is stored and nothing is drawn in sequence: word w of item i of a stream is a function of
 * (seed, stream, i, w), so any thread can make any part, and a longer run extends a shorter one.
 * An item is whatever the reader of the stream numbers: a sample, a layer.
 *
 * NumPy makes the same words:
 *
 *     numpy.random.Philox(key=[seed, stream], counter=[0, item, 0, 0]).random_raw(count)
 */
#ifndef RK_BASE_STREAM_H
#define RK_BASE_STREAM_H

#include <stddef.h>
#include <stdint.h>

/** Who reads which stream: networks and their samples stay independent under one seed. */
enum {
    RK_STREAM_SAMPLES = 0, /**< item: the sample or pair; from the last one down: the rotation */
    RK_STREAM_WEIGHTS = 1, /**< item: the layer, counted from 0 */
    RK_STREAM_BIASES = 2,  /**< item: the layer, counted from 0 */
    RK_STREAM_RECEIPT = 3, /**< item: the sample of the check */
    RK_STREAM_PROBES = 4,  /**< item: the probe of a matrix */
    RK_STREAM_TAIL = 5,    /**< + 256 e, item: the pass of the event with key e of rk_tail */
    RK_STREAM_LEVELS = 6,  /**< + 256 e, item: the pass of its subset simulation */
    RK_STREAM_WIDE = 7,    /**< + 256 e, item: the pass of the search for its parts */
    RK_STREAM_TRAINING = 8 /**< item: the sample or pair that a network is trained on */
};

typedef struct rk_stream {
    uint64_t seed, stream;
} rk_stream;

enum { RK_STREAM_BLOCK = 4 }; /**< words that one evaluation of Philox makes */

/** words[0..count) = words first, first + 1, ... of `item`; `first` is a multiple of
 *  RK_STREAM_BLOCK. About 2 ns a word. */
void rk_stream_words(rk_stream stream, uint64_t item, uint64_t first, size_t count,
                     uint64_t *words);

#endif

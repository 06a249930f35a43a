/* Forward passes in single precision: the one engine for whatever is made of them.
 *
 * Passes come in blocks that a thread does at once. A *source* makes the products of the first
 * layer for a block, the engine carries them through the float layers, a *sink* takes what comes
 * out. What a block is depends on its index alone, and sinks that add up are served in the order of
 * the blocks: same bits for any number of threads. */
#ifndef RK_SAMPLE_PASSES_H
#define RK_SAMPLE_PASSES_H

#include "base/work.h"
#include "sample/float_layer.h"

/** Passes of a block, usually: enough for sgemm to run at nearly its full speed, few enough for the
 * activations of a usual layer to stay in the cache of a core. */
enum { RK_PASS_BLOCK = 512 };

/** Its functions are called from several threads at once, except for `prepare`. */
typedef struct rk_pass_source {
    void *context;
    uint64_t n_blocks;
    size_t most;    /**< passes of a block */
    size_t scratch; /**< floats that `make` needs for a block */
    /** Passes in all blocks before this one. */
    uint64_t (*passes_before)(const void *context, uint64_t block);
    /** Called before these blocks are made; NULL: nothing is to be done. */
    rk_status (*prepare)(rk_work *work, void *context, uint64_t block, uint64_t end_block,
                         rk_error *error);
    /** z (n x rows) = the first layer's matrix times the points of a block. */
    void (*make)(const void *context, uint64_t block, size_t n, float *scratch, float *z);
} rk_pass_source;

typedef struct rk_pass_block {
    uint64_t index;
    size_t n;             /**< passes */
    const float *scratch; /**< as the source left it, if the sink wants it */
    float *y; /**< n x n_out, in the last layer's units: the sink may do with it as it likes */
    const double *hidden; /**< sums over the block of what layers make, one after another */
} rk_pass_block;

typedef struct rk_pass_sink {
    void *context;
    bool wants_scratch;
    size_t n_hidden; /**< neurons whose sums are wanted, from the first layer on */
    /** Called from several threads at once, with the lane that the block was done in. */
    void (*take)(void *context, size_t lane, const rk_pass_block *block);
    /** Then, one block after another; NULL: the order is all the same. */
    void (*merge)(void *context, size_t lane, const rk_pass_block *block);
} rk_pass_sink;

typedef struct rk_passes {
    const rk_network *net;
    const rk_float_layer *layers; /**< of `net` */
    size_t lanes; /**< blocks in work at once. Costs memory; no effect on the results */
    uint64_t flops_of_two, flops_of_block; /**< of two passes, be they a pair or not; of a block
                                            * besides its passes. Source and sink included */
} rk_passes;

/** FLOPs of two passes besides the products of the first layer, whose bias has an offset of the
 *  input in it or has not: 2mnk a product, 1 a bias, a value added and an activation. */
uint64_t rk_passes_flops_of_two(const rk_network *net, bool has_offset);

/** Blocks done between two reports of progress; `prepare` is called for so many at most. */
uint64_t rk_passes_at_once(size_t lanes, uint64_t flops_of_two);

/** Does all passes, or those of some first blocks if interrupted. Fails only if `prepare` does,
 *  which the dry run does not call. */
rk_status rk_passes_run(rk_work *work, const rk_passes *passes, const rk_pass_source *source,
                        const rk_pass_sink *sink, rk_error *error);

#endif

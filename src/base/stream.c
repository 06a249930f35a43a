#include "base/stream.h"

#include <Random123/philox.h>
#include <assert.h>
#include <string.h>

void rk_stream_words(rk_stream stream, uint64_t item, uint64_t first, size_t count,
                     uint64_t *words) {
    assert(first % RK_STREAM_BLOCK == 0);
    const philox4x64_key_t key = {{stream.seed, stream.stream}};
    /* NumPy increments the counter before it draws: hence the 1. */
    philox4x64_ctr_t counter = {{first / RK_STREAM_BLOCK + 1, item, 0, 0}};
    for (; count >= RK_STREAM_BLOCK; count -= RK_STREAM_BLOCK, words += RK_STREAM_BLOCK) {
        philox4x64_ctr_t block = philox4x64(counter, key);
        memcpy(words, block.v, sizeof block.v);
        counter.v[0]++;
    }
    if (count > 0) memcpy(words, philox4x64(counter, key).v, count * sizeof *words);
}

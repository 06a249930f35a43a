#include "train/shuffle.h"

/* floor(word n / 2^64), by halves: n is below 2^32, so hardly any are likelier than others. */
static size_t below(uint64_t word, uint64_t n) {
    const uint64_t high = (word >> 32) * n, low = (word & UINT32_MAX) * n;
    return (size_t)((high + (low >> 32)) >> 32);
}

/* Fisher and Yates, from the end. */
void rk_shuffle(rk_stream stream, uint64_t epoch, size_t n, size_t *order) {
    enum { SOME = 64 }; /* words at a time */
    uint64_t words[SOME];
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t done = 0; done + 1 < n; done++) {
        if (done % SOME == 0) rk_stream_words(stream, epoch, done, SOME, words);
        const size_t last = n - 1 - done, other = below(words[done % SOME], last + 1);
        const size_t keep = order[last];
        order[last] = order[other];
        order[other] = keep;
    }
}

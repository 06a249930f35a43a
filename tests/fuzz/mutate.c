/* mutate COUNT FILE...: COUNT random mutations of the files, the same ones on every machine; each
 * must be read or refused. */
#include "fuzz/input.h"
#include "fuzz/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_GROWTH = 64 };

/* ------------------------------------------------------------------------------------- chance */

static uint64_t state;

static uint64_t draw(void) {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static size_t below(size_t bound) {
    return bound ? (size_t)(draw() % bound) : 0;
}

static const uint64_t landmarks[] = {0,
                                     1,
                                     7,
                                     8,
                                     0x7f,
                                     0x80,
                                     0xff,
                                     0x100,
                                     0xffff,
                                     0x10000,
                                     0x7fffffff,
                                     0x80000000,
                                     0xffffffff,
                                     0x100000000,
                                     0x1fffffffffffffff,
                                     0x2000000000000000,
                                     0x7fffffffffffffff,
                                     0x8000000000000000,
                                     0xffffffffffffffff};

static uint64_t landmark(void) {
    return landmarks[below(sizeof landmarks / sizeof *landmarks)] + below(3) - 1;
}

/* ---------------------------------------------------------------------------------- mutations */

/* The file in work: room for MAX_GROWTH bytes more. */
typedef struct draft {
    uint8_t *bytes;
    size_t size, capacity;
} draft;

static void flip(draft *d) {
    if (d->size) d->bytes[below(d->size)] ^= (uint8_t)(1u << below(8));
}

static void overwrite(draft *d) {
    if (d->size) d->bytes[below(d->size)] = (uint8_t)draw();
}

static void cut(draft *d) {
    d->size = below(d->size + 1);
}

static void delete_some(draft *d) {
    size_t at = below(d->size + 1), count = below(d->size - at + 1) % 32;
    memmove(d->bytes + at, d->bytes + at + count, d->size - at - count);
    d->size -= count;
}

/* Inserts bytes, from the file itself: duplicates keys, members, values. */
static void splice(draft *d) {
    uint8_t piece[MAX_GROWTH];
    size_t room = d->capacity - d->size, from = below(d->size), at = below(d->size + 1);
    size_t count = below((d->size - from < room ? d->size - from : room) + 1);
    if (count > sizeof piece) count = sizeof piece;
    memcpy(piece, d->bytes + from, count);
    memmove(d->bytes + at + count, d->bytes + at, d->size - at);
    memcpy(d->bytes + at, piece, count);
    d->size += count;
}

/* Puts a landmark where 1 to 8 little-endian bytes may be a number. */
static void tweak_binary(draft *d) {
    size_t width = (size_t)1 << below(4);
    if (d->size < width) return;
    uint64_t value = landmark();
    size_t at = below(4) ? below(d->size - width + 1) : 0; /* often the length in front */
    for (size_t i = 0; i < width; i++)
        d->bytes[at + i] = (uint8_t)(value >> (8 * i));
}

static bool is_digit(uint8_t c) {
    return c >= '0' && c <= '9';
}

/* Replaces a number in the text of a header, without moving what follows if the length allows. */
static void tweak_decimal(draft *d) {
    size_t start = below(d->size), end;
    while (start < d->size && !is_digit(d->bytes[start]))
        start++;
    for (end = start; end < d->size && is_digit(d->bytes[end]);)
        end++;
    if (start == end) return;
    char text[24];
    size_t length = (size_t)sprintf(text, "%llu", (unsigned long long)landmark());
    if (below(2)) length = end - start < length ? end - start : length;
    if (length - (end - start) > d->capacity - d->size && length > end - start) return;
    memmove(d->bytes + start + length, d->bytes + end, d->size - end);
    memcpy(d->bytes + start, text, length);
    d->size = d->size - (end - start) + length;
}

static void mutate(draft *d) {
    static void (*const kinds[])(draft *) = {flip,   overwrite,    cut,          delete_some,
                                             splice, tweak_binary, tweak_decimal};
    for (size_t n = 1 + below(2) * below(3); n > 0; n--)
        kinds[below(sizeof kinds / sizeof *kinds)](d);
}

/* --------------------------------------------------------------------------------------- main */

static bool survives(const input *seed) {
    draft d = {.size = seed->size, .capacity = seed->size + MAX_GROWTH};
    d.bytes = malloc(d.capacity);
    if (!d.bytes) abort();
    memcpy(d.bytes, seed->bytes, seed->size);
    mutate(&d);
    uint8_t *exact = malloc(d.size ? d.size : 1);
    if (!exact) abort();
    memcpy(exact, d.bytes, d.size);
    free(d.bytes);
    bool answered = target_read(exact, d.size);
    free(exact);
    return answered;
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    size_t count = strtoul(argv[1], NULL, 10), n_seeds = (size_t)argc - 2, answered = 0;
    input *seeds = calloc(n_seeds, sizeof *seeds);
    if (!seeds) return 2;
    for (size_t i = 0; i < n_seeds; i++)
        seeds[i] = input_read(argv[i + 2]);
    for (size_t i = 0; i < count; i++) {
        state = i; /* so that one mutation can be repeated alone */
        answered += survives(&seeds[i % n_seeds]);
    }
    for (size_t i = 0; i < n_seeds; i++)
        free(seeds[i].bytes);
    free(seeds);
    printf("%zu mutations: %zu read, %zu refused\n", count, answered, count - answered);
    /* Some must be harmless and some harmful, or this tests nothing. */
    return answered > 0 && answered < count ? 0 : 1;
}

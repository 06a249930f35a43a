/* allocation_sweep FILE...: reads each file, and writes what it holds, with every single allocation
 * failing in turn. Each time the answer must be an error, or the same bits as ever; a sanitizer
 * sees to leaks. The linker routes malloc and its kin through the functions below. */
#include "format/npz.h"
#include "format/read.h"
#include "format/safetensors.h"
#include "fuzz/input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t countdown = SIZE_MAX; /* allocations until one fails */
static bool failed;

static bool fails(void) {
    if (countdown == SIZE_MAX || countdown-- > 0) return false;
    countdown = SIZE_MAX;
    failed = true;
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size) {
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size) {
    return fails() ? NULL : __real_realloc(memory, size);
}

char *__wrap_strdup(const char *text) {
    return fails() ? NULL : __real_strdup(text);
}

/* A network as bytes, which hold everything but the notes. */
typedef struct image {
    unsigned char *bytes;
    size_t size;
} image;

static bool same(const image *a, const image *b) {
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

/* Layers that are spelled out want no side-car. */
static rk_network *parse(const input *in, bool alone) {
    static const char sidecar[] = "{\"activation\": [\"relu\"], \"output_activation\": \"tanh\"}";
    rk_model_bytes model = {in->bytes, (const unsigned char *)sidecar, in->size, strlen(sidecar)};
    if (alone) model.sidecar = NULL;
    rk_network *net;
    rk_error error;
    return rk_network_parse(&net, &model, NULL, &error) == RK_OK ? net : NULL;
}

typedef rk_status writer(unsigned char **, size_t *, const rk_network *, rk_error *);

static image write_with(writer *write, const rk_network *net) {
    image out;
    return write(&out.bytes, &out.size, net, NULL) == RK_OK ? out : (image){0};
}

/* Runs `what` until no allocation is left to fail; false if one answer was wrong. */
static bool sweep(bool (*what)(const void *context, bool must_succeed), const void *context,
                  size_t *count) {
    for (size_t n = 0;; n++, ++*count) {
        countdown = n;
        failed = false;
        bool right = what(context, false);
        bool reached = failed;
        countdown = SIZE_MAX;
        if (!right) return false;
        if (!reached) return what(context, true);
    }
}

typedef struct reading {
    const input *in;
    bool alone;
    image wanted;
} reading;

static bool reads_alike(const void *context, bool must_succeed) {
    const reading *r = context;
    rk_network *net = parse(r->in, r->alone);
    if (!net) return !must_succeed;
    countdown = SIZE_MAX;
    image got = write_with(rk_safetensors_write, net);
    bool alike = got.bytes && same(&got, &r->wanted);
    free(got.bytes);
    rk_network_destroy(net);
    return alike;
}

typedef struct writing {
    const rk_network *net;
    writer *write;
    image wanted;
} writing;

static bool writes_alike(const void *context, bool must_succeed) {
    const writing *w = context;
    image got = write_with(w->write, w->net);
    if (!got.bytes) return !must_succeed;
    bool alike = same(&got, &w->wanted);
    free(got.bytes);
    return alike;
}

static bool sweep_file(const char *path, size_t *count) {
    input in = input_read(path);
    rk_network *net = parse(&in, false);
    const bool alone = !net;
    if (alone) net = parse(&in, true);
    if (!net) return false;
    reading r = {&in, alone, write_with(rk_safetensors_write, net)};
    bool right = r.wanted.bytes && sweep(reads_alike, &r, count);
    writer *const writers[] = {rk_safetensors_write, rk_npz_write};
    for (size_t i = 0; i < 2; i++) {
        writing w = {net, writers[i], write_with(writers[i], net)};
        right = right && w.wanted.bytes && sweep(writes_alike, &w, count);
        free(w.wanted.bytes);
    }
    free(r.wanted.bytes);
    rk_network_destroy(net);
    free(in.bytes);
    return right;
}

int main(int argc, char **argv) {
    json_set_alloc_funcs(__wrap_malloc, free);
    size_t count = 0;
    for (int i = 1; i < argc; i++)
        if (!sweep_file(argv[i], &count)) {
            fprintf(stderr, "%s: wrong answer after a failed allocation\n", argv[i]);
            return 1;
        }
    printf("%d files, %zu failed allocations\n", argc - 1, count);
    return count > 0 ? 0 : 2;
}

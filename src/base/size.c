#include "base/size.h"

#include <stdlib.h>

void *rk_alloc(size_t a, size_t b, size_t size) {
    size_t count;
    if (!rk_size_mul(a, b, &count)) return NULL;
    return calloc(count ? count : 1, size); /* never the ambiguous calloc(0) */
}

#include "base/size.h"

#include <stdlib.h>
#include <unistd.h>

void *rk_alloc(size_t a, size_t b, size_t size) {
    size_t count;
    if (!rk_size_mul(a, b, &count)) return NULL;
    return calloc(count ? count : 1, size); /* never the ambiguous calloc(0) */
}

uint64_t rk_physical_memory(void) {
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : UINT64_MAX;
}

#include "base/size.h"

#include "base/cgroup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

void *rk_alloc(size_t a, size_t b, size_t size) {
    size_t count;
    if (!rk_size_mul(a, b, &count)) return NULL;
    return calloc(count ? count : 1, size); /* never the ambiguous calloc(0) */
}

bool rk_read_sized(void *out, size_t size, size_t least, const void *given) {
    size_t has;
    memcpy(&has, given, sizeof has);
    if (has == 0) has = least;
    if (has < least) return false;
    for (const unsigned char *byte = given, *end = byte + has; byte + size < end; end--)
        if (end[-1] != 0) return false;
    memset(out, 0, size);
    memcpy(out, given, has < size ? has : size);
    memcpy(out, &size, sizeof size);
    return true;
}

bool rk_write_sized(void *out, const void *own, size_t size, size_t least) {
    size_t has;
    memcpy(&has, out, sizeof has);
    const size_t room = has ? has : least;
    if (room < least) return false;
    memcpy(out, own, room < size ? room : size);
    memcpy(out, &has, sizeof has);
    return true;
}

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* What the limit leaves beyond the pages in use, whose number stands in a column of statm. */
static uint64_t left_of_limit(int resource, int column, uint64_t page) {
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return UINT64_MAX;
    unsigned long long pages[7] = {0};
    FILE *file = fopen("/proc/self/statm", "r");
    for (int i = 0; file && i < 7 && fscanf(file, "%llu", &pages[i]) == 1; i++)
        continue;
    if (file) fclose(file);
    uint64_t used = pages[column] * page;
    return limit.rlim_cur > used ? limit.rlim_cur - used : 1; /* 0 would stand for no limit */
}

static uint64_t page_size(void) {
    long size = sysconf(_SC_PAGESIZE);
    return size > 0 ? (uint64_t)size : 4096;
}

uint64_t rk_left_by_limits(void) {
    enum { ALL_PAGES = 0, DATA_PAGES = 5 };
    return smaller(left_of_limit(RLIMIT_AS, ALL_PAGES, page_size()),
                   left_of_limit(RLIMIT_DATA, DATA_PAGES, page_size()));
}

uint64_t rk_usable_memory(void) {
    long pages = sysconf(_SC_PHYS_PAGES);
    uint64_t memory = pages > 0 ? (uint64_t)pages * page_size() : UINT64_MAX;
    return smaller(smaller(memory, rk_cgroup_memory("")), rk_left_by_limits());
}

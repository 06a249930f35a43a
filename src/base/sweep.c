#include "base/sweep.h"

typedef struct sweep {
    void (*function)(void *, size_t, size_t);
    void *context;
    size_t m, rows;
} sweep;

static void sweep_block(void *context, size_t block) {
    const sweep *s = context;
    const size_t first = block * s->rows;
    s->function(s->context, first, s->m - first < s->rows ? s->m : first + s->rows);
}

void rk_sweep(rk_pool *pool, size_t m, size_t n,
              void (*function)(void *context, size_t first, size_t last), void *context) {
    enum { ENTRIES = 1 << 14 }; /* ten microseconds, more or less */
    sweep s = {function, context, m, 8};
    while (s.rows * n < ENTRIES && s.rows < ENTRIES)
        s.rows *= 2;
    rk_pool_run(pool, rk_pool_blocks(m, s.rows), sweep_block, &s);
}

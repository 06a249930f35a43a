#include "support/wet.h"

#include "linalg/blas.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* cmocka wants some of the above */
#include <cmocka.h>

uint64_t run_wet(void (*function)(rk_work *work, void *context), void *context, int threads) {
    rk_work dry, wet;
    rk_pool *pool;
    assert_int_equal(rk_pool_create(&pool, threads, NULL), RK_OK);
    rk_work_init_dry(&dry);
    function(&dry, context);
    assert_int_equal(rk_work_init_wet(&wet, &dry, pool, NULL), RK_OK);
    rk_blas_make_serial();
    function(&wet, context);
    rk_blas_restore();
    if (wet.flops != dry.flops || wet.peak != dry.peak)
        fail_msg("planned %llu FLOPs, %zu bytes; done %llu, %zu", (unsigned long long)dry.flops,
                 dry.peak, (unsigned long long)wet.flops, wet.peak);
    rk_work_finish(&wet);
    rk_pool_destroy(pool);
    free(dry.steps);
    return wet.flops;
}

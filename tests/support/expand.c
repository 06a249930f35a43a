#include "support/expand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* cmocka wants the three above */
#include <cmocka.h>

void expand_tower(const rk_tower *tower, int d, int threads, double *dense) {
    rk_work plan, run;
    rk_pool *pool;
    rk_work_init_dry(&plan);
    rk_tower_expand(&plan, tower, d, dense);
    assert_int_equal(rk_pool_create(&pool, threads, NULL), RK_OK);
    assert_int_equal(rk_work_init_wet(&run, &plan, pool, NULL), RK_OK);
    rk_tower_expand(&run, tower, d, dense);
    assert_int_equal(run.flops, plan.flops);
    rk_work_finish(&run);
    rk_pool_destroy(pool);
}

#include "propagate/followed_fourth.h"

#include "base/sum.h"

rk_followed_fourth rk_followed_fourth_take(rk_work *work, size_t width, size_t bent, bool in_double,
                                           size_t reach) {
    rk_followed_fourth followed = {
        .reach = reach,
        .scratch = rk_fourth_scratch_take(work, width, bent, in_double),
        .K31 = rk_legs_take(work, in_double, width, width),
        .k4_carried = rk_work_doubles(work, width, 1),
    };
    for (size_t age = 0; age < reach; age++) {
        followed.born[age] = rk_newborn_fourth_take(work, width, bent, in_double);
        followed.H[age] = rk_legs_take(work, in_double, width, width);
        followed.K22[age] = rk_legs_take(work, in_double, width, width);
        if (age == 0) continue;
        followed.T_below[age] = rk_legs_take(work, in_double, width, width);
        followed.C[age] = rk_legs_take(work, in_double, width, width);
        followed.C_below[age] = rk_legs_take(work, in_double, width, width);
        followed.var[age] = rk_work_doubles(work, width, 1);
    }
    if (reach > 1) followed.half_moved = rk_legs_take(work, in_double, width, width);
    return followed;
}

void rk_followed_fourth_keep(rk_work *work, size_t n, size_t heard, const double *C,
                             rk_followed_fourth *followed) {
    for (size_t age = followed->reach; --age > 1;) {
        rk_legs free = followed->C_below[age];
        followed->C_below[age] = followed->C[age - 1];
        followed->C[age - 1] = free;
    }
    if (followed->reach == 1) return;
    followed->C_below[1] = rk_legs_view(followed->C_below[1], 0, heard);
    if (!rk_work_charge(work, 0)) return;
    for (size_t i = 0; i < heard; i++)
        rk_legs_write(&followed->C_below[1], i, 0, heard, C + i * n);
}

enum { ROWS = 16, CHUNK = 256 };

typedef struct diagonal {
    size_t n, k;
    const rk_legs *half, *T;
    double *var;
} diagonal;

static void diagonal_rows(void *context, size_t block) {
    const diagonal *x = context;
    size_t first = block * ROWS, last = x->n - first < ROWS ? x->n : first + ROWS;
    double one[CHUNK], other[CHUNK];
    for (size_t i = first; i < last; i++) {
        x->var[i] = 0;
        for (size_t j = 0; j < x->k; j += CHUNK) {
            size_t count = x->k - j < CHUNK ? x->k - j : CHUNK;
            x->var[i] += rk_dot(count, rk_legs_read(x->half, i, j, count, one),
                                rk_legs_read(x->T, i, j, count, other));
        }
    }
}

void rk_followed_fourth_move(rk_work *work, size_t age, size_t n, size_t heard, size_t k, rk_legs T,
                             bool pairs, rk_followed_fourth *followed) {
    rk_legs half = rk_legs_view(followed->half_moved, 0, k), *C = &followed->C[age];
    rk_legs_product(work, RK_NO_TRANS, n, k, k, T, followed->C_below[age], 0, half);
    *C = rk_legs_view(*C, 0, n);
    if (pairs) rk_legs_product(work, RK_TRANS, heard, heard, k, half, T, 0, *C);
    diagonal job = {n, k, &half, &T, followed->var[age]};
    if (rk_work_charge(work, 2 * (uint64_t)n * k))
        rk_pool_run(work->pool, rk_pool_blocks(n, ROWS), diagonal_rows, &job);
}

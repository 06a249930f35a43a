#include "support/distillation.h"

#include "linalg/blas.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

distillation distillation_at(const rk_network *teacher, rk_parameters *student,
                             const rk_input *input, const rk_pairs_spec *pairs, bool fit) {
    distillation d = {.loss = 0};
    rk_work dry, wet;
    rk_blas_make_serial();
    rk_work_init_dry(&dry);
    for (int run = 0; run < 2; run++) {
        rk_work *work = run ? &wet : &dry;
        rk_expected_loss loss;
        if (run) assert_int_equal(rk_work_init_wet(&wet, &dry, NULL, NULL), RK_OK);
        assert_int_equal(rk_expected_loss_create(&loss, work, teacher, student, input, pairs, NULL),
                         RK_OK);
        for (int again = 0; again < 2; again++) { /* a second value is as good as the first */
            const uint64_t before = work->flops;
            d.loss = rk_expected_loss_value(&loss, fit);
            rk_expected_loss_gradient(&loss, !fit);
            d.flops = work->flops - before;
        }
        d.square = loss.square;
        rk_expected_loss_free(&loss);
    }
    assert_true(dry.flops == wet.flops);
    rk_work_finish(&wet);
    free(dry.steps);
    return d;
}

#include "train/distilled.h"

#include <math.h>
#include <stdlib.h>

rk_status rk_distilled_create(rk_distilled **out, rk_error *error) {
    const double unknown = (double)NAN;
    rk_distilled *d = *out = calloc(1, sizeof *d);
    if (!d) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the answer");
    d->data = (rk_distill_data){.teacher_square = unknown,
                                .closure_loss = unknown,
                                .loss = unknown,
                                .loss_standard_error = unknown,
                                .true_teacher_square = unknown,
                                .warnings = d->warnings.list};
    return RK_OK;
}

const rk_distill_data *rk_distilled_view(const rk_distilled *distilled) {
    return &distilled->data;
}

rk_network *rk_distilled_take(rk_distilled *distilled) {
    rk_network *student = distilled->student;
    distilled->student = NULL;
    distilled->data.student = NULL;
    return student;
}

void rk_distilled_destroy(rk_distilled *distilled) {
    if (!distilled) return;
    rk_network_destroy(distilled->student);
    free(distilled->curve);
    free(distilled);
}

const char *rk_train_phase_name(rk_train_phase phase) {
    static const char *const names[] = {"start", "closure", "samples", "receipt"};
    return (size_t)phase < sizeof names / sizeof *names ? names[phase] : NULL;
}

/* What came of a distillation: the result that users see. */
#ifndef RK_TRAIN_DISTILLED_H
#define RK_TRAIN_DISTILLED_H

#include "train/warnings.h"

struct rk_distilled {
    rk_distill_data data;
    rk_network *student;
    rk_train_point *curve;
    rk_warnings warnings;
};

rk_status rk_distilled_create(rk_distilled **out, rk_error *error);

#endif

/* What came of a distillation: the result that users see. */
#ifndef RK_TRAIN_DISTILLED_H
#define RK_TRAIN_DISTILLED_H

#include "base/status.h"

enum { RK_DISTILLED_WARNINGS = 8 };

struct rk_distilled {
    rk_distill_data data;
    rk_network *student;
    rk_train_point *curve;
    char warning_text[RK_DISTILLED_WARNINGS][200];
    const char *warnings[RK_DISTILLED_WARNINGS];
};

rk_status rk_distilled_create(rk_distilled **out, rk_error *error);
void rk_distilled_warn(rk_distilled *distilled, const char *format, ...) RK_PRINTF(2, 3);

#endif

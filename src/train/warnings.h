/* What users are to be told about a result. */
#ifndef RK_TRAIN_WARNINGS_H
#define RK_TRAIN_WARNINGS_H

#include "base/status.h"

enum { RK_MAX_WARNINGS = 8, RK_WARNING_TEXT = 240 };

typedef struct rk_warnings {
    size_t n;
    char text[RK_MAX_WARNINGS][RK_WARNING_TEXT];
    const char *list[RK_MAX_WARNINGS]; /**< the texts: it does not move from its place */
} rk_warnings;

void rk_warnings_add(rk_warnings *warnings, const char *format, ...) RK_PRINTF(2, 3);

#endif

/* Reporting failure: fill the caller's rk_error and return its status in one expression. */
#ifndef RK_BASE_STATUS_H
#define RK_BASE_STATUS_H

#include "reckon/reckon.h"

#if defined(__GNUC__)
#define RK_PRINTF(string, first) __attribute__((format(printf, string, first)))
#else
#define RK_PRINTF(string, first)
#endif

/** Writes the message (if `error` is not NULL) and returns `status`. */
rk_status rk_fail(rk_error *error, rk_status status, const char *format, ...) RK_PRINTF(3, 4);

/** The same for a parser: also records the byte offset, and appends it to the message. */
rk_status rk_fail_at(rk_error *error, rk_status status, int64_t offset, const char *format, ...)
    RK_PRINTF(4, 5);

#endif

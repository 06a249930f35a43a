#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *rk_version(void) {
    return RK_VERSION;
}

const char *rk_status_text(rk_status status) {
    static const char *const text[] = {
#define RK_STATUS_TEXT(code, string) [code] = string,
        RK_STATUS_LIST(RK_STATUS_TEXT)
#undef RK_STATUS_TEXT
    };
    size_t i = (size_t)status;
    return i < sizeof text / sizeof *text ? text[i] : "unknown status";
}

static void describe(rk_error *error, rk_status status, int64_t offset, const char *format,
                     va_list arguments) {
    if (!error) return;
    error->status = status;
    error->offset = offset;
    vsnprintf(error->message, sizeof error->message, format, arguments);
    if (offset < 0) return;
    size_t used = strlen(error->message);
    snprintf(error->message + used, sizeof error->message - used, " (at byte %lld)",
             (long long)offset);
}

rk_status rk_fail(rk_error *error, rk_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    describe(error, status, -1, format, arguments);
    va_end(arguments);
    return status;
}

rk_status rk_fail_at(rk_error *error, rk_status status, int64_t offset, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    describe(error, status, offset, format, arguments);
    va_end(arguments);
    return status;
}

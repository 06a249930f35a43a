#include "support/method.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { KEPT = 64 };

const rk_method_spec *method_of(const char *text) {
    static rk_method_spec kept[KEPT];
    static size_t n;
    rk_method_spec *spec = &kept[n++ % KEPT];
    rk_error error;
    if (rk_method_parse(text, spec, &error) != RK_OK) fail_msg("%s", error.message);
    return spec;
}

const rk_tail_spec *tail_method_of(const char *text) {
    static rk_tail_spec kept[KEPT];
    static size_t n;
    rk_tail_spec *spec = &kept[n++ % KEPT];
    rk_error error;
    if (rk_tail_method_parse(text, spec, &error) != RK_OK) fail_msg("%s", error.message);
    return spec;
}

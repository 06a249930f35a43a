#include "train/warnings.h"

#include <stdarg.h>
#include <stdio.h>

void rk_warnings_add(rk_warnings *w, const char *format, ...) {
    if (w->n == RK_MAX_WARNINGS) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(w->text[w->n], sizeof w->text[w->n], format, arguments);
    va_end(arguments);
    w->list[w->n] = w->text[w->n];
    w->n++;
}

#include "message.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool quiet;

void message_be_quiet(void) {
    quiet = true;
}

bool message_is_quiet(void) {
    return quiet;
}

int fail_reading(const char *path, const rk_error *error) {
    if (error->status == RK_ERROR_MEMORY || error->status == RK_ERROR_ARGUMENT)
        return fail_status(error);
    if (error->status == RK_ERROR_IO) /* which names it */
        return fail(EXIT_MODEL, "%s", error->message);
    return fail(EXIT_MODEL, "%s: %s", path, error->message);
}

bool color_wanted(FILE *stream) {
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return isatty(fileno(stream)) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

static void say(const char *kind, const char *color, const char *format, va_list arguments) {
    fflush(stdout); /* keep the order a terminal would show */
    fputs("reckon: ", stderr);
    if (kind && color_wanted(stderr))
        fprintf(stderr, "\033[%sm%s\033[0m: ", color, kind);
    else if (kind)
        fprintf(stderr, "%s: ", kind);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

void note(const char *format, ...) {
    if (quiet) return;
    va_list arguments;
    va_start(arguments, format);
    say(NULL, "", format, arguments);
    va_end(arguments);
}

void warn(const char *format, ...) {
    if (quiet) return;
    va_list arguments;
    va_start(arguments, format);
    say("warning", "33", format, arguments);
    va_end(arguments);
}

int fail(int code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say("error", "31", format, arguments);
    va_end(arguments);
    return code;
}

int fail_status(const rk_error *error) {
    int code = EXIT_FAILED;
    switch (error->status) {
    case RK_ERROR_ARGUMENT:
        code = EXIT_USAGE;
        break;
    case RK_ERROR_FORMAT:
        code = EXIT_MODEL;
        break;
    case RK_ERROR_OUT_OF_REACH:
        code = EXIT_UNMET;
        break;
    case RK_ERROR_INTERRUPTED:
        code = EXIT_INTERRUPTED;
        break;
    default:
        break;
    }
    return fail(code, "%s", error->message);
}

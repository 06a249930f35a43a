/* What a person reads on stderr, and the exit codes. */
#ifndef CLI_MESSAGE_H
#define CLI_MESSAGE_H

#include <stdio.h>

#include "reckon/reckon.h"

enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_MODEL = 3, /* a file that was read is invalid or unsupported */
    EXIT_UNMET = 4, /* the result was printed, but: tolerance or budget not met, refuted, not
                     * finite; or there is none, since a tolerance is out of reach */
    EXIT_INTERRUPTED = 130
};

#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

/** From now on note() and warn() are silent. */
void message_be_quiet(void);
bool message_is_quiet(void);

void note(const char *format, ...) PRINTF_LIKE(1, 2);
void warn(const char *format, ...) PRINTF_LIKE(1, 2);

/** Prints "reckon: error: ..." and returns `code`, so that a command can `return fail(...)`. */
int fail(int code, const char *format, ...) PRINTF_LIKE(2, 3);

/** fail() with the exit code that belongs to the library's status. */
int fail_status(const rk_error *error);

/** The same for a file that was read: everything wrong with it is its fault, except our memory and
 *  what we ask of it. */
int fail_reading(const char *path, const rk_error *error);

/** True if colour suits `stream`: a terminal that is not dumb, and NO_COLOR is unset or empty. */
bool color_wanted(FILE *stream);

#endif

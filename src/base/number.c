#include "base/number.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* strtod and printf expect and write the point of the locale. Its text is found out by printing:
 * unlike localeconv, that is safe while other threads run. */
typedef struct point {
    char text[16]; /* most often "." or "," */
} point;

static point local_point(void) {
    point p;
    char sample[sizeof p.text + 2];
    snprintf(sample, sizeof sample, "%.1f", 0.5);
    size_t length = strlen(sample) - 2;
    memcpy(p.text, sample + 1, length);
    p.text[length] = '\0';
    return p;
}

static size_t count_digits(const char *text) {
    return strspn(text, "0123456789");
}

static bool is_sign(char c) {
    return c == '+' || c == '-';
}

/* Where the exponent ends; `text` if there is none. */
static const char *skip_exponent(const char *text) {
    if (*text != 'e' && *text != 'E') return text;
    const char *digits = text + 1 + is_sign(text[1]);
    size_t n = count_digits(digits);
    return n ? digits + n : text;
}

const char *rk_number_read(const char *text, double *x) {
    const char *whole = text + is_sign(*text);
    size_t n_whole = count_digits(whole), n_rest = 0;
    const char *end = whole + n_whole, *rest = end;
    bool pointed = *end == '.';
    if (pointed) {
        rest = end + 1;
        n_rest = count_digits(rest);
        end = rest + n_rest;
    }
    if (n_whole + n_rest == 0) return NULL;
    end = skip_exponent(end);

    enum { MAX = 100 };
    char local[MAX + sizeof(point)];
    if (end - text > MAX) return NULL;
    snprintf(local, sizeof local, "%.*s%s%.*s", (int)(whole + n_whole - text), text,
             pointed ? local_point().text : "", (int)(end - rest), rest);
    *x = strtod(local, NULL);
    return isfinite(*x) ? end : NULL;
}

const char *rk_number_write(double x, int digits, rk_number_text *out) {
    point p = local_point();
    snprintf(out->text, sizeof out->text, "%.*g", digits, x);
    char *found = strstr(out->text, p.text);
    if (found) {
        const char *rest = found + strlen(p.text);
        *found = '.';
        memmove(found + 1, rest, strlen(rest) + 1);
    }
    return out->text;
}

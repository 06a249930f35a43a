#include "estimate/methods.h"

#include <stdio.h>
#include <string.h>

/* Its plan is that of the method it chooses. */
static const rk_method method_auto = {
    .info = {"auto", "the cheapest that meets the tolerance, or the best within the budget", ""},
};

static const rk_method *const table[] = {
    &rk_method_mean,   &rk_method_covariance, &rk_method_gain,   &rk_method_third,
    &rk_method_fourth, &rk_method_reference,  &rk_method_sample, &method_auto,
};
enum { N_METHODS = sizeof table / sizeof *table };

const rk_method_info *rk_method_at(size_t index) {
    return index < N_METHODS ? &table[index]->info : NULL;
}

static void append(char *text, size_t size, const char *more) {
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s", more);
}

void rk_method_spell(const rk_method *method, const rk_method_arguments *arguments, char *canonical,
                     size_t size) {
    snprintf(canonical, size, "%s", method->info.name);
    const char *separator = ":";
    for (const rk_word *w = method->words; w && w->text; w++) {
        if (*(const int *)((const unsigned char *)arguments + w->field) != w->value) continue;
        append(canonical, size, separator);
        append(canonical, size, w->text);
        separator = ",";
    }
}

static bool is(const char *name, const char *text, size_t length) {
    return strlen(name) == length && strncmp(name, text, length) == 0;
}

static rk_status find_method(const char *text, size_t length, const rk_method **method,
                             rk_error *error) {
    for (size_t i = 0; i < N_METHODS; i++)
        if (is(table[i]->info.name, text, length)) {
            *method = table[i];
            return RK_OK;
        }
    char known[300] = "";
    for (size_t i = 0; i < N_METHODS; i++) {
        append(known, sizeof known, i ? ", " : "");
        append(known, sizeof known, table[i]->info.name);
    }
    return rk_fail(error, RK_ERROR_ARGUMENT, "unknown method '%.*s'; there are %s",
                   (int)(length < 100 ? length : 100), text, known);
}

/* `said`: a bit for each field that was. */
static rk_status set_argument(const rk_method *method, const char *text, size_t length,
                              rk_method_arguments *arguments, uint32_t *said, rk_error *error) {
    for (const rk_word *w = method->words; w && w->text; w++) {
        if (!is(w->text, text, length)) continue;
        const uint32_t bit = (uint32_t)1 << w->field / sizeof(int);
        if (*said & bit)
            return rk_fail(error, RK_ERROR_ARGUMENT,
                           "method '%s' takes only one of '%s' and its alternatives",
                           method->info.name, w->text);
        *said |= bit;
        *(int *)((unsigned char *)arguments + w->field) = w->value;
        return RK_OK;
    }
    return rk_fail(error, RK_ERROR_ARGUMENT, "method '%s' does not know '%.*s'; it takes %s",
                   method->info.name, (int)(length < 100 ? length : 100), text,
                   *method->info.arguments ? method->info.arguments : "no arguments");
}

rk_status rk_method_parse(const char *text, const rk_method **method,
                          rk_method_arguments *arguments, char *canonical, size_t size,
                          rk_error *error) {
    *arguments = (rk_method_arguments){0};
    if (!text) text = "auto";
    size_t length = strcspn(text, ":");
    uint32_t said = 0;
    rk_status status = find_method(text, length, method, error);
    for (const char *rest = text + length; status == RK_OK && *rest; rest += length) {
        rest++; /* past ':' or ',' */
        length = strcspn(rest, ",");
        status = set_argument(*method, rest, length, arguments, &said, error);
    }
    if (status == RK_OK) rk_method_spell(*method, arguments, canonical, size);
    return status;
}

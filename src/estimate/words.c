#include "estimate/words.h"

#include "base/size.h"
#include "estimate/methods.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------- fields */

/* Fields are ints, enumerations or bools. */
static int get(const rk_method_spec *spec, const rk_word *word) {
    const unsigned char *field = (const unsigned char *)spec + word->offset;
    int value;
    if (word->size != sizeof value) return *field;
    memcpy(&value, field, sizeof value);
    return value;
}

static void set(rk_method_spec *spec, const rk_word *word, int value) {
    unsigned char *field = (unsigned char *)spec + word->offset;
    if (word->size == sizeof value)
        memcpy(field, &value, sizeof value);
    else
        *field = value != 0;
}

static bool is_number(const rk_word *word) {
    return word->least < word->most;
}

/* The word that says what the spec has in the field of this one, or NULL. */
static const rk_word *word_of(const rk_method *method, const rk_method_spec *spec, size_t offset) {
    for (const rk_word *w = method->words; w && w->text; w++) {
        if (w->offset != offset) continue;
        const int value = get(spec, w);
        if (value >= w->least && value <= w->most) return w;
    }
    return NULL;
}

/* --------------------------------------------------------------------------------------- text */

static void append(char *text, size_t size, const char *more) {
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s", more);
}

static void say(const rk_word *word, int value, char *text, size_t size) {
    if (is_number(word))
        snprintf(text, size, "%s%d", word->text, value);
    else
        snprintf(text, size, "%s", word->text);
}

static bool is(const char *name, const char *text, size_t length) {
    return strlen(name) == length && strncmp(name, text, length) == 0;
}

static int shown(size_t length) {
    return (int)(length < 100 ? length : 100);
}

void rk_method_spell(const rk_method_spec *asked, char *text, size_t size) {
    rk_method_spec spec = {.kind = RK_AUTO};
    if (size == 0) return;
    *text = 0;
    if (asked && !rk_read_sized(&spec, sizeof spec, sizeof spec, asked)) return;
    const rk_method_info *info = rk_method_at(spec.kind);
    if (!info) return;
    append(text, size, info->name);
    const char *separator = ":";
    for (const rk_word *w = rk_method_of(&spec)->words; w && w->text; w++) {
        const int value = get(&spec, w);
        if (value == 0 || value < w->least || value > w->most) continue;
        char word[64];
        say(w, value, word, sizeof word);
        append(text, size, separator);
        append(text, size, word);
        separator = ",";
    }
}

rk_status rk_method_find(const rk_method_info *(*at)(size_t index), const char *text, size_t length,
                         const char *there, size_t *index, rk_error *error) {
    char known[300] = "";
    for (size_t i = 0; at(i); i++) {
        if (is(at(i)->name, text, length)) {
            *index = i;
            return RK_OK;
        }
        append(known, sizeof known, i ? ", " : "");
        append(known, sizeof known, at(i)->name);
    }
    return rk_fail(error, RK_ERROR_ARGUMENT, "unknown method '%.*s'; %s are %s", shown(length),
                   text, there, known);
}

/* ------------------------------------------------------------------------------------ reading */

typedef struct reader {
    const rk_method *method;
    rk_method_spec spec;
    const rk_word *said[32]; /* words that were */
    size_t n_said;
} reader;

static rk_status store(reader *r, const rk_word *word, int value, rk_error *error) {
    for (size_t i = 0; i < r->n_said; i++)
        if (r->said[i]->offset == word->offset)
            return rk_fail(error, RK_ERROR_ARGUMENT,
                           "method '%s' takes only one of '%s' and its alternatives",
                           r->method->info.name, word->text);
    r->said[r->n_said++] = word; /* fits: there are fewer fields */
    set(&r->spec, word, value);
    return RK_OK;
}

/* "rank=24" from the 24 on. */
static rk_status read_number(reader *r, const rk_word *word, const char *text, size_t length,
                             rk_error *error) {
    char digits[16], *end = digits;
    long value = 0;
    const size_t used = strlen(word->text);
    if (length - used < sizeof digits) {
        snprintf(digits, sizeof digits, "%.*s", (int)(length - used), text + used);
        const bool begins_well = *digits >= '0' && *digits <= '9';
        value = begins_well ? strtol(digits, &end, 10) : 0;
    }
    if (end == digits || *end || value < word->least || value > word->most) {
        char most[24] = "on";
        if (word->most < INT_MAX) snprintf(most, sizeof most, "to %d", word->most);
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "method '%s': %.*s: expected a whole number from %d %s; it takes %s",
                       r->method->info.name, shown(length), text, word->least, most,
                       r->method->info.arguments);
    }
    return store(r, word, (int)value, error);
}

static rk_status read_words(reader *r, const char *text, rk_error *error);

static rk_status read_word(reader *r, const char *text, size_t length, rk_error *error) {
    const rk_method *method = r->method;
    for (const rk_word *w = method->words; w && w->text; w++)
        if (!is_number(w) && is(w->text, text, length)) return store(r, w, w->least, error);
    for (const rk_word *w = method->words; w && w->text; w++)
        if (is_number(w) && length >= strlen(w->text) && !strncmp(w->text, text, strlen(w->text)))
            return read_number(r, w, text, length, error);
    for (const rk_old_word *old = method->old_words; old && old->text; old++)
        if (is(old->text, text, length)) return read_words(r, old->words, error);
    return rk_fail(error, RK_ERROR_ARGUMENT, "method '%s' does not know '%.*s'; it takes %s",
                   method->info.name, shown(length), text,
                   *method->info.arguments ? method->info.arguments : "no arguments");
}

static rk_status read_words(reader *r, const char *text, rk_error *error) {
    rk_status status = RK_OK;
    for (size_t length; status == RK_OK && text; text += length + 1) {
        length = strcspn(text, ",");
        status = read_word(r, text, length, error);
        if (!text[length]) break;
    }
    return status;
}

rk_status rk_method_parse(const char *text, rk_method_spec *out, rk_error *error) {
    if (!text) text = "auto";
    reader r = {.n_said = 0};
    size_t length = strcspn(text, ":"), kind;
    rk_status status = rk_method_find(rk_method_at, text, length, "there", &kind, error);
    if (status != RK_OK) return status;
    r.spec.kind = (rk_method_kind)kind;
    r.method = rk_method_of(&r.spec);
    if (text[length]) status = read_words(&r, text + length + 1, error);
    if (status == RK_OK && !rk_write_sized(out, &r.spec, sizeof r.spec, sizeof r.spec))
        return rk_fail(error, RK_ERROR_ARGUMENT, "rk_method_spec.size is %zu: expected %zu or 0",
                       out->size, sizeof r.spec);
    return status;
}

/* ---------------------------------------------------------------------------------- accepting */

/* Refuses values that no word has, and fields that are another method's. */
static rk_status check_field(const rk_method *method, const rk_method *other,
                             const rk_method_spec *spec, const rk_word *word, rk_error *error) {
    const int value = get(spec, word);
    if (value == 0 || word_of(method, spec, word->offset)) return RK_OK;
    const char *takes = *method->info.arguments ? method->info.arguments : "no arguments";
    const rk_word *said = word_of(other, spec, word->offset);
    if (!said)
        return rk_fail(error, RK_ERROR_ARGUMENT, "method '%s': %d is no '%.*s'; it takes %s",
                       method->info.name, value, (int)strcspn(word->text, "="), word->text, takes);
    char text[64];
    say(said, value, text, sizeof text);
    return rk_fail(error, RK_ERROR_ARGUMENT, "method '%s' does not know '%s'; it takes %s",
                   method->info.name, text, takes);
}

static rk_status check_fields(const rk_method_spec *spec, rk_error *error) {
    const rk_method *method = rk_method_of(spec);
    rk_status status = RK_OK;
    for (size_t k = 0; k < RK_METHOD_COUNT; k++) {
        const rk_method *other = rk_method_of(&(rk_method_spec){.kind = (rk_method_kind)k});
        for (const rk_word *w = other->words; status == RK_OK && w && w->text; w++)
            status = check_field(method, other, spec, w, error);
    }
    return status;
}

rk_status rk_method_accept(rk_method_spec *own, const rk_method_spec *asked, rk_error *error) {
    static const rk_method_spec standard = {.kind = RK_AUTO};
    if (!asked) asked = &standard;
    if (!rk_read_sized(own, sizeof *own, sizeof *own, asked))
        return rk_fail(error, RK_ERROR_ARGUMENT, RK_SIZE_IS_NONE, "rk_method_spec", asked->size,
                       sizeof *own);
    if ((unsigned)own->kind >= RK_METHOD_COUNT)
        return rk_fail(error, RK_ERROR_ARGUMENT, "method number %d: there are %d", (int)own->kind,
                       RK_METHOD_COUNT);
    return check_fields(own, error);
}

rk_status rk_options_accept(rk_options *own, const rk_options *asked, rk_error *error) {
    const rk_options standard = rk_options_default();
    if (!asked) asked = &standard;
    if (rk_read_sized(own, sizeof *own, sizeof *own, asked)) return RK_OK;
    return rk_fail(error, RK_ERROR_ARGUMENT, RK_SIZE_IS_NONE, "rk_options", asked->size,
                   sizeof *own);
}

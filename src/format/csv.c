#include "format/csv.h"

#include "base/number.h"
#include "base/size.h"

#include <stdlib.h>
#include <string.h>

bool rk_csv_recognise(const unsigned char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (bytes[i] < ' ' && !strchr("\t\r\n\f", bytes[i])) return false;
    return size > 0;
}

/* A table that grows row by row. */
typedef struct table {
    double *data;
    size_t rows, columns, capacity;
} table;

static bool push(table *t, size_t used, double x) {
    if (used == t->capacity) {
        size_t capacity = t->capacity ? 2 * t->capacity : 1024, bytes;
        if (!rk_size_mul(capacity, sizeof *t->data, &bytes)) return false;
        double *data = realloc(t->data, bytes);
        if (!data) return false;
        t->data = data;
        t->capacity = capacity;
    }
    t->data[used] = x;
    return true;
}

static const char *skip_blanks(const char *at) {
    while (*at == ' ' || *at == '\t' || *at == '\r')
        at++;
    return at;
}

/* Behind one separator: blanks, or a comma or semicolon among them; NULL if there is none. */
static const char *skip_separator(const char *at) {
    const char *next = skip_blanks(at);
    if (*next == ',' || *next == ';') return skip_blanks(next + 1);
    return next > at ? next : NULL;
}

static bool has_number(const char *line) {
    double x;
    for (const char *at = skip_blanks(line); *at; at++) {
        const bool begins = at == line || strchr(" \t,;", at[-1]);
        if (begins && rk_number_read(at, &x)) return true;
    }
    return false;
}

static rk_status refuse_cell(const char *at, size_t line, size_t column, rk_error *error) {
    const size_t length = strcspn(at, ",; \t\r");
    return rk_fail(error, RK_ERROR_FORMAT, "line %zu, column %zu: %s%.*s%s", line, column + 1,
                   length ? "'" : "nothing there", (int)(length < 40 ? length : 40), at,
                   length ? "' is no finite number" : "");
}

static rk_status read_row(table *t, const char *at, size_t line, rk_error *error) {
    size_t column = 0;
    at = skip_blanks(at);
    for (;;) {
        double x;
        const char *end = rk_number_read(at, &x);
        const bool ends = end && (!*end || strchr(",; \t\r", *end));
        if (!ends) return refuse_cell(at, line, column, error);
        if (!push(t, t->rows * t->columns + column, x))
            return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu rows", t->rows + 1);
        column++;
        if (!*skip_blanks(end)) break;
        at = skip_separator(end);
    }
    if (t->rows == 0) t->columns = column;
    if (column != t->columns)
        return rk_fail(error, RK_ERROR_FORMAT,
                       "line %zu has %s columns than the first, which has "
                       "%zu",
                       line, column < t->columns ? "fewer" : "more", t->columns);
    t->rows++;
    return RK_OK;
}

static rk_status read_lines(table *t, char *text, rk_error *error) {
    rk_status status = RK_OK;
    bool is_first = true;
    size_t number = 1;
    for (char *line = text; status == RK_OK && line; number++) {
        char *end = strchr(line, '\n');
        if (end) *end = 0;
        const char *begin = skip_blanks(line);
        if (*begin && *begin != '#') {
            if (!is_first || has_number(line)) status = read_row(t, line, number, error);
            is_first = false;
        }
        line = end ? end + 1 : NULL;
    }
    if (status == RK_OK && t->rows == 0)
        status = rk_fail(error, RK_ERROR_FORMAT, "there are no numbers in it");
    return status;
}

rk_status rk_csv_read(rk_array *out, const rk_file *file, rk_error *error) {
    static const char mark[] = "\xef\xbb\xbf"; /* of UTF-8, as spreadsheets write it */
    table t = {NULL, 0, 0, 0};
    char *text = malloc(file->size + 1);
    if (!text) return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu bytes", file->size);
    rk_status status = rk_file_read(file, 0, text, file->size, error);
    text[file->size] = 0;
    if (status == RK_OK && strlen(text) < file->size)
        status = rk_fail(error, RK_ERROR_FORMAT, "a byte of 0 in a text");
    if (status == RK_OK) status = read_lines(&t, text + (strncmp(text, mark, 3) ? 0 : 3), error);
    free(text);
    if (status == RK_OK)
        *out = (rk_array){.n_dims = 2, .shape = {t.rows, t.columns}, .data = t.data};
    else
        free(t.data);
    return status;
}

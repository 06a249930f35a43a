#include "report.h"

#include <langinfo.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"

const char *plus_minus(void) {
    return strcmp(nl_langinfo(CODESET), "UTF-8") ? "+-" : "\u00b1";
}

/* 1.34e+08 -> 1.34e8 */
static void tidy_exponent(char *text) {
    char *e = strchr(text, 'e');
    if (!e) return;
    char *to = e + 1, *from = e + 1;
    if (*from == '-') *to++ = *from;
    from++;
    while (*from == '0' && from[1])
        from++;
    memmove(to, from, strlen(from) + 1);
}

const char *compact(double x, char cell[CELL]) {
    if (isnan(x)) return strcpy(cell, "-");
    bool plain = x == 0 || (fabs(x) >= 1e-3 && fabs(x) < 1e5);
    snprintf(cell, CELL, plain ? (fabs(x) >= 1000 ? "%.0f" : "%.3g") : "%.2e", x);
    tidy_exponent(cell);
    return cell;
}

const char *power_of_ten(double log10_p, char cell[CELL]) {
    if (isnan(log10_p)) return strcpy(cell, "-");
    if (log10_p == -INFINITY) return strcpy(cell, "0");
    const double rest = -expm1(log10_p * log(10)); /* 0.99996, not 1 */
    if (rest > 0 && rest < 1e-3) {
        snprintf(cell, CELL, "%.*f", (int)fmin(15, 1 - floor(log10(rest))), 1 - rest);
        return cell;
    }
    if (log10_p > -4) {
        snprintf(cell, CELL, "%.4g", pow(10, log10_p));
        return cell;
    }
    double exponent = floor(log10_p);
    snprintf(cell, CELL, "%.2fe%.0f", pow(10, log10_p - exponent), exponent);
    return cell;
}

const char *duration(double seconds, char cell[CELL]) {
    if (seconds < 1e-3)
        snprintf(cell, CELL, "%.3g us", seconds * 1e6);
    else if (seconds < 1)
        snprintf(cell, CELL, "%.3g ms", seconds * 1e3);
    else if (seconds < 100)
        snprintf(cell, CELL, "%.3g s", seconds);
    else
        snprintf(cell, CELL, "%.0f min %.0f s", floor(seconds / 60), fmod(seconds, 60));
    return cell;
}

const char *byte_size(double bytes, char cell[CELL]) {
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    size_t unit = 0;
    while (bytes >= 999.5 && unit < 6) {
        bytes /= 1000;
        unit++;
    }
    snprintf(cell, CELL, "%.3g %s", bytes, units[unit]);
    return cell;
}

const char *error_two_digits(double error, char cell[CELL]) {
    if (!isfinite(error)) return strcpy(cell, "unknown");
    if (error == 0) return strcpy(cell, "0");
    if (error >= 1e-4 && error < 1e4)
        snprintf(cell, CELL, "%.*f", (int)fmax(0, 1 - floor(log10(error))), error);
    else
        snprintf(cell, CELL, "%.1e", error);
    tidy_exponent(cell);
    return cell;
}

const char *value_to_error(double x, double error, char cell[CELL]) {
    int decimals = error > 0 && isfinite(error) ? (int)fmax(0, 1 - floor(log10(error))) : 10;
    if (fabs(x) < 1e9 && decimals <= 15)
        snprintf(cell, CELL, "%.*f", decimals, x);
    else
        snprintf(cell, CELL, "%.10g", x);
    return cell;
}

void heading(FILE *stream, const char *format, ...) {
    bool bold = color_wanted(stream);
    va_list arguments;
    va_start(arguments, format);
    fputs(bold ? "\033[1m" : "", stream);
    vfprintf(stream, format, arguments);
    fputs(bold ? "\033[0m\n" : "\n", stream);
    va_end(arguments);
}

void print_cost(FILE *stream, const rk_cost *cost) {
    char cell[CELL];
    fprintf(stream, "cost     %s FLOPs", compact((double)cost->flops_executed, cell));
    if (!isnan(cost->flops_convention))
        fprintf(stream, " executed, %s by the paper's convention",
                compact(cost->flops_convention, cell));
    fprintf(stream, "\nmemory   %s\n", byte_size((double)cost->bytes, cell));
}

int columns(const char *text) {
    int n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

table table_create(size_t n_columns, unsigned left) {
    return (table){.n_columns = n_columns, .left = left};
}

void table_add(table *t, const char *text) {
    if (t->n_cells == t->capacity) {
        size_t capacity = 2 * t->capacity + 64;
        char **cells = realloc(t->cells, capacity * sizeof *cells);
        if (!cells) exit(fail(EXIT_FAILED, "out of memory"));
        t->cells = cells;
        t->capacity = capacity;
    }
    t->cells[t->n_cells] = strdup(text);
    if (!t->cells[t->n_cells++]) exit(fail(EXIT_FAILED, "out of memory"));
}

void table_print(table *t, FILE *stream) {
    enum { MAX_COLUMNS = 16 };
    int width[MAX_COLUMNS] = {0};
    for (size_t i = 0; i < t->n_cells; i++)
        if (columns(t->cells[i]) > width[i % t->n_columns])
            width[i % t->n_columns] = columns(t->cells[i]);
    bool bold = color_wanted(stream);
    int blanks = 0; /* owed before the next text, so that no line ends in them */
    for (size_t i = 0; i < t->n_cells; i++) {
        size_t column = i % t->n_columns;
        bool left = t->left >> column & 1, last = column + 1 == t->n_columns;
        int padding = width[column] - columns(t->cells[i]);
        blanks += 2 + (left ? 0 : padding);
        if (i == 0 && bold) fputs("\033[1m", stream);
        if (*t->cells[i]) {
            fprintf(stream, "%*s%s", blanks, "", t->cells[i]);
            blanks = 0;
        }
        blanks = last ? 0 : blanks + (left ? padding : 0);
        if (last) fputs(i < t->n_columns && bold ? "\033[0m\n" : "\n", stream);
    }
    for (size_t i = 0; i < t->n_cells; i++)
        free(t->cells[i]);
    free(t->cells);
}

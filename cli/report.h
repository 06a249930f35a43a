/* Numbers and tables for people. Every formatter returns its buffer. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "reckon/reckon.h"

enum { CELL = 64 };

/** "±" or, where the locale has no such character, "+-". */
const char *plus_minus(void);

/** 1.34e8, 412: three significant digits, no padding in the exponent; "-" if NaN. */
const char *compact(double x, char cell[CELL]);
/** 10^log10_p to three digits, where no double reaches, too: "1.20e-400", "0.99996". */
const char *power_of_ten(double log10_p, char cell[CELL]);
/** "13 ms", "1.24 s", "2 min 5 s". */
const char *duration(double seconds, char cell[CELL]);
/** "3.1 MB". */
const char *byte_size(double bytes, char cell[CELL]);
/** `x` with as many decimals as its error deserves: two digits of the error. */
const char *value_to_error(double x, double error, char cell[CELL]);
const char *error_two_digits(double error, char cell[CELL]);

/** A heading, in bold where that shows. */
void heading(FILE *stream, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** The lines "cost ..." and "memory ...". */
void print_cost(FILE *stream, const rk_cost *cost);

/** Columns a string takes on the terminal: bytes that do not continue a UTF-8 character. */
int columns(const char *text);

/** A table whose columns are as wide as their cells. */
typedef struct table {
    size_t n_columns, n_cells, capacity;
    char **cells;
    unsigned left; /* bit c: column c is flush left */
} table;
table table_create(size_t n_columns, unsigned left);
/** Copies the next cell, row by row. */
void table_add(table *t, const char *text);
/** Prints with two blanks between columns, the first row as a heading, and frees the table. */
void table_print(table *t, FILE *stream);

#endif

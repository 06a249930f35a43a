/* Figures: a gnuplot script with its data inside, and gnuplot if it is there. */
#ifndef CLI_GNUPLOT_H
#define CLI_GNUPLOT_H

#include <stdbool.h>
#include <stdio.h>

/** Checks the ending (.svg, .png, .pdf) before long work. Returns 0 or an exit code. */
int gnuplot_check_path(const char *path);

/** Writes `path` and, beside it, the script `<path without ending>.gp`, which `print` makes but for
 *  its first lines. Without gnuplot the script alone, saying so. Returns 0 or an exit code. */
int gnuplot_draw(const char *path, void (*print)(const void *context, FILE *stream),
                 const void *context);

/** Where that script goes, to be freed; NULL without memory. */
char *gnuplot_script_path(const char *path);

/** A string as gnuplot quotes it: its scripts can run commands, a single-quoted string cannot. */
void gnuplot_quote(FILE *stream, const char *text);

/** "#rrggbb", colours that most people can tell apart; after some they begin again. */
const char *gnuplot_color(size_t index);

bool gnuplot_found(void);

#endif

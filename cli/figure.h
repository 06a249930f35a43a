/* The comparison as a figure: a gnuplot script with its data inside, and gnuplot if it is there. */
#ifndef CLI_FIGURE_H
#define CLI_FIGURE_H

#include <stdbool.h>
#include <stddef.h>

/** A method at its cost, once for each panel. */
typedef struct figure_point {
    const char *label;
    double cost[2]; /* FLOPs, seconds */
    double mse;     /* or its upper bound */
    double mse_error;
    bool is_bound;
} figure_point;

typedef struct figure {
    const char *title;
    const figure_point *points; /* methods */
    size_t n_points;
    const figure_point *sampling; /* sampling runs */
    size_t n_sampling;
    double variance;     /* of one pass, averaged over the outputs: sampling's MSE is variance/N */
    double pass_cost[2]; /* of one pass */
} figure;

/** Checks the ending (.svg, .png, .pdf) before long work. Returns 0 or an exit code. */
int figure_check_path(const char *path);

/** Writes `path` and, beside it, the script `<path without ending>.gp`. Without gnuplot the script
 *  alone, saying so. Returns 0 or an exit code. */
int figure_write(const figure *f, const char *path);

bool figure_gnuplot_found(void);

#endif

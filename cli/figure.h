/* The comparison as a figure. */
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

/** Draws it to `path`, see gnuplot.h. Returns 0 or an exit code. */
int figure_write(const figure *f, const char *path);

#endif

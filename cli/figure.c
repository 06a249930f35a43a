#include "figure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gnuplot.h"

/* The page in pixels (hundredths of an inch for PDF) and where its two panels lie; labels are
 * placed by these numbers. */
enum { PAGE_WIDTH = 1100, PAGE_HEIGHT = 480 };
static const double panel_left[2] = {0.075, 0.56}, panel_width = 0.425;
static const double panel_bottom = 0.14, panel_height = 0.72;

/* ------------------------------------------------------------------------------ label placement */

/* Both axes are logarithmic; a panel maps decades to pixels. */
typedef struct panel {
    double low[2], high[2]; /* log10 of x and y */
    double size[2];         /* pixels */
    double line;            /* sampling: log10 y = line - log10 x */
} panel;

typedef struct box {
    double x, y, width, height; /* centre and extent in pixels */
} box;

static double to_pixel(const panel *p, int axis, double value) {
    return (log10(value) - p->low[axis]) / (p->high[axis] - p->low[axis]) * p->size[axis];
}

/* Area two boxes share. */
static double overlap(box a, box b) {
    double w =
        fmin(a.x + a.width / 2, b.x + b.width / 2) - fmax(a.x - a.width / 2, b.x - b.width / 2);
    double h =
        fmin(a.y + a.height / 2, b.y + b.height / 2) - fmax(a.y - a.height / 2, b.y - b.height / 2);
    return w > 0 && h > 0 ? w * h : 0;
}

/* True if the sampling line crosses the box. */
static bool on_line(const panel *p, box b) {
    double scale_x = (p->high[0] - p->low[0]) / p->size[0];
    double scale_y = (p->high[1] - p->low[1]) / p->size[1];
    double log_sum_low =
        p->low[0] + (b.x - b.width / 2) * scale_x + p->low[1] + (b.y - b.height / 2) * scale_y;
    double log_sum_high = log_sum_low + b.width * scale_x + b.height * scale_y;
    return log_sum_low < p->line && p->line < log_sum_high;
}

static double outside(const panel *p, box b) {
    box all = {p->size[0] / 2, p->size[1] / 2, p->size[0], p->size[1]};
    return b.width * b.height - overlap(b, all);
}

enum { MARKER = 14, LINE_HEIGHT = 17 };

static const figure_point *any_point(const figure *f, size_t i) {
    return i < f->n_points ? &f->points[i] : &f->sampling[i - f->n_points];
}

static box marker(const panel *p, int axis, const figure_point *point) {
    return (box){to_pixel(p, 0, point->cost[axis]), to_pixel(p, 1, point->mse), MARKER, MARKER};
}

/* Where around point i its label collides least with what is there; labels[0..i) are placed. */
static box place_label(const figure *f, const panel *p, int axis, size_t i, const box *labels) {
    double x = to_pixel(p, 0, f->points[i].cost[axis]), y = to_pixel(p, 1, f->points[i].mse);
    double width = 6.9 * (double)strlen(f->points[i].label) + 2;
    double beside = width / 2 + 10, above = LINE_HEIGHT;
    const double offset[][2] = {
        {beside, 0},      {-beside, 0},     {0, above},        {0, -above},    {beside, above},
        {-beside, above}, {beside, -above}, {-beside, -above}, {0, 2 * above}, {0, -2 * above}};
    box best = {0};
    double best_cost = INFINITY;
    for (size_t c = 0; c < sizeof offset / sizeof *offset; c++) {
        box b = {x + offset[c][0], y + offset[c][1], width, LINE_HEIGHT};
        double cost = 0.1 * (double)c + 3 * outside(p, b) + (on_line(p, b) ? 60 : 0);
        for (size_t j = 0; j < i; j++)
            cost += overlap(b, labels[j]);
        for (size_t j = 0; j < f->n_points + f->n_sampling; j++)
            cost += overlap(b, marker(p, axis, any_point(f, j)));
        if (cost < best_cost) {
            best = b;
            best_cost = cost;
        }
    }
    return best;
}

/* How far along the line, in pixels of x, its own label is furthest from all points. */
static double quiet_stretch(const figure *f, const panel *p, int axis) {
    double best = p->size[0] / 2, best_distance = -1;
    for (int step = 3; step <= 17; step++) {
        double x = p->size[0] * step / 20;
        double log_x = p->low[0] + x / p->size[0] * (p->high[0] - p->low[0]);
        double y = (p->line - log_x - p->low[1]) / (p->high[1] - p->low[1]) * p->size[1];
        if (y < 0.15 * p->size[1] || y > 0.85 * p->size[1]) continue;
        double nearest = INFINITY;
        for (size_t j = 0; j < f->n_points + f->n_sampling; j++) {
            box b = marker(p, axis, any_point(f, j));
            nearest = fmin(nearest, hypot(b.x - x, b.y - y));
        }
        if (nearest > best_distance) {
            best_distance = nearest;
            best = x;
        }
    }
    return best;
}

/* ----------------------------------------------------------------------------------- the script */

static void widen(double range[2], double value) {
    if (value > 0 && isfinite(value)) {
        range[0] = fmin(range[0], log10(value));
        range[1] = fmax(range[1], log10(value));
    }
}

static panel make_panel(const figure *f, int axis) {
    double x[2] = {INFINITY, -INFINITY}, y[2] = {INFINITY, -INFINITY};
    for (size_t i = 0; i < f->n_points + f->n_sampling; i++) {
        widen(x, any_point(f, i)->cost[axis]);
        widen(y, any_point(f, i)->mse);
    }
    if (x[0] > x[1]) x[0] = x[1] = 0;
    if (y[0] > y[1]) y[0] = y[1] = 0;
    double room[2] = {fmax(0.5, 0.1 * (x[1] - x[0])), fmax(0.5, 0.1 * (y[1] - y[0]))};
    return (panel){.low = {x[0] - room[0], y[0] - room[1]},
                   .high = {x[1] + room[0], y[1] + room[1]},
                   .size = {panel_width * PAGE_WIDTH, panel_height * PAGE_HEIGHT},
                   .line = log10(f->variance * f->pass_cost[axis])};
}

/* A text at pixels (x, y) of the panel. */
static void print_label(FILE *stream, const panel *p, const char *text, double x, double y,
                        const char *justify, double angle, const char *color) {
    fputs("set label ", stream);
    gnuplot_quote(stream, text);
    fprintf(stream, " at graph %.4f,%.4f %s rotate by %.1f front noenhanced tc rgb '%s'\n",
            x / p->size[0], y / p->size[1], justify, angle, color);
}

/* Flush with the side that faces the point: widths are guesses. */
static void print_point_label(FILE *stream, const panel *p, const figure_point *point, int axis,
                              box label, const char *color) {
    double to_the_right = label.x - to_pixel(p, 0, point->cost[axis]);
    double half = label.width / 2;
    if (to_the_right > 1)
        print_label(stream, p, point->label, label.x - half, label.y, "left", 0, color);
    else if (to_the_right < -1)
        print_label(stream, p, point->label, label.x + half, label.y, "right", 0, color);
    else
        print_label(stream, p, point->label, label.x, label.y, "center", 0, color);
}

static void print_labels(FILE *stream, const figure *f, const panel *p, int axis) {
    fputs("unset label\nunset arrow\n", stream);
    box *labels = calloc(f->n_points + 1, sizeof *labels);
    for (size_t i = 0; labels && i < f->n_points; i++) {
        const figure_point *point = &f->points[i];
        labels[i] = place_label(f, p, axis, i, labels);
        print_point_label(stream, p, point, axis, labels[i], gnuplot_color(i));
        if (point->is_bound)
            fprintf(stream,
                    "set arrow from %.6g,%.6g to %.6g,graph 0.02 filled size graph 0.015,20 "
                    "lc rgb '%s'\n",
                    point->cost[axis], point->mse, point->cost[axis], gnuplot_color(i));
    }
    free(labels);

    double decade_x = p->size[0] / (p->high[0] - p->low[0]);
    double decade_y = p->size[1] / (p->high[1] - p->low[1]);
    double angle = -atan2(decade_y, decade_x), x = quiet_stretch(f, p, axis);
    double y = (p->line - p->low[0] - x / decade_x - p->low[1]) * decade_y;
    print_label(stream, p, "plain sampling", x - 13 * sin(angle), y + 13 * cos(angle), "center",
                angle * 57.29577951308232, "#666666");
}

static void print_data(FILE *stream, const char *name, const figure_point *points, size_t n) {
    fprintf(stream, "$%s << END\n# FLOPs seconds mse low high color method\n", name);
    for (size_t i = 0; i < n; i++) {
        const figure_point *p = &points[i];
        double low = fmax(p->mse - p->mse_error, p->mse / 100); /* a log axis has no zero */
        double high = p->mse + p->mse_error;
        fprintf(stream, "%.6g %.6g %.6g %.6g %.6g %ld ", p->cost[0], p->cost[1], p->mse,
                p->is_bound ? p->mse : low, p->is_bound ? p->mse : high,
                strtol(gnuplot_color(i) + 1, NULL, 16));
        gnuplot_quote(stream, p->label);
        fputc('\n', stream);
    }
    fputs("END\n", stream);
}

static void print_panel(FILE *stream, const figure *f, int axis) {
    panel p = make_panel(f, axis);
    print_labels(stream, f, &p, axis);
    fprintf(stream,
            "set lmargin at screen %.3f\nset rmargin at screen %.3f\n"
            "set bmargin at screen %.3f\nset tmargin at screen %.3f\n",
            panel_left[axis], panel_left[axis] + panel_width, panel_bottom,
            panel_bottom + panel_height);
    fprintf(stream, "set xrange [%.6g:%.6g]\nset yrange [%.6g:%.6g]\n", pow(10, p.low[0]),
            pow(10, p.high[0]), pow(10, p.low[1]), pow(10, p.high[1]));
    fprintf(stream, "set xlabel '%s'\n",
            axis == 0 ? "floating-point operations" : "seconds on this machine");
    fprintf(stream, "%s", axis == 0 ? "set ylabel 'mean squared error'\n" : "unset ylabel\n");
    fprintf(stream,
            "plot %.6g/x with lines lw 2 lc rgb '#999999', \\\n"
            "     $sampling using %d:3 with points pt 6 ps 0.8 lw 1.5 lc rgb '#999999', \\\n"
            "     $methods using %d:3:4:5:6 with yerrorbars pt 7 ps 0.9 lw 1.5 lc rgb variable\n",
            pow(10, p.line), axis + 1, axis + 1);
}

static void print_script(const void *context, FILE *stream) {
    const figure *f = context;
    print_data(stream, "methods", f->points, f->n_points);
    print_data(stream, "sampling", f->sampling, f->n_sampling);
    fputs("set logscale xy\nset format xy '10^{%T}'\nset samples 400\nunset key\n"
          "set border 3 lc rgb '#444444'\nset tics nomirror scale 0.7,0.35\n"
          "set grid lc rgb '#e4e4e4' lt 1\n"
          "set multiplot title ",
          stream);
    gnuplot_quote(stream, f->title);
    fputs(" noenhanced\n", stream);
    for (int axis = 0; axis < 2; axis++)
        print_panel(stream, f, axis);
    fputs("unset multiplot\n", stream);
}

int figure_write(const figure *f, const char *path) {
    return gnuplot_draw(path, print_script, f);
}

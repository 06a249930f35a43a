#include "curve.h"

#include <math.h>
#include <string.h>

#include "gnuplot.h"

enum { MAX_CURVES = 32 };

typedef struct drawing {
    const char *title;
    const rk_event *events;
    const rk_tail_estimate *estimates;
    size_t n;
    size_t first[MAX_CURVES + 1]; /* event where each curve begins; after the last: the end */
    size_t n_curves;
} drawing;

static bool same_curve(const rk_event *a, const rk_event *b) {
    if (a->layer != b->layer || a->below != b->below || a->n_terms != b->n_terms) return false;
    for (size_t k = 0; k < a->n_terms; k++)
        if (a->terms[k].index != b->terms[k].index ||
            a->terms[k].coefficient != b->terms[k].coefficient)
            return false;
    return true;
}

/* "y[0] > 3" without its threshold. */
static void print_key(FILE *stream, const rk_event *event) {
    char text[200] = "";
    if (event->text) snprintf(text, sizeof text, "%s", event->text);
    char *relation = strpbrk(text, "<>");
    if (relation) strcpy(relation + 1, " t");
    gnuplot_quote(stream, text);
}

static void print_number(FILE *stream, double x) {
    if (isfinite(x))
        fprintf(stream, " %.8g", x);
    else
        fputs(" NaN", stream);
}

static void print_data(FILE *stream, const drawing *d, size_t curve) {
    fprintf(stream, "$curve%zu << END\n# threshold log10_p low high cumulants\n", curve);
    for (size_t i = d->first[curve]; i < d->first[curve + 1]; i++) {
        const rk_tail_estimate *e = &d->estimates[i];
        fprintf(stream, "%.8g", d->events[i].threshold);
        print_number(stream, e->log10_p);
        print_number(stream, e->log10_low);
        print_number(stream, e->log10_high);
        print_number(stream, e->log10_closure);
        fputc('\n', stream);
    }
    fputs("END\n", stream);
}

static void print_script(const void *context, FILE *stream) {
    const drawing *d = context;
    for (size_t c = 0; c < d->n_curves; c++)
        print_data(stream, d, c);
    fputs("set datafile missing 'NaN'\nset border 3 lc rgb '#444444'\nset tics nomirror\n"
          "set grid lc rgb '#e4e4e4' lt 1\nset key noenhanced bottom left Left reverse\n"
          "set xlabel 'threshold t'\nset ylabel 'log_{10} of the probability'\nset title ",
          stream);
    gnuplot_quote(stream, d->title);
    fputs(" noenhanced\nplot", stream);
    for (size_t c = 0; c < d->n_curves; c++) {
        const char *color = gnuplot_color(c);
        fprintf(stream,
                "%s \\\n  $curve%zu using 1:3:4 with filledcurves lc rgb '%s' fs transparent solid "
                "0.2 notitle, \\\n  $curve%zu using 1:5 with lines dt 2 lc rgb '%s' notitle, \\\n"
                "  $curve%zu using 1:2 with linespoints pt 7 ps 0.5 lw 1.5 lc rgb '%s' title ",
                c ? "," : "", c, color, c, color, c, color);
        print_key(stream, &d->events[d->first[c]]);
    }
    fputc('\n', stream);
}

int curve_write(const char *title, const rk_event *events, const rk_tail_estimate *estimates,
                size_t n, const char *path) {
    drawing d = {.title = title, .events = events, .estimates = estimates, .n = n};
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && same_curve(&events[i - 1], &events[i])) continue;
        if (d.n_curves == MAX_CURVES) {
            n = i; /* more lines than anyone can tell apart */
            break;
        }
        d.first[d.n_curves++] = i;
    }
    d.first[d.n_curves] = n;
    return gnuplot_draw(path, print_script, &d);
}

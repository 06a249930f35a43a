#include "curve.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "gnuplot.h"
#include "message.h"

/* With more curves names and bands say nothing; with more events their names have no room. */
enum { FEW_CURVES = 10, FEW_EVENTS = 16 };

typedef struct drawing {
    const char *title;
    const rk_event *events;
    const rk_tail_estimate *estimates;
    size_t n;
    size_t *first; /* event where each curve begins; after the last: the end */
    size_t n_curves;
    bool intervals, closures; /* some event has one */
    double lowest, highest;   /* ordinate of all; NaN if there is none */
} drawing;

static bool same_curve(const rk_event *a, const rk_event *b) {
    if (a->layer != b->layer || a->below != b->below || a->inclusive != b->inclusive ||
        a->n_terms != b->n_terms)
        return false;
    for (size_t k = 0; k < a->n_terms; k++)
        if (a->terms[k].index != b->terms[k].index ||
            a->terms[k].coefficient != b->terms[k].coefficient)
            return false;
    return true;
}

/* "y[0] > 3" without its threshold. */
static void print_key(FILE *stream, const rk_event *event) {
    char text[200] = "";
    if (event->text) snprintf(text, sizeof text, "%.190s", event->text);
    char *relation = strpbrk(text, "<>");
    if (relation) strcpy(relation + 1 + event->inclusive, " t");
    gnuplot_quote(stream, text);
}

static void print_number(FILE *stream, double x) {
    if (isfinite(x))
        fprintf(stream, " %.8g", x);
    else
        fputs(" NaN", stream);
}

static void print_data(FILE *stream, const drawing *d, size_t curve) {
    fprintf(stream, "$curve%zu << END\n# threshold log10_p low high cumulants event\n", curve);
    for (size_t i = d->first[curve]; i < d->first[curve + 1]; i++) {
        const rk_tail_estimate *e = &d->estimates[i];
        fprintf(stream, "%.8g", d->events[i].threshold);
        print_number(stream, e->log10_p);
        print_number(stream, e->log10_low);
        print_number(stream, e->log10_high);
        print_number(stream, e->log10_closure);
        fprintf(stream, " %zu\n", i + 1);
    }
    fputs("END\n", stream);
}

#define ESTIMATE offsetof(rk_tail_estimate, log10_p)
#define CLOSURE  offsetof(rk_tail_estimate, log10_closure)

/* The values `field` of a curve, an offset into its estimates; gnuplot complains of a curve without
 * any, as of events of probability 0, and does not of NaN. */
static bool print_source(FILE *stream, const drawing *d, size_t curve, size_t field,
                         const char *columns) {
    bool any = false;
    for (size_t i = d->first[curve]; i < d->first[curve + 1]; i++) {
        double value;
        memcpy(&value, (const char *)&d->estimates[i] + field, sizeof value);
        any = any || isfinite(value);
    }
    if (any)
        fprintf(stream, " $curve%zu using %s", curve, columns);
    else
        fputs(" NaN", stream);
    return any;
}

/* What bands and dashes are: the key's last lines, from a line that is nowhere. */
static void explain(FILE *stream, const drawing *d) {
    if (d->intervals)
        fputs(", \\\n  NaN with filledcurves lc rgb '#666666' fs transparent solid 0.2 "
              "title 'band: 95 % interval'",
              stream);
    if (d->closures)
        fputs(", \\\n  NaN with lines dt 2 lc rgb '#666666' title 'dashed: cumulants alone'",
              stream);
}

/* Probability against threshold, a curve a functional. */
static void print_curves(FILE *stream, const drawing *d) {
    bool few = d->n_curves <= FEW_CURVES;
    double low = d->events[0].threshold, high = low;
    for (size_t i = 1; i < d->n; i++) {
        low = fmin(low, d->events[i].threshold);
        high = fmax(high, d->events[i].threshold);
    }
    double margin = high > low ? 0.02 * (high - low) : low != 0 ? 0.1 * fabs(low) : 1;
    fprintf(stream, "set xlabel 'threshold t'\nset xrange [%.8g:%.8g]\nplot", low - margin,
            high + margin);
    for (size_t c = 0; c < d->n_curves; c++) {
        const char *color = gnuplot_color(c);
        fputs(c ? ", \\\n " : " \\\n ", stream);
        if (few && d->intervals) {
            print_source(stream, d, c, ESTIMATE, "1:3:4");
            fprintf(stream,
                    " with filledcurves lc rgb '%s' fs transparent solid 0.2 notitle, \\\n ",
                    color);
        }
        if (few && d->closures) {
            print_source(stream, d, c, CLOSURE, "1:5");
            fprintf(stream, " with lines dt 2 lc rgb '%s' notitle, \\\n ", color);
        }
        print_source(stream, d, c, ESTIMATE, "1:2");
        if (!few) {
            fputs(" with lines lw 1 lc rgb '#803070b0' notitle", stream);
            continue;
        }
        fprintf(stream, " with linespoints pt 7 ps 0.5 lw 1.5 lc rgb '%s' title ", color);
        print_key(stream, &d->events[d->first[c]]);
    }
    if (few) {
        explain(stream, d);
        return;
    }
    fprintf(stream,
            ", \\\n  NaN with lines lc rgb '#803070b0' title '%zu curves:', \\\n"
            "  NaN with points pt 0 title ",
            d->n_curves);
    print_key(stream, &d->events[0]);
    fputs(", \\\n  NaN with points pt 0 title ", stream);
    print_key(stream, &d->events[d->first[d->n_curves - 1]]);
}

/* Probability event by event, where thresholds are all different stories. */
static void print_events(FILE *stream, const drawing *d) {
    if (d->n <= FEW_EVENTS) {
        fputs("set xtics rotate by 30 right noenhanced (", stream);
        for (size_t i = 0; i < d->n; i++) {
            if (i) fputs(", ", stream);
            gnuplot_quote(stream, d->events[i].text ? d->events[i].text : "");
            fprintf(stream, " %zu", i + 1);
        }
        fputs(")\n", stream);
    } else {
        fputs("set xlabel 'number of the event'\n", stream);
    }
    fprintf(stream, "set xrange [0:%zu]\nplot", d->n + 1);
    const char *mark = d->n <= FEW_EVENTS ? "0.7" : "0.4";
    for (size_t c = 0; c < d->n_curves; c++) {
        fputs(c ? ", \\\n " : " \\\n ", stream);
        if (d->closures) {
            print_source(stream, d, c, CLOSURE, "6:5");
            fprintf(stream, " with points pt 6 ps 0.9 lc rgb '#999999' %s, \\\n ",
                    c ? "notitle" : "title 'cumulants alone'");
        }
        bool any = print_source(stream, d, c, ESTIMATE, d->intervals ? "6:2:3:4" : "6:2");
        fprintf(stream, " with %s pt 7 ps %s lc rgb '%s' ",
                any && d->intervals ? "yerrorbars" : "points", mark, gnuplot_color(0));
        fputs(c              ? "notitle"
              : d->intervals ? "title 'estimate, 95 % interval'"
                             : "title 'estimate'",
              stream);
    }
}

static void print_script(const void *context, FILE *stream) {
    const drawing *d = context;
    for (size_t c = 0; c < d->n_curves; c++)
        print_data(stream, d, c);
    fputs("set datafile missing 'NaN'\nset border 3 lc rgb '#444444'\nset tics nomirror\n"
          "set grid lc rgb '#e4e4e4' lt 1\n"
          "set key noenhanced outside right top Left reverse samplen 2 spacing 1.2\n"
          "set autoscale noextend\n"
          "set offsets 0, 0, graph 0.03, graph 0.03\n"
          "set ylabel 'log_{10} of the probability'\nset title ",
          stream);
    gnuplot_quote(stream, d->title);
    fputs(" noenhanced\n", stream);
    if (!(d->highest - d->lowest > 1e-6 * fabs(d->lowest))) { /* no range for gnuplot to find */
        double only = isfinite(d->lowest) ? d->lowest : 0, margin = fmax(1, 0.1 * fabs(only));
        fprintf(stream, "set yrange [%.8g:%.8g]\n", only - margin, only + margin);
    }
    if (d->n_curves == d->n)
        print_events(stream, d);
    else
        print_curves(stream, d);
    fputc('\n', stream);
}

static void widen(drawing *d, double ordinate) {
    if (!isfinite(ordinate)) return;
    d->lowest = fmin(d->lowest, ordinate);
    d->highest = fmax(d->highest, ordinate);
}

int curve_write(const char *title, const rk_event *events, const rk_tail_estimate *estimates,
                size_t n, const char *path) {
    drawing d = {.title = title,
                 .events = events,
                 .estimates = estimates,
                 .n = n,
                 .lowest = (double)NAN,
                 .highest = (double)NAN};
    d.first = calloc(n + 1, sizeof *d.first);
    if (!d.first) return fail(EXIT_FAILED, "out of memory");
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || !same_curve(&events[i - 1], &events[i])) d.first[d.n_curves++] = i;
        d.intervals = d.intervals || isfinite(estimates[i].log10_high);
        d.closures = d.closures || isfinite(estimates[i].log10_closure);
        widen(&d, estimates[i].log10_p);
        widen(&d, estimates[i].log10_closure);
        if (!isfinite(estimates[i].log10_p)) continue; /* nor is its interval drawn */
        widen(&d, estimates[i].log10_low);
        widen(&d, estimates[i].log10_high);
    }
    d.first[d.n_curves] = n;
    int code = gnuplot_draw(path, print_script, &d);
    free(d.first);
    return code;
}

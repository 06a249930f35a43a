#include "tail/event.h"

#include "base/number.h"
#include "base/size.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------- parsing */

struct rk_events {
    rk_event *events;
    size_t n, capacity;
};

enum { MAX_TERMS = 64, MAX_THRESHOLDS = 1000, MAX_EVENTS = 1000000 };

/* One event as written: terms, '*' standing for every index, and a list of thresholds. */
typedef struct clause {
    size_t layer; /* 0: the output */
    rk_event_term terms[MAX_TERMS];
    bool every[MAX_TERMS]; /* the index is '*' */
    size_t n_terms;
    bool below, inclusive;
    double thresholds[MAX_THRESHOLDS];
    size_t n_thresholds;
} clause;

typedef struct parser {
    const char *text, *at;
    const rk_network *net;
    rk_error *error;
} parser;

static rk_status complain(const parser *p, const char *expected) {
    return rk_fail(p->error, RK_ERROR_ARGUMENT,
                   "event '%.200s': expected %s at '%.40s'; write for example y[0] > 3.5, "
                   "y[*] > 3, y[0] - y[1] < -1, layer 2: z[5] > 1,2,3",
                   p->text, expected, p->at);
}

static void skip_blanks(parser *p) {
    while (isspace((unsigned char)*p->at))
        p->at++;
}

static bool take(parser *p, char c) {
    skip_blanks(p);
    if (*p->at != c) return false;
    p->at++;
    return true;
}

static bool take_number(parser *p, double *x) {
    skip_blanks(p);
    const char *end = rk_number_read(p->at, x);
    if (end) p->at = end;
    return end != NULL;
}

static bool take_index(parser *p, size_t *index) {
    skip_blanks(p);
    if (!isdigit((unsigned char)*p->at)) return false;
    size_t value = 0;
    for (; isdigit((unsigned char)*p->at); p->at++)
        if (!rk_size_mul(value, 10, &value) || !rk_size_add(value, (size_t)(*p->at - '0'), &value))
            return false;
    *index = value;
    return true;
}

/* [+|-] [number [*]] v[index] */
static rk_status parse_term(parser *p, clause *c) {
    if (c->n_terms == MAX_TERMS) return complain(p, "fewer terms");
    rk_event_term *term = &c->terms[c->n_terms];
    double sign = 1;
    if (take(p, '-'))
        sign = -1;
    else
        take(p, '+');
    skip_blanks(p);
    term->coefficient = 1;
    if (take_number(p, &term->coefficient)) take(p, '*');
    term->coefficient *= sign;
    const char *name = c->layer ? "z[index]" : "y[index]";
    if (!take(p, *name) || !take(p, '[')) return complain(p, name);
    c->every[c->n_terms] = take(p, '*');
    if (!c->every[c->n_terms] && !take_index(p, &term->index)) return complain(p, "an index or *");
    if (!take(p, ']')) return complain(p, "]");
    c->n_terms++;
    return RK_OK;
}

/* a, b, ..., each a number or low:high:step */
static rk_status parse_thresholds(parser *p, clause *c) {
    do {
        double low, high, step;
        if (!take_number(p, &low)) return complain(p, "a threshold");
        high = low;
        step = 1;
        if (take(p, ':') && (!take_number(p, &high) || !take(p, ':') || !take_number(p, &step) ||
                             !(step > 0) || !(high >= low)))
            return complain(p, "low:high:step");
        const double last = floor((high - low) / step + 1e-9);
        for (double k = 0; k <= last; k++) {
            if (c->n_thresholds == MAX_THRESHOLDS) return complain(p, "fewer thresholds");
            c->thresholds[c->n_thresholds++] = low + k * step;
        }
    } while (take(p, ','));
    return RK_OK;
}

static rk_status parse_clause(parser *p, clause *c) {
    *c = (clause){.layer = 0};
    skip_blanks(p);
    if (strncmp(p->at, "layer", 5) == 0) {
        p->at += 5;
        if (!take_index(p, &c->layer) || c->layer == 0)
            return complain(p, "the number of a layer, from 1,");
        if (!take(p, ':')) return complain(p, ":");
    }
    rk_status status;
    do {
        status = parse_term(p, c);
        skip_blanks(p);
    } while (status == RK_OK && (*p->at == '+' || *p->at == '-'));
    if (status != RK_OK) return status;
    c->below = take(p, '<');
    if (!c->below && !take(p, '>')) return complain(p, "<, <=, > or >=");
    if (*p->at == '=') {
        c->inclusive = true;
        p->at++;
    }
    return parse_thresholds(p, c);
}

static void append(char *text, size_t size, const char *format, ...) RK_PRINTF(3, 4);
static void append(char *text, size_t size, const char *format, ...) {
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, size - used, format, arguments);
    va_end(arguments);
}

static void spell(const rk_event *event, char *text, size_t size) {
    rk_number_text number;
    *text = 0;
    if (event->layer) append(text, size, "layer %zu: ", event->layer);
    for (size_t k = 0; k < event->n_terms; k++) {
        double c = event->terms[k].coefficient;
        append(text, size, "%s", k == 0 ? (c < 0 ? "-" : "") : c < 0 ? " - " : " + ");
        if (fabs(c) != 1) append(text, size, "%s ", rk_number_write(fabs(c), 10, &number));
        append(text, size, "%c[%zu]", event->layer ? 'z' : 'y', event->terms[k].index);
    }
    append(text, size, " %c%s %s", event->below ? '<' : '>', event->inclusive ? "=" : "",
           rk_number_write(event->threshold, 10, &number));
}

/* Terms and text lie behind the event's own pointers in one piece of memory. */
static rk_status add(rk_events *list, const clause *c, size_t every, double threshold,
                     const parser *p) {
    const size_t text_size = 64 * (c->n_terms + 1); /* more than a term takes */
    if (list->n == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 16;
        rk_event *grown = realloc(list->events, capacity * sizeof *grown);
        if (!grown) return rk_fail(p->error, RK_ERROR_MEMORY, "no memory for the events");
        list->events = grown;
        list->capacity = capacity;
    }
    rk_event_term *terms = malloc(c->n_terms * sizeof *terms + text_size);
    if (!terms) return rk_fail(p->error, RK_ERROR_MEMORY, "no memory for the events");
    for (size_t k = 0; k < c->n_terms; k++) {
        terms[k] = c->terms[k];
        if (c->every[k]) terms[k].index = every;
    }
    rk_event event = {.text = (char *)(terms + c->n_terms),
                      .layer = c->layer,
                      .terms = terms,
                      .n_terms = c->n_terms,
                      .below = c->below,
                      .inclusive = c->inclusive,
                      .threshold = threshold};
    spell(&event, (char *)(terms + c->n_terms), text_size);
    list->events[list->n++] = event;
    return rk_event_check(&event, p->net, p->error);
}

static rk_status add_clause(rk_events *list, const clause *c, const parser *p) {
    size_t n_layers = p->net->n_layers, count = 1;
    if (c->layer > n_layers)
        return rk_fail(p->error, RK_ERROR_ARGUMENT, "event '%.200s': the network has %zu layers",
                       p->text, n_layers);
    for (size_t k = 0; k < c->n_terms; k++)
        if (c->every[k]) count = p->net->layers[c->layer ? c->layer - 1 : n_layers - 1].rows;
    if (count > (MAX_EVENTS - list->n) / c->n_thresholds)
        return rk_fail(p->error, RK_ERROR_ARGUMENT, "'%.200s' are more than %d events", p->text,
                       MAX_EVENTS);
    rk_status status = RK_OK;
    for (size_t i = 0; status == RK_OK && i < count; i++)
        for (size_t t = 0; status == RK_OK && t < c->n_thresholds; t++)
            status = add(list, c, i, c->thresholds[t], p);
    return status;
}

rk_status rk_events_parse(rk_events **out, const rk_network *net, const char *text,
                          rk_error *error) {
    *out = NULL;
    rk_events *list = calloc(1, sizeof *list);
    clause *c = malloc(sizeof *c);
    parser p = {text, text, net, error};
    rk_status status = list && c ? RK_OK : rk_fail(error, RK_ERROR_MEMORY, "no memory");
    while (status == RK_OK) {
        status = parse_clause(&p, c);
        if (status == RK_OK) status = add_clause(list, c, &p);
        if (take(&p, ';')) continue;
        if (status == RK_OK && *p.at) status = complain(&p, "; or the end");
        break;
    }
    free(c);
    if (status != RK_OK) {
        rk_events_destroy(list);
        return status;
    }
    *out = list;
    return RK_OK;
}

size_t rk_events_count(const rk_events *events) {
    return events->n;
}

const rk_event *rk_events_list(const rk_events *events) {
    return events->events;
}

void rk_events_destroy(rk_events *events) {
    if (!events) return;
    for (size_t i = 0; i < events->n; i++)
        free((void *)(uintptr_t)events->events[i].terms); /* const for the reader only */
    free(events->events);
    free(events);
}

/* ------------------------------------------------------------------------------------- meaning */

rk_status rk_event_check(const rk_event *event, const rk_network *net, rk_error *error) {
    if (event->layer > net->n_layers)
        return rk_fail(error, RK_ERROR_ARGUMENT, "event '%.200s': the network has %zu layers",
                       event->text ? event->text : "", net->n_layers);
    size_t rows = net->layers[event->layer ? event->layer - 1 : net->n_layers - 1].rows;
    bool finite = isfinite(event->threshold), present = false;
    for (size_t k = 0; k < event->n_terms; k++) {
        finite = finite && isfinite(event->terms[k].coefficient);
        present = present || event->terms[k].coefficient != 0;
        if (event->terms[k].index >= rows)
            return rk_fail(error, RK_ERROR_ARGUMENT, "event '%.200s': there is no index %zu of %zu",
                           event->text ? event->text : "", event->terms[k].index, rows);
    }
    if (!finite || !present)
        return rk_fail(error, RK_ERROR_ARGUMENT,
                       "event '%.200s': coefficients and threshold must be finite, and some "
                       "coefficient not zero",
                       event->text ? event->text : "");
    return RK_OK;
}

bool rk_event_same_functional(const rk_event *a, const rk_event *b) {
    if (a->layer != b->layer || a->n_terms != b->n_terms) return false;
    for (size_t k = 0; k < a->n_terms; k++)
        if (a->terms[k].index != b->terms[k].index ||
            a->terms[k].coefficient != b->terms[k].coefficient)
            return false;
    return true;
}

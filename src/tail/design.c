#include "tail/design.h"

#include "activation/activation.h"
#include "base/normal.h"
#include "linalg/blas.h"
#include "tail/passes.h"

#include <math.h>
#include <string.h>

/* Each width is this times the last; the search for hits ends after so many. */
#define WIDEN 1.5
enum { WIDTHS = 7 };

/* Hits that end it, as a part of the passes and in number. */
#define SEEN_PART   0.02
#define SEEN_NUMBER 20

/* Steps of the search, and halvings that bring a point to the boundary. */
enum { STEPS = 10, HALVINGS = 4, FIRST_HALVINGS = 10 };

/* Along its ray, the boundary is sought between these times where a step leads. */
#define NEAREST  0.6
#define FARTHEST 1.5

/* Points whose distance is less are one: a normal about either covers both. */
#define DISTINCT 2.0

/* With this part of the starts at points of their own, and not a few, there must be more points. */
#define SCATTERED 0.75
enum { NOT_FEW = 6 };

/* The event about a point is less likely than about the nearest by exp of the halved squares. */
#define NATS 9.0

/* ----------------------------------------------------------------------------- values, gradients
 */

/* The network and its gradient at several points at once, in double precision: matrices of count x
 * rows for each layer, one after another. */
typedef struct field {
    const rk_network *net;
    size_t count, n; /* points, inputs */
    size_t size;     /* entries of each of these: */
    double *z, *h, *back;
} field;

static field field_take(rk_work *work, const rk_network *net, size_t count) {
    size_t rows = 0;
    for (size_t l = 0; l < net->n_layers; l++)
        rows += net->layers[l].rows;
    return (field){.net = net,
                   .count = count,
                   .n = rk_network_n_in(net),
                   .size = count * rows,
                   .z = rk_work_doubles(work, count, rows),
                   .h = rk_work_doubles(work, count, rows),
                   .back = rk_work_doubles(work, count, rows)};
}

/* Of a value that a layer makes, from 1. */
static double *of_value(const field *f, double *matrices, size_t value) {
    size_t rows = 0;
    for (size_t l = 0; l + 1 < value; l++)
        rows += f->net->layers[l].rows;
    return matrices + f->count * rows;
}

static void add(size_t n, const double *x, double *sum) {
    for (size_t i = 0; x && i < n; i++)
        sum[i] += x[i];
}

/* z of every point of x (count x n). */
static void values(rk_work *work, field *f, const double *x, double *out) {
    for (size_t l = 0; l < f->net->n_layers; l++) {
        const rk_layer *layer = &f->net->layers[l];
        const size_t rows = layer->rows, size = f->count * rows;
        const size_t reads = rk_network_reads(f->net, l);
        const double *read = reads ? of_value(f, f->h, reads) : x, *more = NULL;
        double *z = of_value(f, f->z, l + 1), *h = of_value(f, f->h, l + 1);
        size_t added;
        if (rk_network_adds(f->net, l, &added)) more = added ? of_value(f, f->h, added) : x;
        if (layer->weight)
            rk_gemm(work, RK_NO_TRANS, RK_TRANS, f->count, rows, layer->cols, 1, read, layer->cols,
                    layer->weight, layer->cols, 0, z, rows);
        if (!rk_work_charge(work, 2 * size)) continue;
        if (!layer->weight) memcpy(z, read, size * sizeof *z);
        for (size_t i = 0; layer->bias && i < size; i++)
            z[i] += layer->bias[i % rows];
        add(size, more, z);
        rk_activation_get(layer->activation.kind)->value(&layer->activation, size, z, h);
        if (l + 1 == f->net->n_layers) memcpy(out, h, f->count * sizeof *out);
    }
}

/* d phi / dz by central differences: they do for a direction, whatever the activation. */
static void times_slope(const rk_activation *activation, size_t n, const double *z, double *back) {
    const rk_activation_ops *ops = rk_activation_get(activation->kind);
    for (size_t i = 0; i < n; i++) {
        double step = z[i] != 0 ? 1e-6 * fabs(z[i]) : 1e-6;
        double at[2] = {z[i] - step, z[i] + step}, phi[2];
        ops->value(activation, 2, at, phi);
        back[i] *= (phi[1] - phi[0]) / (at[1] - at[0]);
    }
}

/* The gradients at the points that values() was called with last: what each layer's value does to
 * the output is the sum over those that read or add it. */
static void gradients(rk_work *work, field *f, double *out) {
    if (rk_work_charge(work, 0)) {
        memset(f->back, 0, f->size * sizeof *f->back);
        memset(out, 0, f->count * f->n * sizeof *out);
        for (size_t i = 0; i < f->count; i++)
            of_value(f, f->back, f->net->n_layers)[i] = 1;
    }
    for (size_t l = f->net->n_layers; l-- > 0;) {
        const rk_layer *layer = &f->net->layers[l];
        const size_t rows = layer->rows, size = f->count * rows;
        const size_t reads = rk_network_reads(f->net, l);
        double *back = of_value(f, f->back, l + 1);
        double *read = reads ? of_value(f, f->back, reads) : out;
        if (rk_work_charge(work, 10 * size)) {
            times_slope(&layer->activation, size, of_value(f, f->z, l + 1), back);
            size_t added;
            if (rk_network_adds(f->net, l, &added))
                add(size, back, added ? of_value(f, f->back, added) : out);
            if (!layer->weight) add(size, back, read);
        }
        if (layer->weight)
            rk_gemm(work, RK_NO_TRANS, RK_NO_TRANS, f->count, layer->cols, rows, 1, back, rows,
                    layer->weight, layer->cols, 1, read, layer->cols);
    }
}

/* --------------------------------------------------------------------------------------- search */

typedef struct search {
    field f;
    double t;
    double *x, *tried, *at, *g; /* count x n */
    double *z, *low, *high;     /* count */
    double *step;               /* count: how much of the way to the tangent's nearest point */
} search;

static double length_of(size_t n, const double *x) {
    double square = 0;
    for (size_t i = 0; i < n; i++)
        square += x[i] * x[i];
    return sqrt(square);
}

/* Multiplies every point of `x` with the factor between low and high where its ray enters the
 * event; `high` is left NaN where it does not. */
static void to_boundary(rk_work *work, search *s, double *x, double low, double high,
                        int halvings) {
    size_t n = s->f.n, count = s->f.count;
    for (int k = 0; k <= halvings; k++) {
        if (rk_work_charge(work, 2 * count * n))
            for (size_t i = 0; i < count; i++) {
                if (k == 0) {
                    s->low[i] = low;
                    s->high[i] = high;
                }
                double factor = k ? 0.5 * (s->low[i] + s->high[i]) : high;
                for (size_t j = 0; j < n; j++)
                    s->at[i * n + j] = factor * x[i * n + j];
            }
        values(work, &s->f, s->at, s->z);
        if (!rk_work_charge(work, count)) continue;
        for (size_t i = 0; i < count; i++) {
            double factor = k ? 0.5 * (s->low[i] + s->high[i]) : high;
            bool inside = s->z[i] > s->t;
            if (k == 0 && !inside) s->high[i] = (double)NAN;
            if (k == 0) continue;
            if (inside)
                s->high[i] = factor;
            else
                s->low[i] = factor;
        }
    }
    if (rk_work_charge(work, count * n))
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < n; j++)
                x[i * n + j] *= s->high[i];
}

/* Towards the point of the tangent plane of z = t that is nearest to the origin. */
static void propose(search *s) {
    size_t n = s->f.n;
    for (size_t i = 0; i < s->f.count; i++) {
        const double *x = s->x + i * n, *g = s->g + i * n;
        double square = 0, along = 0;
        for (size_t j = 0; j < n; j++) {
            square += g[j] * g[j];
            along += g[j] * x[j];
        }
        double factor = (along + s->t - s->z[i]) / square;
        for (size_t j = 0; j < n; j++)
            s->tried[i * n + j] = x[j] + s->step[i] * (factor * g[j] - x[j]);
    }
}

/* Keeps what is shorter. */
static void accept(search *s) {
    size_t n = s->f.n;
    for (size_t i = 0; i < s->f.count; i++) {
        bool shorter = length_of(n, s->tried + i * n) < length_of(n, s->x + i * n);
        if (shorter) memcpy(s->x + i * n, s->tried + i * n, n * sizeof *s->x);
        s->step[i] = shorter ? fmin(1, 2 * s->step[i]) : 0.4 * s->step[i];
    }
}

static void descend(rk_work *work, search *s) {
    size_t count = s->f.count;
    if (rk_work_charge(work, 0))
        for (size_t i = 0; i < count; i++)
            s->step[i] = 1;
    to_boundary(work, s, s->x, 0, 1, FIRST_HALVINGS);
    for (int step = 0; step < STEPS; step++) {
        values(work, &s->f, s->x, s->z);
        gradients(work, &s->f, s->g);
        if (rk_work_charge(work, 6 * count * s->f.n)) propose(s);
        to_boundary(work, s, s->tried, NEAREST, FARTHEST, HALVINGS);
        if (rk_work_charge(work, 4 * count * s->f.n)) accept(s);
    }
}

/* --------------------------------------------------------------------------------------- starts */

typedef struct wide {
    const rk_design_spec *spec;
    size_t n_in;
    uint64_t item;
    double width;
    float *y, *z;
} wide;

static void draw(void *context, uint64_t pass, float *y) {
    const wide *w = context;
    rk_normal_floats(w->spec->stream, w->item + pass, w->n_in, y);
    for (size_t i = 0; i < w->n_in; i++)
        y[i] = (float)(w->width * (double)y[i]);
}

static void keep_block(void *context, const rk_scored_block *block) {
    wide *w = context;
    memcpy(w->y + block->first * w->n_in, block->y, block->n * w->n_in * sizeof *block->y);
    memcpy(w->z + block->first, block->z, block->n * sizeof *block->z);
}

static uint64_t hits_of(const wide *w) {
    uint64_t hits = 0;
    for (uint64_t i = 0; i < w->spec->n; i++)
        hits += (double)w->z[i] > w->spec->t;
    return hits;
}

/* False if interrupted. */
static bool widen(rk_work *work, wide *w, const rk_network *net) {
    rk_scored_spec passes = {.n = w->spec->n,
                             .lanes = w->spec->lanes,
                             .centred = w->spec->centred,
                             .draw = draw,
                             .score = keep_block,
                             .context = w};
    uint64_t enough = (uint64_t)(SEEN_PART * (double)w->spec->n);
    if (enough < SEEN_NUMBER) enough = SEEN_NUMBER;
    uint64_t overflowed = work->overflowed; /* passes far out are not the event's */
    bool go_on = true;
    for (int k = 0; go_on && k < WIDTHS; k++) {
        go_on = rk_score_passes(work, net, &passes);
        w->item += w->spec->n;
        w->width *= WIDEN;
        if (!work->dry && hits_of(w) >= enough) break;
    }
    work->overflowed = overflowed;
    return go_on;
}

static double cosine(size_t n, const float *x, const double *y) {
    double xx = 0, yy = 0, xy = 0;
    for (size_t i = 0; i < n; i++) {
        xx += (double)x[i] * (double)x[i];
        yy += y[i] * y[i];
        xy += (double)x[i] * y[i];
    }
    return xy / sqrt(xx * yy);
}

/* Points of the event, each in a direction as far from those before as there is one. */
static size_t choose_starts(const wide *w, double *x, double *closest) {
    const rk_design_spec *spec = w->spec;
    size_t n = w->n_in, count = 0, all = (size_t)spec->n + spec->n_known;
    for (size_t i = 0; i < all; i++)
        closest[i] = i >= spec->n || (double)w->z[i] > spec->t ? -1 : INFINITY;
    while (count < spec->starts) {
        size_t best = all;
        for (size_t i = all; i-- > 0;) /* known points first */
            if (isfinite(closest[i]) && (best == all || closest[i] < closest[best])) best = i;
        if (best == all) break;
        const float *from =
            best < spec->n ? w->y + best * n : spec->known + (best - (size_t)spec->n) * n;
        for (size_t j = 0; j < n; j++)
            x[count * n + j] = (double)from[j];
        closest[best] = INFINITY;
        for (size_t i = 0; i < all; i++) {
            const float *other =
                i < spec->n ? w->y + i * n : spec->known + (i - (size_t)spec->n) * n;
            if (isfinite(closest[i]))
                closest[i] = fmax(closest[i], cosine(n, other, x + count * n));
        }
        count++;
    }
    return count;
}

/* ------------------------------------------------------------------------------------ the whole */

static double distance(size_t n, const double *x, const double *y) {
    double square = 0;
    for (size_t i = 0; i < n; i++)
        square += (x[i] - y[i]) * (x[i] - y[i]);
    return sqrt(square);
}

/* Distinct points, nearest first; takes them out of `s`. */
static size_t distinct(search *s, size_t found, double *points) {
    size_t n = s->f.n, count = 0;
    double nearest = INFINITY;
    while (count < found) {
        size_t next = found;
        double least = INFINITY;
        for (size_t i = 0; i < found; i++) {
            double length = length_of(n, s->x + i * n); /* NaN: taken out, or no point */
            if (!(length < least)) continue;
            least = length;
            next = i;
        }
        nearest = fmin(nearest, least);
        if (next == found || 0.5 * (least * least - nearest * nearest) > NATS) break;
        double *x = s->x + next * n;
        bool is_new = true;
        for (size_t k = 0; k < count && is_new; k++)
            is_new = distance(n, x, points + k * n) > DISTINCT;
        if (is_new) memcpy(points + count++ * n, x, n * sizeof *points);
        *x = (double)NAN;
    }
    return count;
}

size_t rk_design_points(rk_work *work, const rk_network *net, const rk_design_spec *spec,
                        double *points, uint64_t *passes, bool *scattered) {
    size_t mark = rk_work_mark(work), n = rk_network_n_in(net), all = (size_t)spec->n;
    wide w = {.spec = spec, .n_in = n, .width = 1};
    w.y = rk_work_floats(work, all, n);
    w.z = rk_work_floats(work, all, 1);
    double *closest = rk_work_doubles(work, all + spec->n_known, 1);
    search s = {.t = spec->t, .x = rk_work_doubles(work, spec->starts, n)};
    bool go_on = widen(work, &w, net);
    size_t count = spec->starts, found = 0;
    if (go_on && rk_work_charge(work, 0)) count = choose_starts(&w, s.x, closest);
    if (go_on && count) {
        s.f = field_take(work, net, count);
        double **const matrices[] = {&s.tried, &s.at, &s.g},
                       **const vectors[] = {&s.z, &s.low, &s.high, &s.step};
        for (size_t k = 0; k < 3; k++)
            *matrices[k] = rk_work_doubles(work, count, n);
        for (size_t k = 0; k < 4; k++)
            *vectors[k] = rk_work_doubles(work, count, 1);
        descend(work, &s);
        if (rk_work_charge(work, 0)) found = distinct(&s, count, points);
    }
    *scattered = found >= NOT_FEW && (double)found > SCATTERED * (double)count;
    if (rk_work_charge(work, 0))
        *passes = w.item + count * (STEPS * (3 + HALVINGS + 1) + FIRST_HALVINGS + 1);
    rk_work_release(work, mark);
    return found;
}

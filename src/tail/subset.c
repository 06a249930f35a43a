#include "tail/subset.h"

#include "base/normal.h"
#include "tail/passes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHAIN = RK_SUBSET_CHAIN, MAX_LEVELS = 200 };

/* Levels start from each other's points, so that their errors are not independent as the sum over
 * them takes them to be. Measured: 48 runs of events of 1e-4 to 1e-9 of random relu networks. */
#define DEPENDENCE 1.6

/* Widths tried are powers of this. */
#define WIDEN 1.5
/* Weights from one width to the next are worth this part of the points. */
#define KEEP 0.3
/* A dozen such steps come back from exp(WIDEST / sqrt(2 n_in)): log weights have the standard
 * deviation sqrt(2 n_in) times the step in log width. */
#define WIDEST 13.0
/* Points that a width must see in the event, as a part of them all and in number. */
#define SEEN_PART   0.02
#define SEEN_NUMBER 30

typedef struct walk {
    size_t n_in;
    uint64_t n_chains, n; /* n = CHAIN n_chains points a level */
    float *y, *z;         /* all points of this level: step s of chain c is s n_chains + c */
    float *tried, *tried_z;
    double *value; /* of each point, for the next level */
    double *scratch;
    rk_stream stream;
    uint64_t item;        /* the first normals nobody has used */
    double width, height; /* the law of this level: N(0, width^2 I) where z > height */
    double stride;        /* y' = sqrt(1 - stride^2) y + stride width g */
    uint64_t first;       /* point the steps under way start from */
} walk;

static void draw_first(void *context, uint64_t pass, float *y) {
    const walk *w = context;
    rk_normal_floats(w->stream, w->item + pass, w->n_in, y);
    for (size_t i = 0; i < w->n_in; i++)
        y[i] = (float)(w->width * (double)y[i]);
}

static void draw_step(void *context, uint64_t pass, float *y) {
    const walk *w = context;
    const float *from = w->y + (w->first + pass) * w->n_in;
    const double keep = sqrt(1 - w->stride * w->stride);
    rk_normal_floats(w->stream, w->item + pass, w->n_in, y);
    for (size_t i = 0; i < w->n_in; i++)
        y[i] = (float)(keep * (double)from[i] + w->stride * w->width * (double)y[i]);
}

static void keep_block(void *context, const rk_pass_block *block) {
    walk *w = context;
    memcpy(w->tried + block->first * w->n_in, block->y, block->n * w->n_in * sizeof *block->y);
    memcpy(w->tried_z + block->first, block->z, block->n * sizeof *block->z);
}

static bool run_passes(rk_work *work, walk *w, const rk_network *net, size_t lanes, bool first) {
    rk_passes_spec spec = {.n = first ? w->n : w->n_chains,
                           .lanes = lanes,
                           .draw = first ? draw_first : draw_step,
                           .score = keep_block,
                           .context = w};
    bool done = rk_passes(work, net, &spec);
    w->item += spec.n;
    return done && work->overflowed == 0; /* heights that are not finite have no order */
}

/* ------------------------------------------------------------------------------- the first law */

static uint64_t hits_of(const walk *w, double t) {
    uint64_t hits = 0;
    for (uint64_t i = 0; i < w->n; i++)
        hits += (double)w->tried_z[i] > t;
    return hits;
}

static void settle(walk *w) {
    memcpy(w->y, w->tried, w->n * w->n_in * sizeof *w->y);
    memcpy(w->z, w->tried_z, w->n * sizeof *w->z);
}

/* Points of the least width that sees the event often enough, or of the one that sees it most. */
static bool begin(rk_work *work, walk *w, const rk_network *net, double t, size_t lanes) {
    double widest = exp(WIDEST / sqrt(2 * (double)w->n_in)), best = 1;
    uint64_t enough = (uint64_t)(SEEN_PART * (double)w->n), most = hits_of(w, t), hits = most;
    if (enough < SEEN_NUMBER) enough = SEEN_NUMBER < w->n_chains ? SEEN_NUMBER : w->n_chains;
    settle(w);
    while (hits < enough && w->width * WIDEN <= widest) {
        w->width *= WIDEN;
        if (!run_passes(work, w, net, lanes, true)) return false;
        hits = hits_of(w, t);
        if (hits <= most) continue;
        most = hits;
        best = w->width;
        settle(w);
    }
    w->width = best;
    return true;
}

/* ------------------------------------------------------------------------------------- one level */

static int descending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* The height that a tenth of the points exceed. */
static double level_height(walk *w) {
    for (uint64_t i = 0; i < w->n; i++)
        w->scratch[i] = (double)w->z[i];
    qsort(w->scratch, (size_t)w->n, sizeof *w->scratch, descending);
    return w->scratch[w->n_chains];
}

static void value_by_height(walk *w, double height) {
    for (uint64_t i = 0; i < w->n; i++)
        w->value[i] = (double)w->z[i] > height;
}

/* dN(0, width^2 I) / d(present law), from the squares of the lengths in `scratch`. */
static void value_by_width(walk *w, double width) {
    double constant = (double)w->n_in * log(w->width / width);
    double factor = 0.5 / (w->width * w->width) - 0.5 / (width * width);
    for (uint64_t i = 0; i < w->n; i++)
        w->value[i] = exp(constant + factor * w->scratch[i]);
}

static double effective(const walk *w) {
    double sum = 0, square = 0;
    for (uint64_t i = 0; i < w->n; i++) {
        sum += w->value[i];
        square += w->value[i] * w->value[i];
    }
    return square > 0 ? sum * sum / square : 0;
}

/* The least width, not below 1, that leaves weights worth KEEP; sets the values. */
static double level_width(walk *w) {
    double low = 0, high = log(w->width);
    for (uint64_t i = 0; i < w->n; i++) {
        w->scratch[i] = 0;
        for (size_t j = 0; j < w->n_in; j++) {
            double y = (double)w->y[i * w->n_in + j];
            w->scratch[i] += y * y;
        }
    }
    value_by_width(w, 1);
    if (effective(w) >= KEEP * (double)w->n) return 1;
    for (int step = 0; step < 30; step++) {
        double middle = 0.5 * (low + high);
        value_by_width(w, exp(middle));
        if (effective(w) >= KEEP * (double)w->n)
            high = middle;
        else
            low = middle;
    }
    value_by_width(w, exp(high));
    return exp(high);
}

static double mean_value(const walk *w) {
    double sum = 0;
    for (uint64_t i = 0; i < w->n; i++)
        sum += w->value[i];
    return sum / (double)w->n;
}

/* Relative variance of the mean value, chains being independent of each other. */
static double relative_variance(const walk *w, double mean) {
    double sum = 0, chains = (double)w->n_chains;
    for (uint64_t c = 0; c < w->n_chains; c++) {
        double own = 0;
        for (uint64_t step = 0; step < CHAIN; step++)
            own += w->value[step * w->n_chains + c];
        double d = own / CHAIN / mean - 1;
        sum += d * d;
    }
    return chains > 1 ? sum / (chains * (chains - 1)) : 1;
}

/* As many points as there are chains, in proportion to their values, become the first of them. */
static void start_chains(walk *w) {
    double step = mean_value(w) * (double)w->n / (double)w->n_chains, sum = 0;
    uint64_t chain = 0;
    for (uint64_t i = 0; i < w->n && chain < w->n_chains; i++) {
        sum += w->value[i];
        for (; chain < w->n_chains && sum > ((double)chain + 0.5) * step; chain++) {
            memcpy(w->tried + chain * w->n_in, w->y + i * w->n_in, w->n_in * sizeof *w->y);
            w->tried_z[chain] = w->z[i];
        }
    }
    memcpy(w->y, w->tried, chain * w->n_in * sizeof *w->y);
    memcpy(w->z, w->tried_z, chain * sizeof *w->z);
}

/* Accepts the steps that stay above; adapts the stride to accept about half. */
static void finish_step(walk *w) {
    uint64_t accepted = 0;
    for (uint64_t c = 0; c < w->n_chains; c++) {
        bool up = (double)w->tried_z[c] > w->height;
        uint64_t from = w->first + c, to = from + w->n_chains;
        accepted += up;
        memcpy(w->y + to * w->n_in, up ? w->tried + c * w->n_in : w->y + from * w->n_in,
               w->n_in * sizeof *w->y);
        w->z[to] = up ? w->tried_z[c] : w->z[from];
    }
    double rate = (double)accepted / (double)w->n_chains;
    w->stride = fmin(0.999, fmax(0.01, w->stride * exp(0.5 * (rate - 0.45))));
}

static bool advance(rk_work *work, walk *w, const rk_network *net, size_t lanes) {
    start_chains(w);
    for (uint64_t step = 0; step + 1 < CHAIN; step++) {
        w->first = step * w->n_chains;
        if (!run_passes(work, w, net, lanes, false)) return false;
        finish_step(w);
    }
    return true;
}

/* ------------------------------------------------------------------------------------ the whole */

/* To the event, and back to N(0, I): one law after another. */
static bool climb(rk_work *work, walk *w, const rk_network *net, const rk_subset_spec *spec,
                  rk_weighted_mean *out) {
    double log_p = 0, variance = 0;
    *out = (rk_weighted_mean){.log_mean = -INFINITY, .cv = (double)NAN};
    if (!begin(work, w, net, spec->t, spec->lanes)) return false;
    for (int level = 0; level < MAX_LEVELS; level++) {
        if (w->height < spec->t) {
            double height = fmin(level_height(w), spec->t);
            if (!(height > w->height)) break; /* a plateau: nothing leads upwards */
            value_by_height(w, height);
            w->height = height;
        } else {
            w->width = level_width(w);
        }
        double mean = mean_value(w);
        if (mean == 0) break;
        log_p += log(mean);
        variance += DEPENDENCE * DEPENDENCE * relative_variance(w, mean);
        bool last = w->height >= spec->t && w->width == 1;
        if ((!last || spec->points) && !advance(work, w, net, spec->lanes)) return false;
        if (!last) continue;
        *out = (rk_weighted_mean){
            .log_mean = log_p, .cv = sqrt(variance), .effective = 1 / variance, .n = w->item};
        if (!spec->points) return true;
        memcpy(spec->points, w->y, w->n * w->n_in * sizeof *w->y);
        memcpy(spec->heights, w->z, w->n * sizeof *w->z);
        return true;
    }
    out->n = w->item;
    return true;
}

bool rk_subset(rk_work *work, const rk_network *net, const rk_subset_spec *spec,
               rk_weighted_mean *out) {
    size_t mark = rk_work_mark(work), n_in = rk_network_n_in(net);
    walk w = {.n_in = n_in, .stream = spec->stream, .stride = 0.5, .width = 1, .height = -INFINITY};
    w.n_chains = spec->n / CHAIN > 1 ? spec->n / CHAIN : 1;
    w.n = CHAIN * w.n_chains;
    w.y = rk_work_floats(work, (size_t)w.n, n_in);
    w.tried = rk_work_floats(work, (size_t)w.n, n_in);
    w.z = rk_work_floats(work, (size_t)w.n, 1);
    w.tried_z = rk_work_floats(work, (size_t)w.n, 1);
    w.value = rk_work_doubles(work, (size_t)w.n, 1);
    w.scratch = rk_work_doubles(work, (size_t)w.n, 1);
    bool done = run_passes(work, &w, net, spec->lanes, true);
    if (done && rk_work_charge(work, 0)) done = climb(work, &w, net, spec, out);
    rk_work_release(work, mark);
    return done;
}

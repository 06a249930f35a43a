#include "sample/frame.h"

#include "activation/activation.h"
#include "base/simd.h"
#include "sample/increment.h"

#include <math.h>

static const double DOUBLE = 0x1p-53; /* as RK_SINGLE_ROUNDING */

/* Offsets are taken off if their rounding is so many times that of the changes. */
static const double OFFSETS = 64;

/* Beyond these single precision is left alone with units that it cannot choose. */
static const double SMALLEST = 0x1p-60, LARGEST = 0x1p60;

static double power_of_two(double x) {
    if (!(x > 0 && isfinite(x))) return 1;
    int exponent;
    frexp(x, &exponent);
    return ldexp(1, exponent < -1000 ? -1000 : exponent > 1000 ? 1000 : exponent);
}

rk_frame rk_frame_take(rk_work *work, size_t n) {
    return (rk_frame){.at = rk_work_doubles(work, n, 1),
                      .centre = rk_work_doubles(work, n, 1),
                      .unit_in = rk_work_doubles(work, n, 1),
                      .unit = rk_work_doubles(work, n, 1),
                      .slope = rk_work_doubles(work, n, 1),
                      .size = rk_work_doubles(work, n, 1),
                      .rounding = rk_work_doubles(work, n, 1),
                      .shift = rk_work_doubles(work, n, 1),
                      .spread = rk_work_doubles(work, n, 1),
                      .mean = rk_work_doubles(work, n, 1),
                      .deviation = rk_work_doubles(work, n, 1),
                      .of_changes = rk_work_doubles(work, n, 1),
                      .of_offsets = rk_work_doubles(work, n, 1)};
}

/* The input as a layer: standard normals, and an offset that is its mean. */
static void fill_input(rk_frame *input, size_t n, const double *mean) {
    for (size_t j = 0; j < n; j++) {
        input->centre[j] = mean ? mean[j] : 0;
        input->mean[j] = 0;
        input->deviation[j] = 1;
        input->of_changes[j] = input->of_offsets[j] = 0;
    }
}

RK_HOT static double largest_term(size_t n, const double *restrict w, const double *restrict x) {
    enum { WIDE = 8 };
    double largest[WIDE] = {0};
    size_t j = 0;
    for (; j + WIDE <= n; j += WIDE)
        for (size_t k = 0; k < WIDE; k++) {
            const double term = fabs(w[j + k]) * x[j + k];
            largest[k] = term > largest[k] ? term : largest[k];
        }
    for (; j < n; j++)
        largest[0] = fmax(largest[0], fabs(w[j]) * x[j]);
    for (size_t k = 1; k < WIDE; k++)
        largest[0] = fmax(largest[0], largest[k]);
    return largest[0];
}

/* scale w . x, or the sum of the squares of its terms. */
RK_HOT static double sum_of_terms(size_t n, double scale, bool squares, const double *restrict w,
                                  const double *restrict x) {
    enum { WIDE = 8 };
    double sum[WIDE] = {0}, total = 0;
    size_t j = 0;
    for (; j + WIDE <= n; j += WIDE)
        for (size_t k = 0; k < WIDE; k++) {
            const double term = scale * w[j + k] * x[j + k];
            sum[k] += squares ? term * term : term;
        }
    for (; j < n; j++) {
        const double term = scale * w[j] * x[j];
        sum[0] += squares ? term * term : term;
    }
    for (size_t k = 0; k < WIDE; k++)
        total += sum[k];
    return total;
}

/* One of the two values that a layer sums: W u, or v itself. */
typedef struct summand {
    const double *weight, *random; /* of offsets and of changes: they differ in the first layer;
                                    * NULL: both are the identity */
    size_t n;
    const rk_frame *from;
    const double *reach; /* the largest of all that is summed */
} summand;

typedef struct rows {
    size_t m, n_summands;
    summand summand[2];
    const double *bias; /* or NULL */
    rk_frame *out;
} rows;

enum { ROWS = 16 };

/* Row i of a summand as products of n entries from `first` on. */
static size_t row_of(const summand *s, size_t i, const double **w, const double **v,
                     size_t *first) {
    static const double one = 1;
    *w = s->weight ? s->weight + i * s->n : &one;
    *v = s->random ? s->random + i * s->n : &one;
    *first = s->weight ? 0 : i;
    return s->weight ? s->n : 1;
}

static double largest_of_row(const rows *r, size_t i) {
    double largest = 0;
    for (size_t k = 0; k < r->n_summands; k++) {
        const double *w, *v;
        size_t first, n = row_of(&r->summand[k], i, &w, &v, &first);
        const double *reach = r->summand[k].reach + first;
        largest = fmax(largest, fmax(largest_term(n, w, reach), largest_term(n, v, reach)));
    }
    return largest;
}

/* Sums are made in units of their largest term, or squares would leave double. */
static void sum_row(const rows *r, size_t i) {
    const rk_frame *out = r->out;
    const double unit = power_of_two(largest_of_row(r, i)), scale = 1 / unit;
    double shift = 0, square = 0, of_changes = 0, of_offsets = 0;
    out->at[i] = r->bias ? r->bias[i] : 0;
    for (size_t k = 0; k < r->n_summands; k++) {
        const double *w, *v;
        size_t at, n = row_of(&r->summand[k], i, &w, &v, &at);
        const rk_frame *from = r->summand[k].from;
        out->at[i] += sum_of_terms(n, 1, false, w, from->centre + at);
        shift += sum_of_terms(n, scale, false, v, from->mean + at);
        square += sum_of_terms(n, scale, true, v, from->deviation + at);
        of_changes += sum_of_terms(n, scale, true, v, from->of_changes + at);
        of_offsets += sum_of_terms(n, scale, true, w, from->of_offsets + at) +
                      sum_of_terms(n, scale, true, w, from->centre + at);
    }
    out->shift[i] = unit * shift;
    out->spread[i] = unit * sqrt(square);
    out->of_changes[i] = hypot(unit * sqrt(of_changes), hypot(out->shift[i], out->spread[i]));
    out->of_offsets[i] = hypot(unit * sqrt(of_offsets), out->at[i]);
}

static void sum_rows(void *context, size_t block) {
    const rows *r = context;
    for (size_t i = block * ROWS; i < r->m && i < (block + 1) * ROWS; i++)
        sum_row(r, i);
}

static const double *fill_reach(const rk_frame *from, size_t n, double *reach) {
    for (size_t j = 0; j < n; j++)
        reach[j] = fmax(fmax(fmax(fabs(from->mean[j]), from->deviation[j]), from->of_changes[j]),
                        fmax(fabs(from->centre[j]), from->of_offsets[j]));
    return reach;
}

/* The midpoint rule on so many nodes, for so many neurons at a time: far enough for what it misses
 * to be nothing in double. */
enum { NODES = 72, NEURONS = 32 };
static const double REACH = 9;

/* Mean and deviation of a neuron's increments, one every NEURONS entries, and E[x increment]. */
static void moments_of(const double *increment, const double *x, const double *weight, double *mean,
                       double *deviation, double *tilted) {
    double largest = 0, sum = 0, square = 0, product = 0;
    for (size_t k = 0; k < NODES; k++)
        largest = fmax(largest, fabs(increment[k * NEURONS]));
    const double unit = power_of_two(largest);
    for (size_t k = 0; k < NODES; k++) {
        sum += weight[k] * (increment[k * NEURONS] / unit);
        product += weight[k] * x[k] * (increment[k * NEURONS] / unit);
    }
    for (size_t k = 0; k < NODES; k++) {
        const double d = increment[k * NEURONS] / unit - sum;
        square += weight[k] * d * d;
    }
    *mean = unit * sum;
    *deviation = unit * sqrt(square);
    *tilted = unit * product;
}

/* What becomes of a small change of a neuron that has none. */
static double secant(const rk_activation *activation, double at, double centre, double reach) {
    const double step = 0x1p-26 * reach;
    double up = step, down = -step;
    if (!(step > 0)) return 0;
    rk_increments(activation, 1, &at, &centre, &up);
    rk_increments(activation, 1, &at, &centre, &down);
    return fmax(fabs(up), fabs(down)) / step;
}

/* Neurons first .. first + n - 1 through their activation. */
static void activate_some(const rk_activation *activation, size_t first, size_t n, const double *x,
                          const double *weight, rk_frame *f) {
    double increment[NODES * NEURONS] = {0};
    rk_activation_get(activation->kind)->value(activation, n, f->at + first, f->centre + first);
    for (size_t k = 0; k < NODES; k++) {
        double *d = increment + k * NEURONS;
        for (size_t i = 0; i < n; i++)
            d[i] = f->shift[first + i] + f->spread[first + i] * x[k];
        rk_increments(activation, n, f->at + first, f->centre + first, d);
    }
    for (size_t k = 0; k < n; k++) {
        const size_t i = first + k;
        double tilted;
        moments_of(increment + k, x, weight, &f->mean[i], &f->deviation[i], &tilted);
        f->slope[i] = f->spread[i] > 0 ? tilted / f->spread[i] : 0;
        const double in = hypot(f->shift[i], f->spread[i]);
        const double gain = in > 0 ? hypot(f->mean[i], f->deviation[i]) / in
                                   : secant(activation, f->at[i], f->centre[i], f->of_offsets[i]);
        f->of_changes[i] *= gain;
        f->of_offsets[i] = hypot(gain * f->of_offsets[i], f->centre[i]);
    }
}

static void activate(const rk_activation *activation, size_t m, rk_frame *f) {
    double x[NODES], weight[NODES], total = 0;
    for (size_t k = 0; k < NODES; k++) {
        x[k] = ((double)k + 0.5) * (2 * REACH / NODES) - REACH;
        total += weight[k] = exp(-x[k] * x[k] / 2);
    }
    for (size_t k = 0; k < NODES; k++)
        weight[k] /= total;
    for (size_t first = 0; first < m; first += NEURONS)
        activate_some(activation, first, m - first < NEURONS ? m - first : NEURONS, x, weight, f);
}

static bool fits_single(double x) {
    return x == 0 || (x >= SMALLEST && x <= LARGEST);
}

/* Passes of this layer in its own units: single precision may not reach them. */
static bool is_out_of_reach(const rk_layer *layer, const rk_frame *f) {
    if (rk_activation_get(layer->activation.kind)->degree == 1) return false;
    for (size_t i = 0; i < layer->rows; i++)
        if (!fits_single(hypot(f->shift[i], f->spread[i])) || !(fabs(f->at[i]) <= LARGEST) ||
            !fits_single(hypot(f->centre[i] + f->mean[i], f->deviation[i])))
            return true;
    return false;
}

static bool need_centre(const rk_network *net, const rk_frame *frames) {
    const rk_frame *last = &frames[net->n_layers - 1];
    for (size_t i = 0; i < rk_network_n_out(net); i++)
        if (!(last->of_offsets[i] <= OFFSETS * last->of_changes[i])) return true;
    for (size_t l = 0; l < net->n_layers; l++)
        if (is_out_of_reach(&net->layers[l], &frames[l])) return true;
    return false;
}

static void settle(const rk_layer *layer, bool centred, rk_frame *f) {
    const bool homogeneous = rk_activation_get(layer->activation.kind)->degree == 1;
    f->centred = centred;
    for (size_t i = 0; i < layer->rows; i++) {
        const double in = hypot(f->shift[i], f->spread[i]);
        const double out = hypot(f->mean[i], f->deviation[i]);
        f->unit_in[i] = f->unit[i] = 1;
        if (homogeneous || centred)
            f->unit_in[i] = power_of_two(centred ? in : fmax(in, fabs(f->at[i])));
        if (homogeneous || centred) f->unit[i] = homogeneous ? f->unit_in[i] : power_of_two(out);
        f->size[i] = centred ? out : hypot(f->centre[i] + f->mean[i], f->deviation[i]);
        f->rounding[i] = hypot(RK_SINGLE_ROUNDING * f->of_changes[i],
                               (centred ? DOUBLE : RK_SINGLE_ROUNDING) * f->of_offsets[i]);
        if (!centred) f->centre[i] = 0;
    }
}

static void settle_all(const rk_network *net, bool centred, rk_frame *frames) {
    centred = centred || need_centre(net, frames);
    for (size_t l = 0; l < net->n_layers; l++)
        settle(&net->layers[l], centred, &frames[l]);
}

void rk_frames_fill(rk_work *work, const rk_network *net, const double *input_mean,
                    const double *first, bool centred, rk_frame *frames) {
    const size_t mark = rk_work_mark(work), n_in = rk_network_n_in(net);
    rk_frame input = rk_frame_take(work, n_in);
    const size_t width = rk_network_max_width(net);
    double *reach = rk_work_doubles(work, width, 2);
    if (rk_work_charge(work, 0)) fill_input(&input, n_in, input_mean);
    for (size_t l = 0; l < net->n_layers; l++) {
        const rk_layer *layer = &net->layers[l];
        const size_t m = layer->rows, n = layer->cols, read = rk_network_reads(net, l);
        if (!rk_work_charge(work, 10 * (uint64_t)m * (layer->weight ? n : 1))) continue;
        const rk_frame *from = read == 0 ? &input : &frames[read - 1];
        rows r = {.m = m, .n_summands = 1, .bias = layer->bias, .out = &frames[l]};
        r.summand[0] = (summand){layer->weight, l == 0 ? first : layer->weight, n, from,
                                 fill_reach(from, n, reach)};
        size_t added;
        if (rk_network_adds(net, l, &added)) {
            from = added == 0 ? &input : &frames[added - 1];
            r.summand[r.n_summands++] =
                (summand){.n = m, .from = from, .reach = fill_reach(from, m, reach + width)};
        }
        rk_pool_run(work->pool, rk_pool_blocks(m, ROWS), sum_rows, &r);
        activate(&layer->activation, m, &frames[l]);
    }
    if (rk_work_charge(work, 0)) settle_all(net, centred, frames);
    rk_work_release(work, mark);
}

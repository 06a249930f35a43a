#include "propagate/expansion.h"

#include "base/sum.h"
#include "base/sweep.h"

#include <math.h>

rk_expansion rk_expansion_start(rk_work *work, size_t n, const rk_input *input) {
    rk_expansion e = {.variance = 1, .spread = 1, .growth = 1};
    const double *C = input->covariance;
    if (!C) return e;
    double inverse_width = rk_inverse_width(work, n, C), trace = 0;
    if (!rk_work_charge(work, n)) return e;
    for (size_t i = 0; i < n; i++)
        trace += C[i * n + i];
    e.variance = trace / (double)n;
    if (n == 1 || !(trace > 0)) return e;
    /* variances that differ count among the pairs: only the sum of all squares matters */
    e.input_excess = fmax(0, inverse_width - 1 / (double)n);
    e.pair = e.input_excess * (double)n / (double)(n - 1);
    return e;
}

/* As uneven as the variances of a random layer get; what is beyond is no accident. */
static const double most_spread = 3;

/* 1 / (effective width) of n neurons whose pairs have this mean square correlation. */
static double inverse_width(double spread, size_t n, double pair) {
    return (fmin(spread, most_spread) + (double)(n - 1) * pair) / (double)n;
}

/* Random weights: as a network is that is as wide before a layer as behind it. Few inputs and
 * bottlenecks are not expected. */
static void expect_linear(rk_work *work, const rk_layer *layer, rk_expansion *e) {
    size_t m = layer->rows, n = layer->cols;
    if (!rk_work_charge(work, 8)) return;
    e->pair = inverse_width(e->spread, n, e->pair);
    e->correlation = inverse_width(e->spread, m > n ? m : n, e->correlation);
}

/* As many as cost `mean` two per cent of 256 neurons. */
enum { MOST_ROWS = 8, FEW_ROWS = 2, MANY_NEURONS = 256, SEEN_ROWS = 4 };

/* So many rows, evenly spaced. */
static size_t sampled_rows(const rk_layer *layer) {
    size_t most = layer->cols < MANY_NEURONS ? MOST_ROWS : FEW_ROWS;
    return layer->rows < most ? layer->rows : most;
}

static const double *sampled_row(const rk_layer *layer, size_t k) {
    return layer->weight + k * layer->rows / sampled_rows(layer) * layer->cols;
}

/* By chance the mean square cosine of so few pairs is hardly ever more than this times what random
 * rows have. */
static double tolerated_cosine(size_t pairs) {
    return 1 + 14 / pow((double)pairs, 0.7); /* 15 of one, 2.4 of 28: once in ten thousand layers */
}

/* The mean square cosine of pairs of a few rows, 0 if there are none; 0 in the dry run. */
static double sampled_cosine(rk_work *work, const rk_layer *layer) {
    size_t n = layer->cols, rows = sampled_rows(layer);
    double squares[MOST_ROWS], overlap = 0, norm = 0;
    if (!rk_work_charge(work, (uint64_t)(rows * (rows + 1) * n))) return 0;
    for (size_t k = 0; k < rows; k++) {
        const double *W = sampled_row(layer, k);
        squares[k] = rk_dot(n, W, W);
        for (size_t i = 0; i < k; i++) {
            double dot = rk_dot(n, W, sampled_row(layer, i));
            overlap += dot * dot;
            norm += squares[k] * squares[i];
        }
    }
    return norm > 0 ? overlap / norm : 0;
}

void rk_expansion_linear_sampled(rk_work *work, const rk_layer *layer, rk_expansion *e,
                                 rk_regime *regime) {
    size_t rows = sampled_rows(layer);
    expect_linear(work, layer, e);
    double cosine = sampled_cosine(work, layer);
    if (cosine * (double)layer->cols > tolerated_cosine(rows * (rows - 1) / 2)) regime->alike++;
}

/* Rows in four dimensions or fewer of more than eight; the first layer's input may have so few. */
static const double parallel_cosine = 0.25;
enum { FEW_COLUMNS = 8 };

void rk_expansion_linear(rk_work *work, const rk_layer *layer, rk_expansion *e, rk_regime *regime) {
    expect_linear(work, layer, e);
    double cosine = sampled_cosine(work, layer);
    if (e->entered && layer->cols > FEW_COLUMNS && cosine > parallel_cosine) regime->parallel++;
    e->entered = true;
}

void rk_expansion_read(const rk_layer *layer, rk_expansion *e) {
    if (layer->weight) e->unmixed = 0;
}

/* How much a relative error of the input becomes of one of the output: one of its scale (by scale
 * invariance of the Gaussian E[(phi^2)'(z) (z - mu)] = var E[(phi^2)''(z)]), or one of its variance
 * alone, which rules where neurons rarely fire. */
static double growth(size_t n, const rk_layer *layer, const double *w, int k_max,
                     const double *centre, const double *mu, const double *var_z,
                     const double *var_h) {
    const double *w1[3], *w2[3];
    for (int k = 0; k <= 2; k++) {
        w1[k] = w + rk_wick_at(n, k_max, k, 1);
        w2[k] = w + rk_wick_at(n, k_max, k, 2);
    }
    double change = 0, total = 0, widened = 0, variance = 0;
    for (size_t i = 0; i < n; i++) {
        double m = mu[i] - (layer->bias ? layer->bias[i] : 0);
        double c = centre[i], square = c * c + 2 * c * w1[0][i] + w2[0][i];
        double slope = 2 * c * w1[1][i] + w2[1][i], curvature = 2 * c * w1[2][i] + w2[2][i];
        change += curvature * var_z[i] + slope * m;
        total += 2 * square;
        widened += (w2[2][i] / 2 - w1[0][i] * w1[2][i]) * var_z[i]; /* of phi about any centre */
        variance += var_h[i];
    }
    return fmax(total > 0 ? change / total : 1, variance > 0 ? widened / variance : 0);
}

/* Share of a layer's variance: what is missing at saturated neurons is not worth more. */
static const double most_negative = 0.01;

void rk_expansion_activate(rk_work *work, const rk_layer *layer, const double *w, int k_max,
                           int p_max, const double *centre, const double *mu, const double *var_z,
                           const double *var_h, rk_expansion *e, rk_regime *regime) {
    size_t n = layer->rows;
    if (!rk_work_charge(work, 14 * (uint64_t)n)) return;
    const double *slope = w + rk_wick_at(n, k_max, 1, 1);
    double variance = 0, squares = 0, linear = 0, negative = 0;
    for (size_t i = 0; i < n; i++) {
        variance += var_h[i];
        squares += var_h[i] * var_h[i];
        linear += slope[i] * slope[i] * var_z[i];
        negative += fmax(0, -var_h[i]);
    }
    e->variance = variance / (double)n;
    e->spread = variance > 0 ? squares * (double)n / (variance * variance) : 1;
    e->roughness = variance > linear ? 1 - linear / variance : 0;
    double kept = (1 - e->roughness) * (1 - e->roughness);
    e->correlation *= kept;
    e->pair *= kept;
    e->total_roughness += e->roughness;
    e->unmixed = fmax(e->unmixed, e->roughness);
    if (p_max >= 2) e->growth = growth(n, layer, w, k_max, centre, mu, var_z, var_h);
    if (!(negative <= most_negative * variance)) regime->diverged++;
}

/* Keeps the layer that is narrowest against what random weights would make of it. */
static void notice(size_t l, double independent, double excess, rk_regime *regime) {
    if (!(excess > regime->concentration)) return;
    regime->concentration = excess;
    regime->narrow_layer = l;
    regime->effective_width = fmax(1, 1 / (independent * excess));
}

/* With the wrong variances (relative mean square 2 input_excess) the first means are off. Between
 * hidden layers, where the laws were fitted, the excess is about twice the roughness over the width
 * and adds a layer's term; that the law's depth does not count the input takes another factor 2. */
void rk_expansion_input(rk_work *work, size_t n_in, const rk_expansion *e, rk_regime *regime) {
    if (!rk_work_charge(work, 6)) return;
    double independent = 1 / (double)n_in;
    regime->input_expansion = 4 * e->roughness * e->input_excess;
    regime->input_slenderness = e->input_excess;
    regime->first_expansion = e->roughness * independent;
    regime->first_slenderness = independent;
    notice(0, independent, 1 + e->input_excess / independent, regime);
}

/* How the next layer reads this one: row i of W gives neuron j the share s_ij = W_ij^2 C_jj / q_i
 * of its variance (were the neurons independent: q_i is the sum). */
typedef struct reading {
    double width;  /* 1 / (effective number of directions that are read) */
    double row;    /* average over rows of sum_j s_ij^2: 3 / n for independent normal weights */
    double uneven; /* mean square over squared mean of u_j, the average over rows of W_ij^2 / q_i */
    double total;  /* sum over rows of q_i */
} reading;

typedef struct shares {
    const rk_layer *next;
    const double *C, *var; /* of its inputs */
    double *q, *fourths;   /* of its rows: the sum of the shares, before they are divided by it; and
                              of their squares */
    double *u;             /* of its inputs: the sum of W_ij^2 / q_i */
    double *seen;          /* sum_k u_k C_jk^2 */
} shares;

/* Rows are summed in order, several at a time: an addition waits for the one before. */
enum { LANES = 4 };

static void sum_shares(void *context, size_t first, size_t last) {
    const shares *s = context;
    const size_t n = s->next->cols;
    for (size_t i = first; i < last; i += LANES) {
        const double *W[LANES];
        double q[LANES] = {0}, fourths[LANES] = {0};
        for (size_t r = 0; r < LANES; r++)
            W[r] = s->next->weight + (i + r < last ? i + r : i) * n;
        for (size_t j = 0; j < n; j++)
            for (size_t r = 0; r < LANES; r++) {
                double share = W[r][j] * W[r][j] * s->var[j];
                q[r] += share;
                fourths[r] += share * share;
            }
        for (size_t r = 0; r < LANES && i + r < last; r++) {
            s->q[i + r] = q[r];
            s->fourths[i + r] = fourths[r];
        }
    }
}

static void sum_columns(void *context, size_t first, size_t last) {
    const shares *s = context;
    const size_t m = s->next->rows, n = s->next->cols;
    for (size_t j = first; j < last; j++)
        s->u[j] = 0;
    for (size_t i = 0; i < m; i++) {
        const double *W = s->next->weight + i * n;
        if (!(s->q[i] > 0)) continue;
        double inverse = 1 / s->q[i];
        for (size_t j = first; j < last; j++)
            s->u[j] += W[j] * W[j] * inverse;
    }
}

static void sum_seen(void *context, size_t first, size_t last) {
    const shares *s = context;
    const size_t n = s->next->cols;
    for (size_t i = first; i < last; i += LANES) {
        const double *row[LANES];
        double seen[LANES] = {0};
        for (size_t r = 0; r < LANES; r++)
            row[r] = s->C + (i + r < last ? i + r : i) * n;
        for (size_t k = 0; k < n; k++)
            for (size_t r = 0; r < LANES; r++)
                seen[r] += s->u[k] * row[r][k] * row[r][k];
        for (size_t r = 0; r < LANES && i + r < last; r++)
            s->seen[i + r] = seen[r];
    }
}

static reading read_by(rk_work *work, const rk_layer *next, const double *C) {
    size_t m = next->rows, n = next->cols, mark = rk_work_mark(work);
    double *var = rk_work_doubles(work, n, 1);
    shares s = {.next = next,
                .C = C,
                .var = var,
                .q = rk_work_doubles(work, m, 1),
                .fourths = rk_work_doubles(work, m, 1),
                .u = rk_work_doubles(work, n, 1),
                .seen = rk_work_doubles(work, n, 1)};
    reading r = {0};
    if (rk_work_charge(work, 7 * (uint64_t)m * n + 3 * (uint64_t)n * n)) {
        double rows = 0, total = 0, sum = 0, squares = 0, all = 0;
        for (size_t j = 0; j < n; j++)
            var[j] = C[j * n + j];
        rk_sweep(work->pool, m, n, sum_shares, &s);
        rk_sweep(work->pool, n, m, sum_columns, &s);
        rk_sweep(work->pool, n, n, sum_seen, &s);
        for (size_t i = 0; i < m; i++) {
            if (!(s.q[i] > 0)) continue;
            double inverse = 1 / s.q[i];
            r.row += s.fourths[i] * inverse * inverse;
            all += s.q[i];
            rows++;
        }
        for (size_t j = 0; j < n; j++) {
            total += s.u[j] * s.seen[j];
            sum += s.u[j];
            squares += s.u[j] * s.u[j];
        }
        if (rows > 0)
            r = (reading){total / (rows * rows), r.row / rows, squares * (double)n / (sum * sum),
                          all};
    }
    rk_work_release(work, mark);
    return r;
}

/* The same by a few rows, neurons taken as alike; what their unevenness may be by chance is none.
 */
static reading guess(rk_work *work, const rk_layer *next, const rk_expansion *e) {
    static const double chance = 1.5;
    size_t n = next->cols, rows = (sampled_rows(next) + 1) / 2;
    reading r = {.width = (e->spread + (double)(n - 1) * e->pair) / (double)n};
    if (!rk_work_charge(work, 4 * (uint64_t)(rows * n))) return r;
    for (size_t k = 0; k < rows; k++) {
        const double *W = sampled_row(next, k);
        double squares = 0, fourths = 0;
        for (size_t j = 0; j < n; j++) {
            double square = W[j] * W[j];
            squares += square;
            fourths += square * square;
        }
        if (squares > 0) r.row += fourths / (squares * squares) / (double)rows;
    }
    if (r.row * (double)n < 3 * chance) r.row = 0;
    r.row *= fmin(e->spread, most_spread);
    return r;
}

/* Random layers stay below 3, and those of large biases that saturate below 6; columns of random
 * weights are nearly of one length. */
static const double most_uneven = 8, most_unevenly_read = 3;

/* How much more or less than of independent neurons the variance of z is: rows that are aligned
 * with the directions of C, or against each other. Where weights are random neither, up to chance;
 * training does it. */
static double alignment(rk_work *work, const rk_layer *next, const reading *r, const double *C,
                        const double *var_z) {
    static const double chance = 1.1;
    size_t m = next->rows, n = next->cols, rows = m < SEEN_ROWS ? m : SEEN_ROWS;
    double exact = 0, independent = r->total;
    if (var_z) {
        if (!rk_work_charge(work, m)) return 1;
        exact = rk_sum(m, var_z);
    } else {
        if (!rk_work_charge(work, rows * (2 * (uint64_t)n * n + 5 * n))) return 1;
        independent = 0;
        for (size_t k = 0; k < rows; k++) {
            const double *W = next->weight + k * m / rows * n;
            for (size_t j = 0; j < n; j++) {
                exact += W[j] * rk_dot(n, C + j * n, W);
                independent += W[j] * W[j] * C[j * n + j];
            }
        }
    }
    if (!(exact > 0) || !(independent > 0)) return 1;
    return fmax(1, fmax(exact / independent, independent / exact) / chance);
}

void rk_expansion_close(rk_work *work, size_t l, const rk_layer *next, bool is_last,
                        const rk_expansion *e, const double *C, const double *var_z,
                        rk_regime *regime) {
    size_t n = next->cols;
    reading r = C ? read_by(work, next, C) : guess(work, next, e);
    double aligned = C ? alignment(work, next, &r, C, var_z) : 1;
    if (!rk_work_charge(work, 20)) return;
    double independent = 1 / (double)n, growth = fmax(1, e->growth);
    double narrower = r.width / inverse_width(e->spread, n, e->correlation);
    double fewer = r.row * (double)n / (3 * fmin(e->spread, most_spread));
    double excess = fmax(1, narrower) * fmax(1, fewer) * aligned;
    double expansion = regime->expansion * growth + e->unmixed * independent * excess;
    double slenderness = regime->slenderness + independent * excess;
    regime->whole_expansion = expansion;
    regime->whole_slenderness = slenderness;
    regime->whole_independent = regime->independent + independent;
    if (is_last) return;
    notice(l, independent, excess, regime);
    regime->unevenness =
        fmax(regime->unevenness, fmax(e->spread / most_uneven, r.uneven / most_unevenly_read));
    regime->closed_layers++;
    regime->independent += independent;
    regime->slenderness = slenderness;
    regime->log_growth += log(growth);
    regime->expansion = expansion;
}

/* Some rows of the last layer, pulled back to the inputs of the one before. */
typedef struct pulled {
    const rk_layer *layer;
    size_t rows;
    const double *pull; /* rows x m: of its neurons */
    const double *C;    /* of its inputs; NULL: the identity */
    double *a;          /* rows x n: of its inputs */
    double *Ca;         /* rows x n */
} pulled;

static void pull_columns(void *context, size_t first, size_t last) {
    const pulled *p = context;
    const size_t m = p->layer->rows, n = p->layer->cols;
    for (size_t k = 0; k < p->rows; k++) {
        double *a = p->a + k * n;
        for (size_t j = first; j < last; j++)
            a[j] = 0;
        for (size_t i = 0; i < m; i++) {
            const double *W = p->layer->weight + i * n;
            double pull = p->pull[k * m + i];
            for (size_t j = first; j < last; j++)
                a[j] += pull * W[j];
        }
    }
}

static void multiply_pulled(void *context, size_t first, size_t last) {
    const pulled *p = context;
    const size_t n = p->layer->cols;
    for (size_t j = first; j < last; j++)
        for (size_t k = 0; k < p->rows; k++) {
            const double *a = p->a + k * n;
            p->Ca[k * n + j] = p->C ? rk_dot(n, p->C + j * n, a) : a[j];
        }
}

void rk_expansion_look_ahead(rk_work *work, const rk_layer *layer, const size_t *order,
                             const rk_layer *last, const double *C, const double *slope,
                             const double *var_z, const double *var_h, rk_expansion *e) {
    size_t m = layer->rows, n = layer->cols, rows = last->rows < SEEN_ROWS ? last->rows : SEEN_ROWS;
    size_t mark = rk_work_mark(work);
    double *pull = rk_work_doubles(work, rows, m);
    pulled p = {
        layer, rows, pull, C, rk_work_doubles(work, rows, n), rk_work_doubles(work, rows, n)};
    uint64_t flops = 2 * (uint64_t)m * n + 9 * (uint64_t)m + (C ? 2 * (uint64_t)n + 2 : 2) * n;
    if (rk_work_charge(work, rows * flops)) {
        double seen = 0, squares = 0, sum = 0;
        for (size_t k = 0; k < rows; k++) {
            const double *W = last->weight + k * last->rows / rows * m;
            for (size_t i = 0; i < m; i++)
                pull[k * m + i] = W[order ? order[i] : i] * slope[i];
        }
        rk_sweep(work->pool, n, rows * m, pull_columns, &p);
        rk_sweep(work->pool, n, rows * (C ? n : 1), multiply_pulled, &p);
        for (size_t i = 0; i < m; i++)
            sum += var_h[i];
        for (size_t k = 0; k < rows; k++) {
            const double *W = last->weight + k * last->rows / rows * m;
            for (size_t i = 0; i < m; i++) {
                double w = W[order ? order[i] : i], by = pull[k * m + i];
                seen += w * w * var_h[i] - by * by * var_z[i];
                squares += w * w;
            }
            for (size_t j = 0; j < n; j++)
                seen += p.a[k * n + j] * p.Ca[k * n + j];
        }
        e->variance = seen > 0 ? seen / squares : sum / (double)m;
    }
    rk_work_release(work, mark);
}

#include "tail/importance.h"

#include "base/gamma.h"
#include "base/normal.h"
#include "tail/log_probability.h"
#include "tail/passes.h"

#include <math.h>

typedef struct scorer {
    const rk_importance_spec *spec;
    uint64_t end[RK_MAX_PARTS];    /* the pass after the last of each part */
    double constant[RK_MAX_PARTS]; /* log share - sum log deviation */
    double square[RK_MAX_PARTS];   /* |mean / deviation|^2 */
    double log_uniform;            /* log integral of r^(n-1) exp(-r^2/2) dr */
    double *log_weight;            /* of every pass */
    rk_tilted_sample sample;       /* of the tilts alone: other parts' l is far from normal */
    uint64_t n_tilted;             /* the passes in it, the first ones */
} scorer;

/* Pass i of part k: the parts are strata of fixed sizes. */
static void draw(void *context, uint64_t i, float *y) {
    const scorer *s = context;
    const rk_proposal *p = s->spec->proposal;
    size_t k = 0;
    while (i >= s->end[k])
        k++;
    rk_normal_floats(s->spec->stream, i, p->n, y);
    for (size_t j = 0; j < p->n; j++)
        y[j] = (float)(p->part[k].mean[j] + p->part[k].deviation[j] * (double)y[j]);
}

static double square_of(size_t n, const float *y) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)y[i] * (double)y[i];
    return sum;
}

/* log dN(0, I) / d(the first parts of the mixture) at y. */
static double log_ratio(const scorer *s, const float *y, size_t n_parts) {
    const rk_proposal *p = s->spec->proposal;
    double mixture = -INFINITY;
    for (size_t k = 0; k < n_parts; k++) {
        double square = 0;
        for (size_t i = 0; i < p->n; i++) {
            double g = ((double)y[i] - p->part[k].mean[i]) / p->part[k].deviation[i];
            square += g * g;
        }
        mixture = rk_log_add(mixture, s->constant[k] - 0.5 * square);
    }
    return -0.5 * square_of(p->n, y) - mixture;
}

enum { NODES = 8 };

/* log of the integral of r^(n-1) exp(-a r^2/2 + b r) over r > 0: the trapezoidal rule in log r,
 * about the maximum. The integrand is nearly normal there, so that 17 nodes give ten digits. */
static double log_radial_integral(double n, double a, double b) {
    double root = sqrt(b * b + 4 * a * n);
    double r = b > 0 ? (b + root) / (2 * a) : 2 * n / (root - b);
    double step = 0.9 / sqrt(a * r * r + n), peak = n * log(r) + (b - 0.5 * a * r) * r, sum = 0;
    for (int node = -NODES; node <= NODES; node++) {
        double s = r * exp(node * step);
        sum += exp(n * (node * step) + (b - 0.5 * a * s) * s - (b - 0.5 * a * r) * r);
    }
    return peak + log(sum * step);
}

/* log of part k's density of directions at y/|y|, up to a constant they all share. */
static double log_direction_density(const scorer *s, size_t k, const float *y, double length) {
    const rk_proposal *p = s->spec->proposal;
    const struct rk_proposal_part *part = &p->part[k];
    double a = 0, b = 0;
    for (size_t i = 0; i < p->n; i++) {
        double u = (double)y[i] / part->deviation[i];
        a += u * u;
        b += u * part->mean[i] / part->deviation[i];
    }
    a /= length * length;
    b /= length;
    return s->constant[k] - 0.5 * s->square[k] + log_radial_integral((double)p->n, a, b);
}

/* log of P(a point in this direction is in the event) / its density there, z = z(y) > 0. */
static double log_direction_weight(const scorer *s, const float *y, double z) {
    const rk_proposal *p = s->spec->proposal;
    double length = sqrt(square_of(p->n, y)), mixture = -INFINITY;
    for (size_t k = 0; k < p->n_parts; k++)
        mixture = rk_log_add(mixture, log_direction_density(s, k, y, length));
    return rk_log_chi_tail(p->n, s->spec->t / z * length) + s->log_uniform - mixture;
}

/* What a pass adds to the average; -infinity if nothing. */
static double log_weight(const scorer *s, const float *y, double z) {
    if (s->spec->radial) return z > 0 ? log_direction_weight(s, y, z) : -INFINITY;
    return z > s->spec->t ? log_ratio(s, y, s->spec->proposal->n_parts) : -INFINITY;
}

static void score(void *context, const rk_scored_block *block) {
    const scorer *s = context;
    for (size_t r = 0; r < block->n; r++) {
        const float *y = block->y + r * s->spec->proposal->n;
        double z = (double)block->z[r];
        s->log_weight[block->first + r] = log_weight(s, y, z);
        if (block->first + r >= s->n_tilted) continue;
        s->sample.z[block->first + r] = z;
        s->sample.log_ratio[block->first + r] =
            log_ratio(s, y, s->sample.n_parts) + log((double)s->n_tilted / (double)s->spec->n);
    }
}

static void prepare(scorer *s) {
    const rk_proposal *p = s->spec->proposal;
    for (size_t k = 0; k < p->n_parts; k++) {
        s->end[k] = (k ? s->end[k - 1] : 0) + rk_passes_of_part(p, k, s->spec->n);
        s->constant[k] = log((double)rk_passes_of_part(p, k, s->spec->n) / (double)s->spec->n);
        s->square[k] = 0;
        for (size_t i = 0; i < p->n; i++) {
            double x = p->part[k].mean[i] / p->part[k].deviation[i];
            s->constant[k] -= log(p->part[k].deviation[i]);
            s->square[k] += x * x;
        }
    }
    s->log_uniform = ((double)p->n / 2 - 1) * 0.6931471805599453 + rk_log_gamma((double)p->n / 2);
}

/* Sums over passes, weights divided by their largest. */
typedef struct sums {
    double w, w_squared, w_log, w_log_squared; /* of w, w^2, w log w, w (log w)^2 */
    double variance;                           /* of the first, the parts being strata */
} sums;

static sums add_up(const scorer *s, double peak) {
    sums total = {0};
    uint64_t i = 0;
    for (size_t k = 0; k < s->spec->proposal->n_parts; k++) {
        uint64_t count = rk_passes_of_part(s->spec->proposal, k, s->spec->n), end = i + count;
        double sum = 0, square = 0;
        for (; i < end; i++) {
            double log_w = s->log_weight[i] - peak, w = exp(log_w);
            if (w == 0) continue;
            sum += w;
            square += w * w;
            total.w_log += w * log_w;
            total.w_log_squared += w * log_w * log_w;
        }
        total.w += sum;
        total.w_squared += square;
        if (count > 1)
            total.variance +=
                (square - sum * sum / (double)count) * (double)count / ((double)count - 1);
    }
    return total;
}

/* E[w^2] / E[w]^2 is the average of w / E[w] in the law weighted with w. There log w is nearly
 * normal, and its mean and variance are known long before the few largest weights, on which the sum
 * of squares depends, have all been seen. */
static double log_normal_second_moment(const sums *total, double n) {
    double mean = total->w_log / total->w;
    double variance = total->w_log_squared / total->w - mean * mean;
    return exp(mean + 0.5 * variance) * n / total->w;
}

static void average(const scorer *s, rk_weighted_mean *out) {
    double peak = -INFINITY, n = (double)s->spec->n;
    for (uint64_t i = 0; i < s->spec->n; i++)
        peak = fmax(peak, s->log_weight[i]);
    *out = (rk_weighted_mean){.log_mean = -INFINITY, .cv = (double)NAN, .n = s->spec->n};
    if (peak == -INFINITY) return;
    sums total = add_up(s, peak);
    out->log_mean = peak + log(total.w / n);
    double seen = fmax(total.variance, 0) / (total.w * total.w);
    double expected = (log_normal_second_moment(&total, n) - 1) / n;
    out->cv = sqrt(fmax(seen, expected));
    out->effective = total.w * total.w / total.w_squared;
}

bool rk_importance(rk_work *work, const rk_network *net, const rk_importance_spec *spec,
                   rk_weighted_mean *unbiased, rk_weighted_mean *smooth) {
    size_t mark = rk_work_mark(work), n = (size_t)spec->n;
    const rk_proposal *p = spec->proposal;
    scorer s = {
        .spec = spec, .log_weight = rk_work_doubles(work, n, 1), .sample.n_parts = p->n_tilts};
    for (size_t k = 0; smooth && k < p->n_tilts; k++)
        s.n_tilted += s.sample.count[k] = rk_passes_of_part(p, k, n);
    if (smooth) {
        s.sample.z = rk_work_doubles(work, n, 1);
        s.sample.log_ratio = rk_work_doubles(work, n, 1);
    }
    uint64_t densities = (smooth != NULL || !spec->radial) + (spec->radial ? 1U : 0U);
    uint64_t each = p->n_parts * (4 * p->n * densities + (spec->radial ? 10 * (2 * NODES + 1) : 0));
    while (s.n_tilted > 0 &&
           s.sample.count[s.sample.n_parts - 1] == 0) /* too few passes for the last part */
        s.sample.n_parts--;
    if (rk_work_charge(work, n * each)) prepare(&s);
    rk_scored_spec passes = {.n = spec->n,
                             .lanes = spec->lanes,
                             .axes = p->axes,
                             .centred = spec->centred,
                             .draw = draw,
                             .score = score,
                             .context = &s};
    bool done = rk_score_passes(work, net, &passes);
    if (done && rk_work_charge(work, 10 * n)) average(&s, unbiased);
    if (done && smooth && !work->dry && unbiased->cv <= spec->sharp) {
        *smooth = (rk_weighted_mean){.log_mean = (double)NAN, .cv = (double)NAN};
        smooth = NULL;
    }
    if (done && smooth && rk_work_charge(work, 20 * n * RK_SADDLEPOINT_STEPS))
        *smooth = rk_sampled_saddlepoint(&s.sample, spec->t);
    rk_work_release(work, mark);
    return done;
}

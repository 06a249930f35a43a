#include "tail/importance.h"

#include "base/normal.h"
#include "tail/log_probability.h"
#include "tail/passes.h"

#include <math.h>

typedef struct scorer {
    const rk_proposal *proposal;
    uint64_t n;
    rk_stream stream;
    double t;
    double
        constant[RK_MAX_PARTS]; /* log share - sum log deviation - |mean/deviation|^2/2 if radial */
    double log_uniform;         /* radial: log integral of r^(n-1) exp(-r^2/2) dr */
    double *log_weight;         /* of every pass */
} scorer;

/* Pass i of part k: the parts are strata of fixed sizes. */
static void draw(void *context, uint64_t i, float *y) {
    const scorer *s = context;
    const rk_proposal *p = s->proposal;
    size_t k = 0;
    for (uint64_t end = rk_passes_of_part(p, 0, s->n); i >= end;)
        end += rk_passes_of_part(p, ++k, s->n);
    rk_normal_floats(s->stream, i, p->n, y);
    for (size_t j = 0; j < p->n; j++)
        y[j] = (float)(p->part[k].mean[j] + p->part[k].deviation[j] * (double)y[j]);
}

/* log N(y; part k) + log share, without (2 pi)^(-n/2). */
static double log_density(const scorer *s, size_t k, const float *y) {
    const struct rk_proposal_part *part = &s->proposal->part[k];
    double square = 0;
    for (size_t i = 0; i < s->proposal->n; i++) {
        double g = ((double)y[i] - part->mean[i]) / part->deviation[i];
        square += g * g;
    }
    return s->constant[k] - 0.5 * square;
}

static void score_points(void *context, const rk_pass_block *block) {
    const scorer *s = context;
    size_t n = s->proposal->n;
    for (size_t r = 0; r < block->n; r++) {
        const float *y = block->y + r * n;
        double *weight = &s->log_weight[block->first + r], square = 0, mixture = -INFINITY;
        *weight = -INFINITY;
        if (!((double)block->z[r] > s->t)) continue;
        for (size_t i = 0; i < n; i++)
            square += (double)y[i] * (double)y[i];
        for (size_t k = 0; k < s->proposal->n_parts; k++)
            mixture = rk_log_add(mixture, log_density(s, k, y));
        *weight = -0.5 * square - mixture;
    }
}

/* log of the integral of r^(n-1) exp(-a r^2/2 + b r) over r > 0: the trapezoidal rule in log r,
 * about the maximum. The integrand is nearly normal there, so that 33 nodes give all digits. */
static double log_radial_integral(double n, double a, double b) {
    double root = sqrt(b * b + 4 * a * n);
    double r = b > 0 ? (b + root) / (2 * a) : 2 * n / (root - b);
    double step = 0.5 / sqrt(a * r * r + n), peak = n * log(r) + (b - 0.5 * a * r) * r, sum = 0;
    for (int node = -16; node <= 16; node++) {
        double s = r * exp(node * step);
        sum += exp(n * (node * step) + (b - 0.5 * a * s) * s - (b - 0.5 * a * r) * r);
    }
    return peak + log(sum * step);
}

/* log of part k's density of directions at y/|y|, up to a constant they all share. */
static double log_direction_density(const scorer *s, size_t k, const float *y, double length) {
    const struct rk_proposal_part *part = &s->proposal->part[k];
    double a = 0, b = 0;
    for (size_t i = 0; i < s->proposal->n; i++) {
        double u = (double)y[i] / part->deviation[i];
        a += u * u;
        b += u * part->mean[i] / part->deviation[i];
    }
    a /= length * length;
    b /= length;
    return s->constant[k] + log_radial_integral((double)s->proposal->n, a, b);
}

static void score_directions(void *context, const rk_pass_block *block) {
    const scorer *s = context;
    size_t n = s->proposal->n;
    for (size_t r = 0; r < block->n; r++) {
        const float *y = block->y + r * n;
        double *weight = &s->log_weight[block->first + r], square = 0, mixture = -INFINITY;
        *weight = -INFINITY;
        if (!((double)block->z[r] > 0)) continue;
        for (size_t i = 0; i < n; i++)
            square += (double)y[i] * (double)y[i];
        double length = sqrt(square),
               beyond = rk_log_chi_tail(n, s->t / (double)block->z[r] * length);
        for (size_t k = 0; k < s->proposal->n_parts; k++)
            mixture = rk_log_add(mixture, log_direction_density(s, k, y, length));
        *weight = beyond + s->log_uniform - mixture;
    }
}

static void prepare(scorer *s, bool radial) {
    const rk_proposal *p = s->proposal;
    for (size_t k = 0; k < p->n_parts; k++) {
        s->constant[k] = log((double)rk_passes_of_part(p, k, s->n) / (double)s->n);
        for (size_t i = 0; i < p->n; i++) {
            double x = p->part[k].mean[i] / p->part[k].deviation[i];
            s->constant[k] -= log(p->part[k].deviation[i]) + (radial ? 0.5 * x * x : 0);
        }
    }
    s->log_uniform = ((double)p->n / 2 - 1) * 0.6931471805599453 + lgamma((double)p->n / 2);
}

/* Sums over passes, weights divided by their largest. */
typedef struct sums {
    double w, w_squared, w_log, w_log_squared; /* of w, w^2, w log w, w (log w)^2 */
    double variance;                           /* of the first, the parts being strata */
} sums;

static sums add_up(const scorer *s, double peak) {
    sums total = {0};
    uint64_t i = 0;
    for (size_t k = 0; k < s->proposal->n_parts; k++) {
        uint64_t count = rk_passes_of_part(s->proposal, k, s->n), end = i + count;
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
    double peak = -INFINITY, n = (double)s->n;
    for (uint64_t i = 0; i < s->n; i++)
        peak = fmax(peak, s->log_weight[i]);
    *out = (rk_weighted_mean){.log_mean = -INFINITY, .cv = (double)NAN, .n = s->n};
    if (peak == -INFINITY) return;
    sums total = add_up(s, peak);
    out->log_mean = peak + log(total.w / n);
    double seen = fmax(total.variance, 0) / (total.w * total.w);
    double expected = (log_normal_second_moment(&total, n) - 1) / n;
    out->cv = sqrt(fmax(seen, expected));
    out->effective = total.w * total.w / total.w_squared;
}

bool rk_importance(rk_work *work, const rk_network *net, double t, bool radial,
                   const rk_proposal *proposal, uint64_t n, rk_stream stream, size_t lanes,
                   rk_weighted_mean *out) {
    size_t mark = rk_work_mark(work);
    scorer s = {.proposal = proposal,
                .n = n,
                .stream = stream,
                .t = t,
                .log_weight = rk_work_doubles(work, (size_t)n, 1)};
    uint64_t each = proposal->n_parts * (4 * proposal->n + (radial ? 10 * 33 : 0));
    if (rk_work_charge(work, n * each)) prepare(&s, radial);
    rk_passes_spec spec = {.n = n,
                           .lanes = lanes,
                           .axes = proposal->axes,
                           .draw = draw,
                           .score = radial ? score_directions : score_points,
                           .context = &s};
    bool done = rk_passes(work, net, &spec);
    if (done && rk_work_charge(work, 0)) average(&s, out);
    rk_work_release(work, mark);
    return done;
}

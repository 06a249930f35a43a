#include "tail/grow.h"

#include "linalg/blas.h"
#include "tail/log_probability.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ITERATIONS = 20, PATIENCE = 2 };

/* Variances of fewer points are drawn towards 1. */
#define PRIOR 5.0
/* Below 1/2 the weights of points far from the part have no second moment. */
#define LEAST_VARIANCE 0.7
/* Shares that a part keeps at least, the tilt being judged from afar. */
#define LEAST_SHARE  0.005
#define MIRROR_SHARE 0.02
#define TILT_SHARE   0.1
/* A new part has to lower the logarithm of the second moment by this. */
#define WORTH 0.05

typedef struct fit {
    rk_proposal *p;
    const rk_population *points;
    double *log_density; /* RK_MAX_PARTS x n: of each part at each point, shares left out */
    double *log_normal;  /* n: of N(0, I), the constant of all densities left out */
    double *log_mixture; /* n */
    double *kept;        /* the best parts: RK_MAX_PARTS x (mean, deviation, share) */
} fit;

static double weight_of(const fit *f, uint64_t i) {
    return f->points->weight[i];
}

static bool is_judge(const fit *f, uint64_t i) {
    (void)f;
    return i % 2 == 1;
}

static void evaluate(fit *f, size_t k) {
    const struct rk_proposal_part *part = &f->p->part[k];
    size_t n = f->p->n;
    double constant = 0;
    for (size_t j = 0; j < n; j++)
        constant -= log(part->deviation[j]);
    for (uint64_t i = 0; i < f->points->n; i++) {
        const float *y = f->points->y + i * n;
        double square = 0;
        for (size_t j = 0; j < n; j++) {
            double g = ((double)y[j] - part->mean[j]) / part->deviation[j];
            square += g * g;
        }
        f->log_density[k * f->points->n + i] = constant - 0.5 * square;
    }
}

static void mix(fit *f) {
    for (uint64_t i = 0; i < f->points->n; i++) {
        f->log_mixture[i] = -INFINITY;
        for (size_t k = 0; k < f->p->n_parts; k++)
            f->log_mixture[i] = rk_log_add(
                f->log_mixture[i], log(f->p->part[k].share) + f->log_density[k * f->points->n + i]);
    }
}

/* log of the average weight over the points that nothing is fitted to: E[w^2] / P of a pass. */
static double judge(const fit *f) {
    double sum = -INFINITY;
    for (uint64_t i = 0; i < f->points->n; i++)
        if (is_judge(f, i))
            sum = rk_log_add(sum, log(weight_of(f, i)) + f->log_normal[i] - f->log_mixture[i]);
    return sum;
}

/* A part about the fitted point of the largest weight, drawn towards 0 by what of its length is
 * noise of n_in coordinates: n_in / |y|^2. */
static void begin_part(fit *f, size_t k) {
    size_t n = f->p->n;
    uint64_t heaviest = 0;
    double weight = -INFINITY;
    for (uint64_t i = 0; i < f->points->n; i++) {
        double own = log(weight_of(f, i)) + f->log_normal[i] - f->log_mixture[i];
        if (is_judge(f, i) || own <= weight) continue;
        weight = own;
        heaviest = i;
    }
    const double square = -2 * f->log_normal[heaviest];
    const double keep = fmax(1 - (double)n / square, 0.1);
    for (size_t j = 0; j < n; j++) {
        f->p->part[k].mean[j] = keep * (double)f->points->y[heaviest * n + j];
        f->p->part[k].deviation[j] = 1;
    }
    const double share = 1 / (double)(k + 1);
    for (size_t j = 0; j < k; j++)
        f->p->part[j].share *= 1 - share;
    f->p->part[k].share = share;
    f->p->n_parts = k + 1;
    evaluate(f, k);
    mix(f);
}

/* How much of point i belongs to part k. */
static double belongs(const fit *f, size_t k, uint64_t i) {
    return f->p->part[k].share * exp(f->log_density[k * f->points->n + i] - f->log_mixture[i]);
}

/* Mean and variances of the points that belong to part k. */
static void move_part(fit *f, size_t k) {
    struct rk_proposal_part *part = &f->p->part[k];
    size_t n = f->p->n;
    double total = 0, count = 0; /* with the weights, and without */
    memset(part->mean, 0, n * sizeof *part->mean);
    memset(part->deviation, 0, n * sizeof *part->deviation);
    for (uint64_t i = 0; i < f->points->n; i++) {
        if (is_judge(f, i)) continue;
        double r = belongs(f, k, i);
        count += r;
        r *= weight_of(f, i);
        total += r;
        for (size_t j = 0; j < n; j++) {
            double y = (double)f->points->y[i * n + j];
            part->mean[j] += r * y;
            part->deviation[j] += r * y * y;
        }
    }
    for (size_t j = 0; j < n; j++) {
        double mean = total > 0 ? part->mean[j] / total : 0;
        double variance = total > 0 ? part->deviation[j] / total - mean * mean : 1;
        part->mean[j] = mean;
        variance = (count * variance + PRIOR) / (count + PRIOR);
        part->deviation[j] = sqrt(fmax(variance, LEAST_VARIANCE));
    }
}

static void share_out(fit *f, size_t first) {
    static const double least[] = {TILT_SHARE, MIRROR_SHARE};
    double share[RK_MAX_PARTS], sum = 0;
    for (size_t k = 0; k < f->p->n_parts; k++) {
        double own = 0, n = 0;
        for (uint64_t i = 0; i < f->points->n; i++) {
            if (is_judge(f, i)) continue;
            own += weight_of(f, i) * belongs(f, k, i);
            n += weight_of(f, i);
        }
        share[k] = fmax(own / n, k < first ? least[k] : LEAST_SHARE);
        sum += share[k];
    }
    for (size_t k = 0; k < f->p->n_parts; k++)
        f->p->part[k].share = share[k] / sum;
}

static void improve(fit *f, size_t first) {
    for (int step = 0; step < ITERATIONS; step++) {
        for (size_t k = first; k < f->p->n_parts; k++)
            move_part(f, k);
        share_out(f, first); /* by the densities before the move, as the means were */
        for (size_t k = first; k < f->p->n_parts; k++)
            evaluate(f, k);
        mix(f);
    }
}

/* Copies the parts to `kept`, or back. */
static void keep(fit *f, bool back) {
    size_t n = f->p->n;
    double *kept = f->kept;
    for (size_t k = 0; k < f->p->n_parts; k++, kept += 2 * n + 1) {
        struct rk_proposal_part *part = &f->p->part[k];
        memcpy(back ? part->mean : kept, back ? kept : part->mean, n * sizeof *kept);
        memcpy(back ? part->deviation : kept + n, back ? kept + n : part->deviation,
               n * sizeof *kept);
        *(back ? &part->share : kept + 2 * n) = *(back ? kept + 2 * n : &part->share);
    }
}

static void measure_points(fit *f) {
    size_t n = f->p->n;
    for (uint64_t i = 0; i < f->points->n; i++) {
        double square = 0;
        for (size_t j = 0; j < n; j++) {
            double y = (double)f->points->y[i * n + j];
            square += y * y;
        }
        f->log_normal[i] = -0.5 * square;
    }
    for (size_t k = 0; k < f->p->n_parts; k++)
        evaluate(f, k);
    mix(f);
}

/* Parts that came down to the least share describe nothing. */
static void prune(rk_proposal *p, size_t first) {
    size_t left = first;
    double sum = 0;
    for (size_t k = 0; k < p->n_parts; k++) {
        if (k >= first && p->part[k].share < 1.01 * LEAST_SHARE) continue;
        struct rk_proposal_part part = p->part[k], *to = &p->part[k < first ? k : left++];
        p->part[k] = *to; /* no memory is lost */
        *to = part;
        sum += part.share;
    }
    p->n_parts = left;
    for (size_t k = 0; k < left; k++)
        p->part[k].share /= sum;
}

static void grow(fit *f, rk_work *work, size_t first) {
    measure_points(f);
    keep(f, false);
    double best = judge(f);
    size_t good = f->p->n_parts;
    for (size_t k = good; k <= RK_MAX_PARTS && k <= good + PATIENCE; k++) {
        rk_work_charge(work, ITERATIONS * f->points->n * (k + 1) * (5 * f->p->n + 10));
        improve(f, first);
        double now = judge(f);
        if (now < best - WORTH) {
            best = now;
            good = k;
            keep(f, false);
        }
        if (k < RK_MAX_PARTS) begin_part(f, k);
    }
    f->p->n_parts = good;
    keep(f, true);
    prune(f->p, first);
    if (getenv("DBG")) {
        fprintf(stderr, "DBG population %llu judge %.3f:", (unsigned long long)f->points->n, best);
        for (size_t k = 0; k < f->p->n_parts; k++) {
            double b = 0;
            for (size_t j = 0; j < f->p->n; j++)
                b += f->p->part[k].mean[j] * f->p->part[k].mean[j];
            fprintf(stderr, " %.3f(%.2f)", f->p->part[k].share, sqrt(b));
        }
        fprintf(stderr, "\n");
    }
}

/* Half of the likelihoods exp(-|x|^2 / 2), in logarithms: what is far is seen, too. */
static void weigh_points(rk_proposal *p, size_t first, double *square) {
    double sum = 0;
    for (size_t k = first; k < p->n_parts; k++)
        sum += exp(0.25 * (square[first] - square[k]));
    for (size_t k = 0; k < first; k++)
        p->part[k].share *= 0.5;
    for (size_t k = first; k < p->n_parts; k++)
        p->part[k].share = 0.5 * exp(0.25 * (square[first] - square[k])) / sum;
}

void rk_proposal_add(rk_work *work, rk_proposal *p, const double *points, size_t count) {
    size_t first = p->n_parts, n = p->n;
    double square[RK_MAX_PARTS];
    for (size_t k = 0; k < count && first + k < RK_MAX_PARTS; k++) {
        const double *x = points + k * n;
        struct rk_proposal_part *part = &p->part[first + k];
        if (p->axes) rk_gemv(work, n, n, p->axes, x, NULL, part->mean);
        if (!rk_work_charge(work, 4 * n)) continue;
        if (!p->axes) memcpy(part->mean, x, n * sizeof *x);
        square[first + k] = 0;
        for (size_t j = 0; j < n; j++) {
            part->deviation[j] = 1;
            square[first + k] += x[j] * x[j];
        }
        p->n_parts = first + k + 1;
    }
    if (p->n_parts > first) weigh_points(p, first, square);
}

void rk_proposal_grow(rk_work *work, rk_proposal *proposal, size_t first,
                      const rk_population *population) {
    size_t mark = rk_work_mark(work), n = (size_t)population->n;
    fit f = {.p = proposal, .points = population};
    f.log_density = rk_work_doubles(work, RK_MAX_PARTS, n);
    f.log_normal = rk_work_doubles(work, n, 1);
    f.log_mixture = rk_work_doubles(work, n, 1);
    f.kept = rk_work_doubles(work, RK_MAX_PARTS, 2 * proposal->n + 1);
    if (rk_work_charge(work, 0)) grow(&f, work, first);
    rk_work_release(work, mark);
}

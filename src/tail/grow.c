#include "tail/grow.h"

#include "linalg/blas.h"
#include "tail/log_probability.h"

#include <math.h>
#include <string.h>

enum { ITERATIONS = 20 };

/* Variances of fewer points are drawn towards 1. */
#define PRIOR 5.0
/* Below 1/2 the weights of points far from the part have no second moment. */
#define LEAST_VARIANCE 0.7
/* Shares that a part keeps at least, the tilt being judged from afar. */
#define LEAST_SHARE 0.02
#define TILT_SHARE  0.1
/* A new part has to lower the logarithm of the second moment by this. */
#define WORTH 0.05

typedef struct fit {
    rk_proposal *p;
    const rk_population *points;
    double *log_density; /* RK_MAX_PARTS x n: of each part at each point, shares left out */
    double *log_normal;  /* n: of N(0, I), the constant of all densities left out */
    double *log_mixture; /* n */
    double *kept;        /* parameters as they were: RK_MAX_PARTS x 2 n_in */
} fit;

static bool is_judge(const fit *f, uint64_t i) {
    return i % f->points->chains % 2 == 1;
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
            f->log_mixture[i] =
                rk_log_add(f->log_mixture[i],
                           log(f->p->part[k].share) + f->log_density[k * f->points->n + i]);
    }
}

/* log of the average weight over the points that nothing is fitted to: E[w^2] / P of a pass. */
static double judge(const fit *f) {
    double sum = -INFINITY;
    for (uint64_t i = 0; i < f->points->n; i++)
        if (is_judge(f, i)) sum = rk_log_add(sum, f->log_normal[i] - f->log_mixture[i]);
    return sum;
}

/* A part about the fitted point of the largest weight, drawn towards 0 by what of its length is
 * noise of n_in coordinates: n_in / |y|^2. */
static void begin_part(fit *f, size_t k) {
    size_t n = f->p->n;
    uint64_t heaviest = 0;
    double weight = -INFINITY;
    for (uint64_t i = 0; i < f->points->n; i++) {
        double own = f->log_normal[i] - f->log_mixture[i];
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
    return f->p->part[k].share *
           exp(f->log_density[k * f->points->n + i] - f->log_mixture[i]);
}

/* Mean and variances of the points that belong to part k. */
static void move_part(fit *f, size_t k) {
    struct rk_proposal_part *part = &f->p->part[k];
    size_t n = f->p->n;
    double total = 1e-9;
    memset(part->mean, 0, n * sizeof *part->mean);
    memset(part->deviation, 0, n * sizeof *part->deviation);
    for (uint64_t i = 0; i < f->points->n; i++) {
        if (is_judge(f, i)) continue;
        double r = belongs(f, k, i);
        total += r;
        for (size_t j = 0; j < n; j++) {
            double y = (double)f->points->y[i * n + j];
            part->mean[j] += r * y;
            part->deviation[j] += r * y * y;
        }
    }
    for (size_t j = 0; j < n; j++) {
        double mean = part->mean[j] / total;
        double square = part->deviation[j] - total * mean * mean;
        part->mean[j] = mean;
        part->deviation[j] = sqrt(fmax((square + PRIOR) / (total + PRIOR), LEAST_VARIANCE));
    }
}

static void share_out(fit *f) {
    double share[RK_MAX_PARTS], sum = 0;
    for (size_t k = 0; k < f->p->n_parts; k++) {
        double own = 0, n = 0;
        for (uint64_t i = 0; i < f->points->n; i++) {
            if (is_judge(f, i)) continue;
            own += belongs(f, k, i);
            n++;
        }
        share[k] = fmax(own / n, k == 0 ? TILT_SHARE : LEAST_SHARE);
        sum += share[k];
    }
    for (size_t k = 0; k < f->p->n_parts; k++)
        f->p->part[k].share = share[k] / sum;
}

static void improve(fit *f, size_t first) {
    for (int step = 0; step < ITERATIONS; step++) {
        for (size_t k = first; k < f->p->n_parts; k++)
            move_part(f, k);
        share_out(f); /* by the densities before the move, as the means were */
        for (size_t k = first; k < f->p->n_parts; k++)
            evaluate(f, k);
        mix(f);
    }
}

/* Copies the parts to `kept`, or back. */
static void keep(fit *f, bool back, double shares[RK_MAX_PARTS]) {
    size_t n = f->p->n;
    for (size_t k = 0; k < RK_MAX_PARTS; k++) {
        struct rk_proposal_part *part = &f->p->part[k];
        double *own = f->kept + 2 * n * k;
        memcpy(back ? part->mean : own, back ? own : part->mean, n * sizeof *own);
        memcpy(back ? part->deviation : own + n, back ? own + n : part->deviation,
               n * sizeof *own);
        if (back)
            part->share = shares[k];
        else
            shares[k] = part->share;
    }
}

static void grow(fit *f, rk_work *work) {
    size_t first = f->p->n_parts, n = f->p->n;
    for (uint64_t i = 0; i < f->points->n; i++) {
        double square = 0;
        for (size_t j = 0; j < n; j++) {
            double y = (double)f->points->y[i * n + j];
            square += y * y;
        }
        f->log_normal[i] = -0.5 * square;
    }
    for (size_t k = 0; k < first; k++)
        evaluate(f, k);
    mix(f);
    double shares[RK_MAX_PARTS], best = judge(f);
    for (size_t k = first; k < RK_MAX_PARTS; k++) {
        rk_work_charge(work, ITERATIONS * f->points->n * (k + 1) * (5 * n + 10));
        keep(f, false, shares);
        begin_part(f, k);
        improve(f, first);
        double now = judge(f);
        if (!(now < best - WORTH)) {
            f->p->n_parts = k;
            keep(f, true, shares);
            return;
        }
        best = now;
    }
}

/* y = axes x. */
static void turn(rk_work *work, const rk_proposal *p, rk_population *points) {
    size_t mark = rk_work_mark(work), n = p->n, count = (size_t)points->n;
    double *x = rk_work_doubles(work, count, n), *y = rk_work_doubles(work, count, n);
    if (rk_work_charge(work, 0))
        for (size_t i = 0; i < count * n; i++)
            x[i] = (double)points->x[i];
    if (p->axes)
        rk_gemm(work, RK_NO_TRANS, RK_TRANS, count, n, n, 1, x, n, p->axes, n, 0, y, n);
    if (rk_work_charge(work, 0))
        for (size_t i = 0; i < count * n; i++)
            points->y[i] = (float)(p->axes ? y[i] : x[i]);
    rk_work_release(work, mark);
}

void rk_proposal_grow(rk_work *work, rk_proposal *proposal, rk_population *population) {
    size_t n = (size_t)population->n;
    fit f = {.p = proposal, .points = population};
    turn(work, proposal, population);
    size_t mark = rk_work_mark(work);
    f.log_density = rk_work_doubles(work, RK_MAX_PARTS, n);
    f.log_normal = rk_work_doubles(work, n, 1);
    f.log_mixture = rk_work_doubles(work, n, 1);
    f.kept = rk_work_doubles(work, RK_MAX_PARTS, 2 * proposal->n);
    if (rk_work_charge(work, 0)) grow(&f, work);
    rk_work_release(work, mark);
}

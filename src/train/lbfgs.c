#include "train/lbfgs.h"

#include "base/size.h"
#include "base/sum.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { USUAL_MEMORY = 5, MOST_TRIALS = 30 };

static const double ARMIJO = 1e-4, NO_CURVATURE = 1e-10;

typedef struct run {
    rk_work *work;
    const rk_lbfgs_problem *problem;
    size_t n, memory, pairs; /* room for, at hand */
    size_t newest;           /* of the pairs, in a ring */
    double *s, *y, *rho;     /* memory x n, memory x n, 1 / s.y */
    double *alpha;           /* memory: of the first loop */
    double *theta, *g, *d, *trial, *spare;
    double gamma, value;
    bool spent; /* nothing more may be asked */
    rk_lbfgs_result *result;
} run;

static double dot(run *r, const double *x, const double *y) {
    if (r->work) rk_work_charge(r->work, 2 * (uint64_t)r->n);
    return rk_dot(r->n, x, y);
}

/* y += a x */
static void add(run *r, double a, const double *x, double *y) {
    if (r->work) rk_work_charge(r->work, 2 * (uint64_t)r->n);
    for (size_t i = 0; i < r->n; i++)
        y[i] += a * x[i];
}

static void precondition(const run *r, const double *in, double *out) {
    if (r->problem->precondition)
        r->problem->precondition(r->problem->context, in, out);
    else
        memcpy(out, in, r->n * sizeof *out);
}

static double value_at(run *r, const double *theta) {
    r->result->values++;
    return r->problem->value(r->problem->context, theta);
}

static void gradient_here(run *r, double *g) {
    r->result->gradients++;
    r->problem->gradient(r->problem->context, g);
}

/* d = -H g. */
static void find_direction(run *r) {
    double *q = r->spare;
    memcpy(q, r->g, r->n * sizeof *q);
    for (size_t k = 0; k < r->pairs; k++) { /* from the newest */
        const size_t at = (r->newest + r->memory - k) % r->memory;
        r->alpha[at] = r->rho[at] * dot(r, r->s + at * r->n, q);
        add(r, -r->alpha[at], r->y + at * r->n, q);
    }
    precondition(r, q, r->d);
    for (size_t i = 0; i < r->n; i++)
        r->d[i] *= -r->gamma;
    for (size_t k = r->pairs; k-- > 0;) {
        const size_t at = (r->newest + r->memory - k) % r->memory;
        const double beta = -r->rho[at] * dot(r, r->y + at * r->n, r->d);
        add(r, beta - r->alpha[at], r->s + at * r->n, r->d);
    }
}

/* Along d from theta, downhill by `slope` < 0: the step that is taken, to r->trial, or 0. The
 * parabola through what is known tells the next one, within limits. */
static double search(run *r, double slope, double *value) {
    double step = 1;
    const rk_lbfgs_problem *p = r->problem;
    for (int trial = 0; trial < MOST_TRIALS; trial++) {
        r->spent = p->may_ask && !p->may_ask(p->context);
        if (r->spent) return 0;
        memcpy(r->trial, r->theta, r->n * sizeof *r->trial);
        add(r, step, r->d, r->trial);
        *value = value_at(r, r->trial);
        if (*value <= r->value + ARMIJO * step * slope && *value < r->value) return step;
        const double above = *value - r->value - step * slope;
        const double factor = isfinite(*value) ? -step * slope / (2 * above) : 0;
        step *= factor > 0.5 ? 0.5 : factor > 0.1 ? factor : 0.1;
    }
    return 0;
}

/* sum |s_i y_i|, whatever units each parameter has. */
static double sum_of_sizes(const run *r, const double *s, const double *y) {
    double sum = 0;
    if (r->work && !rk_work_charge(r->work, 2 * (uint64_t)r->n)) return 0;
    for (size_t i = 0; i < r->n; i++)
        sum += fabs(s[i] * y[i]);
    return sum;
}

/* s and y of the step to where `g` is the gradient, unless the function curves the wrong way. */
static void remember(run *r, const double *g) {
    const size_t at = r->pairs ? (r->newest + 1) % r->memory : 0;
    double *s = r->s + at * r->n, *y = r->y + at * r->n;
    for (size_t i = 0; i < r->n; i++) {
        s[i] = r->trial[i] - r->theta[i];
        y[i] = g[i] - r->g[i];
    }
    const double curvature = dot(r, s, y);
    if (!(curvature > NO_CURVATURE * sum_of_sizes(r, s, y))) {
        if (r->pairs == r->memory) r->pairs--; /* its place was the oldest's */
        return;
    }
    r->rho[at] = 1 / curvature;
    r->newest = at;
    if (r->pairs < r->memory) r->pairs++;
}

/* With the P of now. */
static void rescale(run *r) {
    if (r->pairs == 0) return;
    const double *y = r->y + r->newest * r->n;
    precondition(r, y, r->spare);
    const double square = dot(r, y, r->spare);
    if (square > 0) r->gamma = 1 / r->rho[r->newest] / square;
}

/* One step, if there is one; *end says whether it is the last, and why. */
static bool advance(run *r, double tolerance, rk_lbfgs_end *end) {
    double slope, value = 0, step = 0;
    for (;;) {
        find_direction(r);
        slope = dot(r, r->g, r->d);
        if (slope < 0) step = search(r, slope, &value);
        if (step > 0 || r->pairs == 0 || r->spent) break;
        r->pairs = 0; /* what is remembered misleads */
    }
    *end = slope == 0 ? RK_LBFGS_CONVERGED : r->spent ? RK_LBFGS_STOPPED : RK_LBFGS_STUCK;
    if (!(step > 0)) return false;
    gradient_here(r, r->spare);
    remember(r, r->spare);
    memcpy(r->g, r->spare, r->n * sizeof *r->g);
    memcpy(r->theta, r->trial, r->n * sizeof *r->theta);
    const double fall = r->value - value;
    *end = fall > tolerance * fabs(r->value) ? RK_LBFGS_STOPPED : RK_LBFGS_CONVERGED;
    r->value = value;
    return true;
}

static rk_lbfgs_end descend(run *r, const rk_lbfgs_spec *spec) {
    const rk_lbfgs_problem *p = r->problem;
    r->value = value_at(r, r->theta);
    if (!isfinite(r->value)) return RK_LBFGS_NOT_FINITE;
    gradient_here(r, r->g);
    const double square = dot(r, r->g, r->g);
    if (!isfinite(square)) return RK_LBFGS_NOT_FINITE;
    r->gamma = p->precondition || !(square > 0) || r->value == 0 ? 1 : fabs(r->value) / square / 2;
    for (;;) {
        rk_lbfgs_end end;
        if (spec->max_iterations && r->result->iterations == spec->max_iterations)
            return RK_LBFGS_ITERATIONS;
        if (!advance(r, spec->tolerance, &end)) return end;
        r->result->iterations++;
        const bool goes_on = !p->go_on || p->go_on(p->context, r->result->iterations, r->value);
        if (end == RK_LBFGS_CONVERGED || !goes_on) return end;
        rescale(r);
    }
}

rk_status rk_lbfgs_run(rk_work *work, const rk_lbfgs_problem *problem, const rk_lbfgs_spec *spec,
                       double *theta, rk_lbfgs_result *result, rk_error *error) {
    const size_t memory = spec->memory ? spec->memory : USUAL_MEMORY, n = problem->n;
    *result = (rk_lbfgs_result){.value = (double)NAN};
    double *numbers = NULL;
    size_t vectors;
    if (rk_size_mul(2, memory, &vectors) && rk_size_add(vectors, 4, &vectors))
        numbers = rk_alloc(vectors, n, sizeof *numbers);
    double *scalars = rk_alloc(memory, 2, sizeof *scalars);
    if (!numbers || !scalars) {
        free(numbers);
        free(scalars);
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu steps of %zu parameters", memory,
                       n);
    }
    run r = {.work = work,
             .problem = problem,
             .n = n,
             .memory = memory,
             .s = numbers + 4 * n,
             .y = numbers + (4 + memory) * n,
             .rho = scalars,
             .alpha = scalars + memory,
             .theta = theta,
             .g = numbers,
             .d = numbers + n,
             .trial = numbers + 2 * n,
             .spare = numbers + 3 * n,
             .result = result};
    result->end = descend(&r, spec);
    result->value = r.value;
    free(numbers);
    free(scalars);
    return RK_OK;
}

#include "propagate/pairs.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Of the own variance: what is not more than this is rounding of 1. */
static const double NOTHING = 1e-14;

double rk_pairs_kink(const rk_activation *phi) {
    switch (phi->kind) {
    case RK_IDENTITY:
        return 0;
    case RK_RELU:
        return 0.5;
    case RK_LEAKY_RELU:
        return 0.5 * (1 - phi->parameter);
    case RK_ABS:
        return 1;
    default:
        return NAN;
    }
}

/* --------------------------------------------------------------------------------------- a side */

rk_pairs_side rk_pairs_side_take(rk_work *work, const rk_pairs_spec *spec, size_t n) {
    rk_pairs_side side = {.g = rk_work_doubles(work, rk_pairs_terms(spec), n),
                          .sd = rk_work_doubles(work, n, 1),
                          .inverse_sd = rk_work_doubles(work, n, 1)};
    if (spec->closure == RK_PAIRS_EXACT)
        side.at = (rk_orthant_points){rk_work_doubles(work, n, 1), rk_work_doubles(work, n, 1),
                                      rk_work_doubles(work, n, 1)};
    return side;
}

/* Wick coefficients in each neuron's own unit, its deviation, where the activation has none of its
 * own: phi(u x) = u^degree phi(x), so that no power of a deviation leaves the range of doubles. */
typedef struct own_wick {
    int k_max, p_max, degree;
    double *w, *centre, *mu, *var;
    double *unit;
} own_wick;

static own_wick own_wick_take(rk_work *work, size_t n, int k_max, int p_max) {
    return (own_wick){.k_max = k_max,
                      .p_max = p_max,
                      .w = rk_work_doubles(work, (size_t)((k_max + 1) * p_max), n),
                      .centre = rk_work_doubles(work, n, 1),
                      .mu = rk_work_doubles(work, n, 1),
                      .var = rk_work_doubles(work, n, 1),
                      .unit = rk_work_doubles(work, n, 1)};
}

static void own_wick_fill(const rk_pairs_side *side, own_wick *o) {
    int degree = rk_activation_get(side->activation->kind)->degree;
    o->degree = degree == RK_NO_DEGREE ? 0 : degree;
    for (size_t i = 0; i < side->n; i++) {
        bool own = degree != RK_NO_DEGREE && side->sd[i] > 0;
        o->unit[i] = own ? side->sd[i] : 1;
        o->mu[i] = own ? side->mu[i] / side->sd[i] : side->mu[i];
        o->var[i] = own ? 1 : side->sd[i] * side->sd[i];
    }
    rk_wick(side->activation, side->n, o->mu, o->var, o->k_max, o->p_max, o->centre, o->w);
}

static double own_wick_at(const own_wick *o, size_t n, size_t i, int k, int p) {
    return o->w[rk_wick_at(n, o->k_max, k, p) + i];
}

/* x sd^power / sqrt((power + 1)!) in units of the neuron: what makes w_{power + 1} a g. Where a
 * smooth activation sees a deviation of which powers overflow, the next term has it all. */
static double raise(const rk_pairs_side *side, const own_wick *o, size_t i, size_t power) {
    double x = 1, sd = side->sd[i] / o->unit[i];
    for (size_t t = 1; t <= power; t++)
        x *= sd / sqrt((double)(t + 1));
    return isinf(x) ? 0 : x;
}

static void complete(const rk_pairs_spec *spec, rk_pairs_side *side, const own_wick *o) {
    size_t n = side->n, order = (size_t)spec->order;
    for (size_t i = 0; i < n; i++) {
        double all = side->sd[i] > 0 ? side->var_h[i] / side->sd[i] / side->sd[i] : 0;
        double left = all - side->g[i] * side->g[i], scale = pow(o->unit[i], o->degree - 1);
        for (size_t t = 1; t < order; t++) {
            double g = side->sd[i] > 0
                           ? scale * raise(side, o, i, t) * own_wick_at(o, n, i, (int)t + 1, 1)
                           : 0;
            side->g[t * n + i] = g;
            left -= g * g;
        }
        side->g[order * n + i] = left > NOTHING * all ? sqrt(left) : 0;
    }
}

void rk_pairs_side_prepare(rk_work *work, const rk_pairs_spec *spec,
                           const rk_activation *activation, size_t n, const double *mu,
                           const double *var, const double *slope, const double *var_h,
                           rk_pairs_side *side) {
    size_t mark = rk_work_mark(work), terms = rk_pairs_terms(spec);
    own_wick o = {0};
    side->n = n;
    side->activation = activation;
    side->mu = mu;
    side->var = var;
    side->var_h = var_h;
    if (spec->closure == RK_PAIRS_COMPLETED) o = own_wick_take(work, n, spec->order, 1);
    if (rk_work_charge(work,
                       (uint64_t)n * (10 * terms + (spec->closure == RK_PAIRS_EXACT ? 40 : 2)))) {
        for (size_t i = 0; i < n; i++) {
            side->g[i] = slope[i];
            side->sd[i] = var[i] >= DBL_MIN ? sqrt(var[i]) : 0;
            side->inverse_sd[i] = side->sd[i] > 0 ? 1 / side->sd[i] : 0;
        }
        if (spec->closure == RK_PAIRS_COMPLETED) {
            own_wick_fill(side, &o);
            complete(spec, side, &o);
        }
        if (spec->closure == RK_PAIRS_EXACT) {
            for (size_t i = 0; i < n; i++)
                side->at.x[i] =
                    fmax(-RK_ORTHANT_REACH, fmin(RK_ORTHANT_REACH, mu[i] * side->inverse_sd[i]));
            rk_orthant_points_fill(n, &side->at);
        }
    }
    rk_work_release(work, mark);
}

rk_pairs_adjoint rk_pairs_adjoint_take(rk_work *work, const rk_pairs_spec *spec, size_t n) {
    rk_pairs_adjoint bar = {.g = rk_work_doubles(work, rk_pairs_terms(spec), n),
                            .var_h = rk_work_doubles(work, n, 1)};
    if (spec->closure != RK_PAIRS_EXACT) return bar;
    bar.mu = rk_work_doubles(work, n, 1);
    bar.var = rk_work_doubles(work, n, 1);
    return bar;
}

void rk_pairs_adjoint_zero(rk_work *work, const rk_pairs_spec *spec, size_t n,
                           rk_pairs_adjoint *bar) {
    if (!rk_work_charge(work, 0)) return;
    memset(bar->g, 0, rk_pairs_terms(spec) * n * sizeof *bar->g);
    memset(bar->var_h, 0, n * sizeof *bar->var_h);
    if (bar->mu) memset(bar->mu, 0, n * sizeof *bar->mu);
    if (bar->var) memset(bar->var, 0, n * sizeof *bar->var);
}

/* Of one neuron: what the adjoints of its coefficients are, the last one's completion included.
 * sum_t g_t^2 = var_h / var defines that one, and rho knows var, too: of all terms but the last
 * this leaves nothing, since sd^t is in g_t. */
static void back_through_completion(const rk_pairs_side *side, size_t terms, size_t i,
                                    double *g_bar, double *var_h_bar, double *var_bar) {
    size_t n = side->n;
    double last = side->g[(terms - 1) * n + i], inverse = side->inverse_sd[i], sum = 0;
    if (!(last > 0)) return;
    double rest = g_bar[terms - 1] / (2 * last); /* the adjoint of what is left */
    for (size_t t = 0; t < terms; t++) {
        double g = side->g[t * n + i];
        sum += (double)(t + 1) * g * g;
        g_bar[t] -= 2 * rest * g;
    }
    *var_h_bar += rest * inverse * inverse;
    *var_bar -= rest * inverse * inverse * sum;
}

void rk_pairs_side_back(rk_work *work, const rk_pairs_spec *spec, const rk_pairs_side *side,
                        const rk_pairs_adjoint *bar, const double *m_bar, double *mu_bar,
                        double *var_bar) {
    size_t n = side->n, mark = rk_work_mark(work), terms = rk_pairs_terms(spec);
    size_t order = spec->closure == RK_PAIRS_COMPLETED ? terms - 1 : 1;
    own_wick o = own_wick_take(work, n, (int)order + 2, 2);
    if (rk_work_charge(work, (uint64_t)n * (30 * order + 20))) {
        own_wick_fill(side, &o);
        for (size_t i = 0; i < n; i++) {
            double w[2][RK_PAIRS_MAX_ORDER + 3], g_bar[RK_PAIRS_MAX_TERMS],
                var_h_bar = bar->var_h[i];
            double inverse = 1 / o.unit[i], up = pow(o.unit[i], o.degree);
            double direct = bar->var ? bar->var[i] : 0, mu = 0, half_var = 0;
            for (int p = 1; p <= 2; p++)
                for (int k = 0; k <= o.k_max; k++)
                    w[p - 1][k] = own_wick_at(&o, n, i, k, p);
            for (size_t t = 0; t < terms; t++)
                g_bar[t] = bar->g[t * n + i];
            if (spec->closure == RK_PAIRS_COMPLETED)
                back_through_completion(side, terms, i, g_bar, &var_h_bar, &direct);
            /* in units of the neuron: of g, E phi and Var phi the derivatives in mu and var / 2 */
            for (size_t t = 0; t < order; t++) {
                double x = g_bar[t] * inverse * raise(side, &o, i, t);
                mu += x * w[0][t + 2];
                half_var += x * w[0][t + 3];
            }
            if (m_bar) {
                mu += m_bar[i] * w[0][1];
                half_var += m_bar[i] * w[0][2];
            }
            double x = var_h_bar * up;
            mu += x * (w[1][1] - 2 * w[0][0] * w[0][1]);
            half_var += x * (w[1][2] - 2 * w[0][0] * w[0][2]);
            mu_bar[i] += up * (mu * inverse) + (bar->mu ? bar->mu[i] : 0);
            var_bar[i] += 0.5 * (up * (half_var * inverse) * inverse) + direct;
        }
    }
    rk_work_release(work, mark);
}

/* ------------------------------------------------------------------------------------ and changes
 */

/* Neurons are alone here: the adjoints of mu and var, where those of one quantity are 1, are its
 * derivatives. */
typedef struct rows {
    rk_pairs_adjoint unit;
    double *m, *by_mu, *by_var;
} rows;

static void zero(rk_work *work, size_t n, double *x) {
    if (rk_work_charge(work, 0)) memset(x, 0, n * sizeof *x);
}

/* `which`: where the adjoints of the quantity are; out: its change. */
static void change_of(rk_work *work, const rk_pairs_spec *spec, const rk_pairs_side *side,
                      const rk_pairs_tangent *dot, const rows *r, double *which, double *out) {
    const size_t n = side->n;
    zero(work, n, r->by_mu);
    zero(work, n, r->by_var);
    if (rk_work_charge(work, 0))
        for (size_t i = 0; i < n; i++)
            which[i] = 1;
    rk_pairs_side_back(work, spec, side, &r->unit, r->m, r->by_mu, r->by_var);
    zero(work, n, which);
    if (!rk_work_charge(work, 3 * (uint64_t)n)) return;
    for (size_t i = 0; i < n; i++)
        out[i] = r->by_mu[i] * dot->mu[i] + r->by_var[i] * dot->var[i];
}

void rk_pairs_side_forward(rk_work *work, const rk_pairs_spec *spec, const rk_pairs_side *side,
                           const rk_pairs_tangent *dot, double *m_dot) {
    const size_t n = side->n, mark = rk_work_mark(work);
    rows r = {.unit = rk_pairs_adjoint_take(work, spec, n),
              .m = rk_work_doubles(work, n, 1),
              .by_mu = rk_work_doubles(work, n, 1),
              .by_var = rk_work_doubles(work, n, 1)};
    rk_pairs_adjoint_zero(work, spec, n, &r.unit);
    zero(work, n, r.m);
    change_of(work, spec, side, dot, &r, r.m, m_dot);
    change_of(work, spec, side, dot, &r, r.unit.var_h, dot->var_h);
    for (size_t t = 0; t < rk_pairs_terms(spec); t++)
        change_of(work, spec, side, dot, &r, r.unit.g + t * n, dot->g + t * n);
    rk_work_release(work, mark);
}

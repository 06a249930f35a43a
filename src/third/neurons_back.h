/* The activation step of the third order run backwards (docs/MATH.md#third-back): adjoints of
 * cumulants of phi(z) to adjoints of cumulants of z. The adjoint of what a structure holds is held
 * by another of its kind, in the same place. */
#ifndef RK_THIRD_NEURONS_BACK_H
#define RK_THIRD_NEURONS_BACK_H

#include "third/neurons.h"

/** Adjoints of an rk_slices, of which those that are n numbers are added to. Legs are in double. */
typedef struct rk_slices_bar {
    double *d3, *core, *metric, *y;  /* n */
    double *k4;                      /* n, where the slices have one: not added to, made */
    double *core_scale, *followed22; /* one number each */
    double *M;                       /* n x n, symmetric, where the slices have one */
    rk_legs D, K31;                  /* n x n, made where the slices have them */
} rk_slices_bar;

/**
 * rk_pairs_step backwards. In: C (of z), C_bar (of phi(z), symmetric; its diagonal goes to
 * bar->var), and of a newborn, unless NULL, bar->k22, bar->k21_q and the adjoints of what it made:
 * `newborn` (w2, s, e), a, residual, and with RK_PAIRS_FOURTH `fourth`. `neurons` are as
 * rk_pairs_step left them. Out: C_bar (of z, its diagonal 0), all of z_bar but k4, and of `bar`
 * ends, bend, q and k3, added to. About 400 n^2 FLOPs, n^2 numbers of scratch.
 */
void rk_pairs_back(rk_work *work, size_t n, const rk_slices *z, rk_pair_terms terms,
                   const rk_neurons *neurons, const double *C, const rk_source *newborn,
                   const rk_legs *a, const rk_legs *residual, const rk_pair_cumulants *fourth,
                   double *C_bar, rk_neurons *bar, const rk_slices_bar *z_bar);

/**
 * rk_neurons_step backwards: bar->m, var and, with `pairs`, k3, k4, the ends, bend and q (these are
 * used up) to mu_bar (made), var_bar (added to; zero where the step took the variance for none) and
 * of z_bar d3, and core and metric or k4. mu, var and z are what the step was given. 300 n FLOPs.
 */
void rk_neurons_back(rk_work *work, const rk_activation *activation, size_t n, const double *mu,
                     const double *var, const rk_slices *z, bool pairs, const rk_neurons *neurons,
                     rk_neurons *bar, double *mu_bar, double *var_bar, const rk_slices_bar *z_bar);

/** A zero of every adjoint that an rk_neurons holds. */
void rk_neurons_clear(rk_work *work, size_t n, rk_neurons *bar);

#endif

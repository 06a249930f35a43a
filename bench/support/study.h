/* Random networks and the truth that estimates of their means are judged by. */
#ifndef STUDY_H
#define STUDY_H

#include "reckon/reckon.h"

/** A way to draw networks: an activation, the variances of weights and biases. */
typedef struct study_kind {
    const char *name, *activation;
    double weight_variance; /* n_in Var(W); 0: He */
    double bias_variance;
} study_kind;

/** The kind of that name; stops the program if there is none. */
const study_kind *study_kind_named(const char *name);

/** `hidden` hidden layers, every width n. Errors stop the program. */
rk_network *study_network(const study_kind *kind, size_t n, size_t hidden, uint64_t seed);

/** The same, He-initialised relu. */
rk_network *study_relu(size_t n, size_t hidden, uint64_t seed);

/** FLOPs of one forward pass, products only. */
double study_pass_flops(const rk_network *net);

/** The method of that name, good until many more have been asked for; stops the program if there is
 *  none. */
const rk_method_spec *study_method(const char *text);

/** What independent groups of passes say of E[M(x)]; `method` is one of sampling. */
typedef struct study_truth study_truth;
study_truth *study_truth_create(const rk_network *net, const char *method, double passes,
                                uint64_t seed);
void study_truth_destroy(study_truth *truth);

/** Variance of one pass, averaged over the outputs. */
double study_variance(const study_truth *truth);

/** Unbiased mean square error of the estimate p of E[M(x)], and its standard error: the average of
 *  (p - x_r).(p - x_s) / n over pairs of groups. */
double study_mse(const study_truth *truth, const double *p, double *standard_error);

/** `what` on stderr, exit code 1. */
void study_stop(const char *what);

#endif

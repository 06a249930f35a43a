/* A network, its input and what is asked of it, all of which can change: what derivatives are
 * tested on. */
#ifndef RK_SUPPORT_SUBJECT_H
#define RK_SUPPORT_SUBJECT_H

#include <reckon/reckon.h>

#include <stdbool.h>

typedef struct subject {
    size_t n_layers, n_in, n_out;
    rk_layer *layers;
    double **weight, **bias; /* of the layers, that change */
    double *mean, *covariance;
    bool standard; /* the input is NULL */
    rk_options options;
    rk_method_spec method;
    double step, tolerance; /* of differences */
    const char *name, *kind;
} subject;

subject subject_of(const rk_network *net, const rk_input *input);
void subject_release(subject *s);
rk_network *subject_network(const subject *s);

/** A method that has derivatives. */
typedef struct gradient_method {
    const char *text;
    bool covariance; /* it knows one */
    bool standard;   /* and only the standard input */
    bool smooth;     /* differences of what is not are none of it */
    double step, tolerance;
} gradient_method;
enum { GRADIENT_METHODS = 14, GRADIENT_SAMPLE = GRADIENT_METHODS - 2 };
extern const gradient_method gradient_methods[GRADIENT_METHODS];

/** Asks for it, with all that has derivatives. */
void subject_ask(subject *s, const gradient_method *method);

/** f, a weighted sum of what an estimate answers. */
typedef struct sum {
    double *mean, *variance, *covariance, **hidden;
    size_t n_hidden;
} sum;

sum sum_of(const subject *s);
void sum_release(sum *f);
rk_cotangents sum_cotangents(const subject *s, const sum *f);

/** f, and the sum of what its terms are in absolute value. */
double sum_value(const sum *f, const rk_answer_data *a, double *size);
/** That of an estimate. */
double subject_value(const subject *s, const sum *f, double *size);

/** n zeros; a copy of x, or zeros of NULL; numbers of order 1, by place. To be freed. */
double *numbers(size_t n);
double *copied(size_t n, const double *x);
double *chances(size_t kind, size_t n);

#endif

#include "activation/activation.h"

#include "activation/piecewise.h"
#include "activation/smooth.h"
#include "base/nearest.h"
#include "base/number.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define PIECEWISE(name, kind, degree)                                                              \
    {                                                                                              \
#name, degree, kind, rk_##name##_value, rk_##name##_value_float, rk_##name##_slope,        \
            rk_piecewise_wick                                                                      \
    }
#define SMOOTH(name, asymptote)                                                                    \
    {                                                                                              \
#name, RK_NO_DEGREE, asymptote, rk_##name##_value, rk_##name##_value_float,                \
            rk_##name##_slope, rk_quadrature_wick                                                  \
    }

static const rk_activation_ops table[RK_ACTIVATION_COUNT] = {
    [RK_IDENTITY] = PIECEWISE(identity, RK_IDENTITY, 1),
    [RK_RELU] = PIECEWISE(relu, RK_RELU, 1),
    [RK_LEAKY_RELU] = PIECEWISE(leaky_relu, RK_LEAKY_RELU, 1),
    [RK_ABS] = PIECEWISE(abs, RK_ABS, 1),
    [RK_HEAVISIDE] = PIECEWISE(heaviside, RK_HEAVISIDE, 0),
    [RK_SIGN] = PIECEWISE(sign, RK_SIGN, 0),
    [RK_SQUARE] = PIECEWISE(square, RK_SQUARE, 2),
    [RK_CUBE] = PIECEWISE(cube, RK_CUBE, 3),
    [RK_GELU] = SMOOTH(gelu, RK_RELU),
    [RK_TANH] = SMOOTH(tanh, RK_SIGN),
    [RK_SIGMOID] = SMOOTH(sigmoid, RK_HEAVISIDE),
    [RK_SILU] = SMOOTH(silu, RK_RELU),
    [RK_SOFTPLUS] = SMOOTH(softplus, RK_RELU),
    [RK_CUSTOM] = SMOOTH(custom, RK_CUSTOM),
};

const rk_activation_ops *rk_activation_get(rk_activation_kind kind) {
    assert((unsigned)kind < RK_ACTIVATION_COUNT);
    return &table[kind];
}

const char *rk_activation_name(rk_activation_kind kind) {
    return (unsigned)kind < RK_ACTIVATION_COUNT ? table[kind].name : NULL;
}

static const double default_parameter[RK_ACTIVATION_COUNT] = {
#define PARAMETER(name, code, parameter) [code] = parameter,
    RK_ACTIVATION_LIST(PARAMETER)
#undef PARAMETER
};

/* ---------------------------------------------------------------------------------------- names */

/* What others call those that we have, and why others are none of them; without case and '_'. */
static const struct {
    const char *name;
    rk_activation_kind kind; /* RK_CUSTOM: none */
    const char *why;
} others[] = {
    {"linear", RK_IDENTITY, NULL},
    {"none", RK_IDENTITY, NULL},
    {"swish", RK_SILU, NULL},
    {"logistic", RK_SIGMOID, NULL},
    {"step", RK_HEAVISIDE, NULL},
    {"gelunew", RK_CUSTOM, "an approximation by tanh; gelu is the exact one, up to 5e-4 away"},
    {"gelutanh", RK_CUSTOM, "an approximation by tanh; gelu is the exact one, up to 5e-4 away"},
    {"gelupytorchtanh", RK_CUSTOM,
     "an approximation by tanh; gelu is the exact one, up to 5e-4 away"},
    {"quickgelu", RK_CUSTOM, "z sigmoid(1.702 z); gelu is the exact one, up to 2e-2 away"},
    {"prelu", RK_CUSTOM, "its slopes are weights; with one slope for all it is leaky_relu:SLOPE"},
    {"softmax", RK_CUSTOM, "it mixes the outputs; leave it out and ask for the logits"},
    {"logsoftmax", RK_CUSTOM, "it mixes the outputs; leave it out and ask for the logits"},
    {"glu", RK_CUSTOM, "it multiplies two layers"},
    {"swiglu", RK_CUSTOM, "it multiplies two layers"},
    {"elu", RK_CUSTOM, NULL},
    {"selu", RK_CUSTOM, NULL},
    {"celu", RK_CUSTOM, NULL},
    {"mish", RK_CUSTOM, NULL},
    {"relu6", RK_CUSTOM, NULL},
    {"hardtanh", RK_CUSTOM, NULL},
    {"hardsigmoid", RK_CUSTOM, NULL},
    {"hardswish", RK_CUSTOM, NULL},
    {"softsign", RK_CUSTOM, NULL},
    {"sin", RK_CUSTOM, NULL},
    {"cos", RK_CUSTOM, NULL},
    {"exp", RK_CUSTOM, NULL},
};

static const char *known_names(char out[400]) {
    *out = '\0';
    for (int kind = 0; kind < RK_CUSTOM; kind++) {
        strncat(out, " ", 400 - strlen(out) - 1);
        strncat(out, table[kind].name, 400 - strlen(out) - 1);
    }
    return out;
}

static rk_status unknown_name(const char *text, rk_error *error) {
    const char *names[RK_CUSTOM];
    for (int kind = 0; kind < RK_CUSTOM; kind++)
        names[kind] = table[kind].name;
    const char *near = rk_nearest(text, names, RK_CUSTOM, 3);
    char known[400];
    return rk_fail(error, RK_ERROR_ARGUMENT, "unknown activation '%.60s'%s%s%s; known:%s", text,
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "",
                   known_names(known));
}

static rk_status no_kind(const char *text, const char *why, rk_error *error) {
    char known[400];
    if (why)
        return rk_fail(error, RK_ERROR_ARGUMENT, "activation '%.60s' is not supported: %s", text,
                       why);
    return rk_fail(error, RK_ERROR_ARGUMENT,
                   "activation '%.60s' is not supported yet (in C: RK_CUSTOM); known:%s", text,
                   known_names(known));
}

/* ReLU, LeakyReLU, leaky-relu: the same for everybody else. */
static void simplify(const char *text, size_t length, char *out, size_t size) {
    size_t used = 0;
    for (size_t i = 0; i < length && used + 1 < size; i++) {
        const char c = text[i];
        if (c == '_' || c == '-') continue;
        out[used++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    out[used] = '\0';
}

/* Every kind but custom, the last, which no text can describe. */
static rk_status find_kind(const char *text, size_t length, rk_activation_kind *out,
                           rk_error *error) {
    char typed[40], known[40];
    simplify(text, length, typed, sizeof typed);
    for (int kind = 0; kind < RK_CUSTOM; kind++) {
        const char *name = table[kind].name;
        simplify(name, strlen(name), known, sizeof known);
        if (strcmp(typed, known) != 0) continue;
        *out = (rk_activation_kind)kind;
        return RK_OK;
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (strcmp(typed, others[i].name) != 0) continue;
        *out = others[i].kind;
        return *out == RK_CUSTOM ? no_kind(text, others[i].why, error) : RK_OK;
    }
    return unknown_name(text, error);
}

rk_status rk_activation_parse(const char *text, rk_activation *out, rk_error *error) {
    const size_t length = strcspn(text, ":");
    rk_activation_kind kind;
    rk_status status = find_kind(text, length, &kind, error);
    if (status != RK_OK) return status;

    double parameter = default_parameter[kind];
    if (text[length] == ':') {
        if (kind != RK_LEAKY_RELU)
            return rk_fail(error, RK_ERROR_ARGUMENT, "activation '%s' takes no parameter: '%.60s'",
                           table[kind].name, text);
        const char *number = text + length + 1;
        const char *end = rk_number_read(number, &parameter);
        if (!end || *end != '\0')
            return rk_fail(error, RK_ERROR_ARGUMENT,
                           "'%.60s' is not a slope; write for example leaky_relu:0.2", number);
    }
    *out = (rk_activation){.kind = kind, .parameter = parameter};
    return RK_OK;
}

/* ------------------------------------------------------------------------------- coefficients */

void rk_wick(const rk_activation *activation, size_t n, const double *mu, const double *var,
             int k_max, int p_max, double *centre, double *w) {
    assert(0 <= k_max && k_max <= RK_WICK_MAX_K && 1 <= p_max && p_max <= RK_WICK_MAX_P);
    rk_activation_get(activation->kind)->wick(activation, n, mu, var, k_max, p_max, centre, w);
}

void rk_wick_shift(size_t n, int k_max, int p_max, const double *shift, double *w) {
    for (size_t i = 0; i < n; i++)
        for (int p = p_max; p >= 1; p--) /* from lower powers, which are not shifted yet */
            for (int k = 0; k <= k_max; k++) {
                double sum = 0, binomial = 1, power = 1; /* (p over j) shift^(p - j) */
                for (int j = p; j >= 1; j--) {
                    sum += binomial * power * w[rk_wick_at(n, k_max, k, j) + i];
                    binomial = binomial * j / (p - j + 1);
                    power *= shift[i];
                }
                w[rk_wick_at(n, k_max, k, p) + i] = k == 0 ? sum + power : sum;
            }
}

void rk_wick_about_zero(size_t n, int k_max, int p_max, double *centre, double *w) {
    rk_wick_shift(n, k_max, p_max, centre, w);
    memset(centre, 0, n * sizeof *centre);
}

double rk_wick_one(const rk_activation *activation, double mu, double var, int k, int p) {
    double w[(RK_WICK_MAX_K + 1) * RK_WICK_MAX_P], centre;
    rk_wick(activation, 1, &mu, &var, k, p, &centre, w);
    rk_wick_about_zero(1, k, p, &centre, w);
    return w[rk_wick_at(1, k, k, p)];
}

const char *rk_activation_format(const rk_activation *activation, rk_activation_text *out) {
    const char *name = rk_activation_name(activation->kind);
    rk_number_text number = {""};
    double back;
    if (activation->kind == RK_LEAKY_RELU) {
        rk_number_write(activation->parameter, 15, &number);
        if (!rk_number_read(number.text, &back) || back != activation->parameter)
            rk_number_write(activation->parameter, 17, &number);
    }
    snprintf(out->text, sizeof out->text, "%s%s%s", name, *number.text ? ":" : "", number.text);
    return out->text;
}

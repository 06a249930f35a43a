#include "activation/activation.h"

#include "activation/piecewise.h"
#include "activation/smooth.h"
#include "base/number.h"

#include <assert.h>
#include <string.h>

#define LINE(name, homogeneous, wick)                                                              \
    { #name, homogeneous, rk_##name##_value, rk_##name##_value_float, wick }

static const rk_activation_ops table[RK_ACTIVATION_COUNT] = {
    [RK_IDENTITY] = LINE(identity, true, rk_piecewise_wick),
    [RK_RELU] = LINE(relu, true, rk_piecewise_wick),
    [RK_LEAKY_RELU] = LINE(leaky_relu, true, rk_piecewise_wick),
    [RK_ABS] = LINE(abs, true, rk_piecewise_wick),
    [RK_HEAVISIDE] = LINE(heaviside, false, rk_piecewise_wick),
    [RK_SIGN] = LINE(sign, false, rk_piecewise_wick),
    [RK_SQUARE] = LINE(square, false, rk_piecewise_wick),
    [RK_CUBE] = LINE(cube, false, rk_piecewise_wick),
    [RK_GELU] = LINE(gelu, false, rk_quadrature_wick),
    [RK_TANH] = LINE(tanh, false, rk_quadrature_wick),
    [RK_SIGMOID] = LINE(sigmoid, false, rk_quadrature_wick),
    [RK_SILU] = LINE(silu, false, rk_quadrature_wick),
    [RK_SOFTPLUS] = LINE(softplus, false, rk_quadrature_wick),
    [RK_CUSTOM] = LINE(custom, false, rk_quadrature_wick),
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

static rk_status unknown_name(const char *text, rk_error *error) {
    char known[400] = "";
    for (int kind = 0; kind < RK_CUSTOM; kind++) {
        strncat(known, " ", sizeof known - strlen(known) - 1);
        strncat(known, table[kind].name, sizeof known - strlen(known) - 1);
    }
    return rk_fail(error, RK_ERROR_ARGUMENT, "unknown activation '%.60s'; known:%s", text, known);
}

/* Every kind but custom, the last, which no text can describe. */
static int find_kind(const char *name, size_t length) {
    for (int kind = 0; kind < RK_CUSTOM; kind++) {
        const char *known = table[kind].name;
        if (strlen(known) == length && strncmp(known, name, length) == 0) return kind;
    }
    return RK_CUSTOM;
}

rk_status rk_activation_parse(const char *text, rk_activation *out, rk_error *error) {
    const size_t length = strcspn(text, ":");
    const int kind = find_kind(text, length);
    if (kind == RK_CUSTOM) return unknown_name(text, error);

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
    *out = (rk_activation){.kind = (rk_activation_kind)kind, .parameter = parameter};
    return RK_OK;
}

void rk_wick(const rk_activation *activation, size_t n, const double *mu, const double *var,
             int k_max, int p_max, double *centre, double *w) {
    assert(0 <= k_max && k_max <= RK_WICK_MAX_K && 1 <= p_max && p_max <= RK_WICK_MAX_P);
    rk_activation_get(activation->kind)->wick(activation, n, mu, var, k_max, p_max, centre, w);
}

void rk_wick_about_zero(size_t n, int k_max, int p_max, double *centre, double *w) {
    for (size_t i = 0; i < n; i++)
        for (int p = p_max; p >= 1; p--) /* from lower powers, which are still about the centre */
            for (int k = 0; k <= k_max; k++) {
                double sum = 0, binomial = 1, power = 1; /* (p over j) centre^(p - j) */
                for (int j = p; j >= 1; j--) {
                    sum += binomial * power * w[rk_wick_at(n, k_max, k, j) + i];
                    binomial = binomial * j / (p - j + 1);
                    power *= centre[i];
                }
                w[rk_wick_at(n, k_max, k, p) + i] = k == 0 ? sum + power : sum;
            }
    memset(centre, 0, n * sizeof *centre);
}

double rk_wick_one(const rk_activation *activation, double mu, double var, int k, int p) {
    double w[(RK_WICK_MAX_K + 1) * RK_WICK_MAX_P], centre;
    rk_wick(activation, 1, &mu, &var, k, p, &centre, w);
    rk_wick_about_zero(1, k, p, &centre, w);
    return w[rk_wick_at(1, k, k, p)];
}

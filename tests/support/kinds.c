#include "support/kinds.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUTPUTS = 8, MAX_LAYERS = 16 };

static void *take(size_t count, size_t size) {
    void *memory = calloc(count ? count : 1, size);
    if (!memory) fprintf(stderr, "no memory\n"), exit(1);
    return memory;
}

/* ------------------------------------------------------------------------------------- chance */

typedef struct chance {
    uint64_t state;
} chance;

/* In (0, 1). */
static double uniform(chance *c) {
    uint64_t z = (c->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return ((double)(z >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(chance *c) {
    return sqrt(-2 * log(uniform(c))) * cos(6.283185307179586 * uniform(c));
}

/* Two and a half degrees of freedom: the variance is 5, kurtosis infinite. */
static double student(chance *c) {
    double s = 0, z = normal(c);
    for (int k = 0; k < 5; k++) {
        double half = normal(c);
        s += half * half / 2; /* chi-squared of 2.5 in the mean */
    }
    return z / sqrt(s / 2.5);
}

static size_t below(chance *c, size_t n) {
    return (size_t)(uniform(c) * (double)n);
}

/* ----------------------------------------------------------------------------------- a network */

typedef struct draft {
    size_t n_layers, width[MAX_LAYERS + 1]; /* from the input on */
    rk_activation activation;
    double scale; /* n Var(W) of hidden layers */
    double *W[MAX_LAYERS], *b[MAX_LAYERS];
    double *mean, *covariance; /* of the input, or NULL */
    chance c;
} draft;

static void draw_layer(draft *d, size_t l, double (*entry)(chance *)) {
    size_t m = d->width[l + 1], n = d->width[l];
    double sd = sqrt((l ? d->scale : 1) / (double)n);
    for (size_t i = 0; i < m * n; i++)
        d->W[l][i] = sd * entry(&d->c);
}

static void draw_all(draft *d, double (*entry)(chance *)) {
    for (size_t l = 0; l < d->n_layers; l++)
        draw_layer(d, l, entry);
}

static bool is_inner(const draft *d, size_t l) {
    return l > 0 && l + 1 < d->n_layers;
}

/* ------------------------------------------------------------------------------ one kind each */

static void leave(draft *d) {
    (void)d;
}

static void make_identity(draft *d) {
    for (size_t l = 0; l < d->n_layers; l++)
        for (size_t i = 0; is_inner(d, l) && i < d->width[l + 1]; i++)
            for (size_t j = 0; j < d->width[l]; j++) {
                double *w = &d->W[l][i * d->width[l] + j];
                *w = 0.3 * *w + (i == j);
            }
}

static void make_blocks(draft *d) {
    enum { BLOCKS = 4 };
    for (size_t l = 0; l < d->n_layers; l++)
        for (size_t i = 0; is_inner(d, l) && i < d->width[l + 1]; i++)
            for (size_t j = 0; j < d->width[l]; j++) {
                bool same = i * BLOCKS / d->width[l + 1] == j * BLOCKS / d->width[l];
                d->W[l][i * d->width[l] + j] *= same ? sqrt(BLOCKS) : 0;
            }
}

static void make_sparse(draft *d) {
    for (size_t l = 0; l < d->n_layers; l++)
        for (size_t i = 0; is_inner(d, l) && i < d->width[l] * d->width[l + 1]; i++)
            d->W[l][i] *= uniform(&d->c) < 0.1 ? sqrt(10) : 0;
}

static void make_student(draft *d) {
    draw_all(d, student);
}

static void make_permutation(draft *d) {
    for (size_t l = 0; l < d->n_layers; l++)
        for (size_t i = 0; is_inner(d, l) && i < d->width[l + 1]; i++)
            for (size_t j = 0; j < d->width[l]; j++)
                d->W[l][i * d->width[l] + j] = (i * 5 + l) % d->width[l] == j ? -1.2 : 0;
    for (size_t l = 0; l + 1 < d->n_layers; l++)
        for (size_t i = 0; i < d->width[l + 1]; i++)
            d->b[l][i] = 0.5 * normal(&d->c);
}

static void make_spike(draft *d) {
    for (size_t l = 0; l < d->n_layers; l++) {
        size_t m = d->width[l + 1], n = d->width[l];
        double *u = take(m, sizeof *u), *v = take(n, sizeof *v);
        for (size_t i = 0; i < m; i++)
            u[i] = normal(&d->c);
        for (size_t j = 0; j < n; j++)
            v[j] = normal(&d->c);
        for (size_t i = 0; is_inner(d, l) && i < m * n; i++)
            d->W[l][i] += 4 * u[i / n] * v[i % n] / (double)n;
        free(u);
        free(v);
    }
}

static void shift_weights(draft *d, double power) {
    for (size_t l = 1; l < d->n_layers; l++)
        for (size_t i = 0; i < d->width[l] * d->width[l + 1]; i++)
            d->W[l][i] -= pow((double)d->width[l], power);
}

static void shift_little(draft *d) {
    shift_weights(d, -1);
}

static void shift_much(draft *d) {
    shift_weights(d, -0.5);
}

static void make_dead(draft *d) {
    for (size_t l = 0; l + 1 < d->n_layers; l++)
        for (size_t i = 0; i < d->width[l + 1]; i++)
            if (i % 8) d->b[l][i] = -30;
}

static void make_twins(draft *d) {
    enum { TWINS = 4 };
    for (size_t l = 0; l + 1 < d->n_layers; l++)
        for (size_t i = 0; i < d->width[l + 1]; i++)
            memcpy(d->W[l] + i * d->width[l], d->W[l] + i / TWINS * TWINS * d->width[l],
                   d->width[l] * sizeof(double));
}

static void lower_rank(draft *d) {
    for (size_t l = 0; l < d->n_layers; l++) {
        size_t m = d->width[l + 1], n = d->width[l], rank = n / 8;
        if (!is_inner(d, l)) continue;
        double *U = take(m * rank, sizeof *U), *V = take(n * rank, sizeof *V);
        for (size_t i = 0; i < m * rank; i++)
            U[i] = normal(&d->c) / sqrt((double)rank);
        for (size_t j = 0; j < n * rank; j++)
            V[j] = normal(&d->c) * sqrt(d->scale / (double)n);
        for (size_t i = 0; i < m * n; i++) {
            d->W[l][i] = 0;
            for (size_t k = 0; k < rank; k++)
                d->W[l][i] += U[i / n * rank + k] * V[i % n * rank + k];
        }
        free(U);
        free(V);
    }
}

static void make_orthogonal(draft *d) {
    for (size_t l = 0; l < d->n_layers; l++) {
        size_t m = d->width[l + 1], n = d->width[l];
        if (!is_inner(d, l) || m > n) continue;
        for (size_t i = 0; i < m; i++) {
            double *row = d->W[l] + i * n, square = 0;
            for (size_t k = 0; k < i; k++) {
                double *other = d->W[l] + k * n, dot = 0;
                for (size_t j = 0; j < n; j++)
                    dot += row[j] * other[j] / d->scale;
                for (size_t j = 0; j < n; j++)
                    row[j] -= dot * other[j];
            }
            for (size_t j = 0; j < n; j++)
                square += row[j] * row[j];
            for (size_t j = 0; j < n; j++)
                row[j] *= sqrt(d->scale / square);
        }
    }
}

static void add_biases(draft *d, double size) {
    for (size_t l = 0; l + 1 < d->n_layers; l++)
        for (size_t i = 0; i < d->width[l + 1]; i++)
            d->b[l][i] = size * normal(&d->c);
}

static void add_small_biases(draft *d) {
    add_biases(d, 0.3);
}

static void add_large_biases(draft *d) {
    add_biases(d, 3);
}

static void add_huge_biases(draft *d) {
    add_biases(d, 10);
}

/* Every neuron reads five neighbours with the same weights: a convolution. */
static void make_bands(draft *d) {
    enum { READ = 5 };
    for (size_t l = 0; l < d->n_layers; l++) {
        size_t m = d->width[l + 1], n = d->width[l];
        double w[READ];
        for (size_t k = 0; k < READ; k++)
            w[k] = normal(&d->c) * sqrt(d->scale / READ);
        if (!is_inner(d, l)) continue;
        memset(d->W[l], 0, m * n * sizeof(double));
        for (size_t i = 0; i < m; i++)
            for (size_t k = 0; k < READ; k++)
                d->W[l][i * n + (i * n / m + k) % n] = w[k];
    }
}

/* Relu does not see that neurons are rescaled and their readers take it back. */
static void rescale_neurons(draft *d) {
    for (size_t l = 0; l + 1 < d->n_layers; l++)
        for (size_t i = 0; i < d->width[l + 1]; i++) {
            double c = exp(normal(&d->c));
            for (size_t j = 0; j < d->width[l]; j++)
                d->W[l][i * d->width[l] + j] *= c;
            for (size_t k = 0; k < d->width[l + 2]; k++)
                d->W[l + 1][k * d->width[l + 1] + i] /= c;
        }
}

static void narrow_input(draft *d) {
    size_t n = d->width[0];
    double *C = d->covariance = take(n * n, sizeof *C), *v = take(n, sizeof *v), sum = 0;
    for (size_t k = 0; k < n; k++)
        sum += 1 / (double)(k + 1);
    for (size_t k = 0; k < n; k++) {
        double eigenvalue = (double)n / sum / (double)(k + 1);
        for (size_t i = 0; i < n; i++)
            v[i] = sqrt((k ? 2.0 : 1.0) / (double)n) *
                   cos(3.141592653589793 * ((double)i + 0.5) * (double)k / (double)n);
        for (size_t i = 0; i < n * n; i++)
            C[i] += eigenvalue * v[i / n] * v[i % n];
    }
    free(v);
}

static void shift_input(draft *d) {
    d->mean = take(d->width[0], sizeof *d->mean);
    for (size_t i = 0; i < d->width[0]; i++)
        d->mean[i] = 1 + normal(&d->c);
    add_small_biases(d);
}

static void quieten_input(draft *d) {
    size_t n = d->width[0];
    shift_input(d);
    d->covariance = take(n * n, sizeof *d->covariance);
    for (size_t i = 0; i < n; i++)
        d->covariance[i * n + i] = 0.01;
}

/* ----------------------------------------------------------------------------------- training */

static double phi(const rk_activation *a, double z) {
    switch (a->kind) {
    case RK_TANH:
        return tanh(z);
    case RK_GELU:
        return z / 2 * (1 + erf(z / sqrt(2.0)));
    case RK_LEAKY_RELU:
        return z > 0 ? z : a->parameter * z;
    case RK_SILU:
        return z / (1 + exp(-z));
    case RK_ABS:
        return fabs(z);
    default:
        return z > 0 ? z : 0;
    }
}

static double phi_slope(const rk_activation *a, double z) {
    double t;
    switch (a->kind) {
    case RK_TANH:
        t = tanh(z);
        return 1 - t * t;
    case RK_GELU:
        return (1 + erf(z / sqrt(2.0))) / 2 + z * exp(-z * z / 2) / sqrt(6.283185307179586);
    case RK_LEAKY_RELU:
        return z > 0 ? 1 : a->parameter;
    case RK_SILU:
        t = 1 / (1 + exp(-z));
        return t + z * t * (1 - t);
    case RK_ABS:
        return z > 0 ? 1 : -1;
    default:
        return z > 0 ? 1 : 0;
    }
}

/* What a network is trained for: x and y of one example. */
typedef void task(draft *d, const double *teacher, double *x, double *y);

static void example_wave(draft *d, const double *teacher, double *x, double *y) {
    size_t n = d->width[0];
    for (size_t i = 0; i < n; i++)
        x[i] = normal(&d->c);
    for (size_t k = 0; k < OUTPUTS; k++) {
        double s = teacher[k];
        for (size_t i = 0; i < n; i++)
            s += 2.5 * teacher[OUTPUTS + k * n + i] * x[i] / sqrt((double)n);
        y[k] = sin(s);
    }
}

/* Clusters about centres of length 3: which one? */
static void example_class(draft *d, const double *teacher, double *x, double *y) {
    size_t n = d->width[0], which = below(&d->c, OUTPUTS);
    for (size_t i = 0; i < n; i++)
        x[i] = 0.7 * normal(&d->c) + 3 * teacher[which * n + i] / sqrt((double)n);
    for (size_t k = 0; k < OUTPUTS; k++)
        y[k] = k == which;
}

/* Forty examples with answers by chance, again and again. */
static void example_chance(draft *d, const double *teacher, double *x, double *y) {
    (void)teacher;
    chance c = {7919 * (1 + below(&d->c, 40))};
    for (size_t i = 0; i < d->width[0]; i++)
        x[i] = normal(&c);
    for (size_t k = 0; k < OUTPUTS; k++)
        y[k] = normal(&c);
}

/* Adam, mean square error, batches of BATCH; z[l], g[l] are those of one example. */
static void train(draft *d, task *example, int steps) {
    enum { BATCH = 24 };
    static const double rate = 4e-3, keep1 = 0.9, keep2 = 0.98;
    size_t L = d->n_layers, n_in = d->width[0];
    double *teacher = take(OUTPUTS * (n_in + 1), sizeof *teacher);
    double *h[MAX_LAYERS + 1], *z[MAX_LAYERS + 1], *g[MAX_LAYERS + 1], y[OUTPUTS];
    double *G[MAX_LAYERS], *M[MAX_LAYERS], *V[MAX_LAYERS]; /* weights, then biases */
    for (size_t i = 0; i < OUTPUTS * (n_in + 1); i++)
        teacher[i] = normal(&d->c);
    for (size_t l = 0; l <= L; l++) {
        h[l] = take(d->width[l], sizeof *h[l]);
        z[l] = take(d->width[l], sizeof *z[l]);
        g[l] = take(d->width[l], sizeof *g[l]);
        if (l == L) break;
        size_t count = d->width[l + 1] * (d->width[l] + 1);
        G[l] = take(count, sizeof *G[l]);
        M[l] = take(count, sizeof *M[l]);
        V[l] = take(count, sizeof *V[l]);
    }
    for (int t = 1; t <= steps; t++) {
        for (size_t l = 0; l < L; l++)
            memset(G[l], 0, d->width[l + 1] * (d->width[l] + 1) * sizeof(double));
        for (int e = 0; e < BATCH; e++) {
            example(d, teacher, h[0], y);
            for (size_t l = 0; l < L; l++)
                for (size_t i = 0; i < d->width[l + 1]; i++) {
                    const double *W = d->W[l] + i * d->width[l];
                    double s = d->b[l][i];
                    for (size_t j = 0; j < d->width[l]; j++)
                        s += W[j] * h[l][j];
                    z[l + 1][i] = s;
                    h[l + 1][i] = l + 1 < L ? phi(&d->activation, s) : s;
                }
            for (size_t k = 0; k < OUTPUTS; k++)
                g[L][k] = (h[L][k] - y[k]) / BATCH;
            for (size_t l = L; l-- > 0;) {
                size_t n = d->width[l];
                memset(g[l], 0, n * sizeof(double));
                for (size_t i = 0; i < d->width[l + 1]; i++) {
                    const double *W = d->W[l] + i * n, own = g[l + 1][i];
                    double *to = G[l] + i * n;
                    if (own == 0) continue;
                    for (size_t j = 0; j < n; j++) {
                        to[j] += own * h[l][j];
                        g[l][j] += own * W[j];
                    }
                    G[l][d->width[l + 1] * n + i] += own;
                }
                for (size_t j = 0; l && j < n; j++)
                    g[l][j] *= phi_slope(&d->activation, z[l][j]);
            }
        }
        for (size_t l = 0; l < L; l++) {
            size_t n_weights = d->width[l + 1] * d->width[l], count = n_weights + d->width[l + 1];
            for (size_t i = 0; i < count; i++) {
                double *x = i < n_weights ? &d->W[l][i] : &d->b[l][i - n_weights];
                M[l][i] += (1 - keep1) * (G[l][i] - M[l][i]);
                V[l][i] += (1 - keep2) * (G[l][i] * G[l][i] - V[l][i]);
                *x -= rate * (M[l][i] / (1 - pow(keep1, t))) /
                      (sqrt(V[l][i] / (1 - pow(keep2, t))) + 1e-8);
            }
        }
    }
    for (size_t l = 0; l <= L; l++) {
        free(h[l]), free(z[l]), free(g[l]);
        if (l < L) free(G[l]), free(M[l]), free(V[l]);
    }
    free(teacher);
}

static void train_wave(draft *d) {
    train(d, example_wave, 400);
}

static void train_class(draft *d) {
    train(d, example_class, 150);
}

static void train_chance(draft *d) {
    train(d, example_chance, 300);
}

/* ------------------------------------------------------------------------------------ the whole */

static const struct kind {
    const char *name;
    void (*make)(draft *d);
    size_t inputs;  /* 0: as many as neurons */
    size_t narrows; /* every other hidden layer is so many times narrower; 0: not */
} kinds[] = {
    {"random", leave, 0, 0},
    {"biases .3", add_small_biases, 0, 0},
    {"biases 3", add_large_biases, 0, 0},
    {"biases 10", add_huge_biases, 0, 0},
    {"1 input", add_small_biases, 1, 0},
    {"2 inputs", leave, 2, 0},
    {"3 inputs", leave, 3, 0},
    {"10 inputs", leave, 10, 0},
    {"identity", make_identity, 0, 0},
    {"blocks", make_blocks, 0, 0},
    {"sparse", make_sparse, 0, 0},
    {"student", make_student, 0, 0},
    {"permutation", make_permutation, 0, 0},
    {"spike", make_spike, 0, 0},
    {"mean 1/n", shift_little, 0, 0},
    {"mean 1/root n", shift_much, 0, 0},
    {"dead", make_dead, 0, 0},
    {"twins", make_twins, 0, 0},
    {"low rank", lower_rank, 0, 0},
    {"orthogonal", make_orthogonal, 0, 0},
    {"bands", make_bands, 0, 0},
    {"rescaled", rescale_neurons, 0, 0},
    {"bottlenecks", leave, 0, 8},
    {"narrow input", narrow_input, 0, 0},
    {"shifted input", shift_input, 0, 0},
    {"quiet input", quieten_input, 0, 0},
    {"wave 2", train_wave, 2, 0},
    {"wave 10", train_wave, 10, 0},
    {"wave", train_wave, 0, 0},
    {"class 10", train_class, 10, 0},
    {"class", train_class, 0, 0},
    {"chance", train_chance, 0, 0},
};

const char *kind_name(size_t index) {
    return index < sizeof kinds / sizeof *kinds ? kinds[index].name : NULL;
}

static rk_network *build(const draft *d) {
    rk_layer layers[MAX_LAYERS];
    for (size_t l = 0; l < d->n_layers; l++)
        layers[l] = (rk_layer){.rows = d->width[l + 1],
                               .cols = d->width[l],
                               .weight = d->W[l],
                               .bias = d->b[l],
                               .activation = d->activation};
    layers[d->n_layers - 1].activation = (rk_activation){.kind = RK_IDENTITY};
    rk_network *net;
    rk_error error;
    if (rk_network_create(&net, layers, d->n_layers, &error) != RK_OK)
        fprintf(stderr, "%s\n", error.message), exit(1);
    return net;
}

kind_case kind_draw(const char *name, const char *activation, size_t n, size_t hidden,
                    uint64_t seed) {
    const struct kind *kind = kinds;
    while (kind < kinds + sizeof kinds / sizeof *kinds && strcmp(kind->name, name) != 0)
        kind++;
    draft d = {.n_layers = hidden + 1, .c = {seed * 1000003 + 17}};
    if (kind == kinds + sizeof kinds / sizeof *kinds || d.n_layers > MAX_LAYERS ||
        rk_activation_parse(activation, &d.activation, NULL) != RK_OK)
        fprintf(stderr, "no such network: %s %s\n", name, activation), exit(1);
    d.scale = d.activation.kind == RK_TANH ? 1.5 : 2;
    for (size_t l = 0; l <= hidden; l++)
        d.width[l] = kind->narrows && l % 2 == 0 && l > 0 ? n / kind->narrows : n;
    if (kind->inputs) d.width[0] = kind->inputs;
    d.width[hidden + 1] = OUTPUTS;
    for (size_t l = 0; l < d.n_layers; l++) {
        d.W[l] = take(d.width[l] * d.width[l + 1], sizeof(double));
        d.b[l] = take(d.width[l + 1], sizeof(double));
    }
    draw_all(&d, normal);
    if (d.activation.kind == RK_TANH) add_small_biases(&d); /* odd: all means would be 0 */
    kind->make(&d);
    kind_case k = {.net = build(&d), .mean = d.mean, .covariance = d.covariance};
    k.input = (rk_input){.mean = k.mean, .covariance = k.covariance};
    for (size_t l = 0; l < d.n_layers; l++)
        free(d.W[l]), free(d.b[l]);
    return k;
}

void kind_release(kind_case *k) {
    rk_network_destroy(k->net);
    free(k->mean);
    free(k->covariance);
}

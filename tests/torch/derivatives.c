/* derivatives ACTIVATION: a network, its input and the derivatives of one run by `covariance`, as
 * lines "name count numbers", in hexadecimal so that none is rounded. */
#include <reckon/reckon.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

enum { LAYERS = 3, MOST = 8 };
static const size_t width[LAYERS + 1] = {5, 7, 6, 4};

static double numbers[16][MOST * MOST];
static size_t n_made;

static void show(const char *name, size_t l, size_t n, const double *x) {
    printf("%s%zu %zu", name, l, n);
    for (size_t k = 0; k < n; k++)
        printf(" %a", x[k]);
    printf("\n");
}

/* Numbers of order `size` about `centre`. */
static double *make(size_t n, double centre, double size) {
    double *x = numbers[n_made++];
    for (size_t k = 0; k < n; k++)
        x[k] =
            centre + size * sin(1.7 * (double)n_made + 2.399 * (double)k + 0.6 * (double)(k % 7));
    return x;
}

static double *shown(const char *name, size_t l, size_t n, double centre, double size) {
    double *x = make(n, centre, size);
    show(name, l, n, x);
    return x;
}

/* A A' / n + 1 / 2: positive. */
static double *covariance(size_t n) {
    const double *A = make(n * n, 0, 1);
    double *S = make(0, 0, 0);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            S[i * n + j] = i == j ? 0.5 : 0;
            for (size_t k = 0; k < n; k++)
                S[i * n + j] += A[i * n + k] * A[j * n + k] / (double)n;
        }
    show("S", 0, n * n, S);
    return S;
}

static bool run(const rk_network *net, const rk_input *input, rk_error *error) {
    const size_t n_in = width[0], n_out = width[LAYERS];
    const rk_method_spec covariance = {.kind = RK_COVARIANCE};
    rk_options options = rk_options_default();
    options.method = &covariance;
    options.covariance = options.layers = options.input_covariance = true;
    const double *hidden[] = {shown("f_hidden", 0, width[1], 0, 1),
                              shown("f_hidden", 1, width[2], 0, 1)};
    const rk_cotangents f = {.mean = shown("f_mean", 0, n_out, 0, 1),
                             .variance = shown("f_variance", 0, n_out, 0, 1),
                             .covariance = shown("f_covariance", 0, n_out * n_out, 0, 1),
                             .hidden_mean = hidden};
    rk_linearisation *linear;
    rk_derivatives *g;
    if (rk_linearise(&linear, net, input, &options, error) != RK_OK ||
        rk_derivatives_create(&g, net, &options, error) != RK_OK ||
        rk_vjp(linear, &f, g, error) != RK_OK)
        return false;
    const rk_answer_data *answer = rk_linearisation_view(linear)->answer;
    show("mean", 0, n_out, answer->mean);
    show("covariance", 0, n_out * n_out, answer->covariance);
    for (size_t l = 0; l < LAYERS; l++) {
        show("g_W", l, width[l + 1] * width[l], g->weight[l]);
        show("g_b", l, width[l + 1], g->bias[l]);
    }
    show("g_m", 0, n_in, g->input_mean);
    show("g_S", 0, n_in * n_in, g->input_covariance);
    /* changes along these derivatives */
    double mean[MOST], C[MOST * MOST];
    const rk_tangents to = {.mean = mean, .covariance = C};
    if (rk_jvp(linear, g, &to, error) != RK_OK) return false;
    show("d_mean", 0, n_out, mean);
    show("d_covariance", 0, n_out * n_out, C);
    rk_derivatives_destroy(g);
    rk_linearisation_destroy(linear);
    return true;
}

int main(int argc, char **argv) {
    rk_layer layers[LAYERS] = {{0}};
    rk_activation phi;
    rk_error error;
    if (argc != 2 || rk_activation_parse(argv[1], &phi, &error) != RK_OK) return 2;
    for (size_t l = 0; l < LAYERS; l++)
        layers[l] = (rk_layer){.rows = width[l + 1],
                               .cols = width[l],
                               .weight = shown("W", l, width[l + 1] * width[l], 0.05, 0.6),
                               .bias = shown("b", l, width[l + 1], 0.1, 0.4),
                               .activation = phi};
    layers[LAYERS - 1].activation = (rk_activation){.kind = RK_IDENTITY};
    const rk_input input = {.mean = shown("m", 0, width[0], 0.2, 0.5),
                            .covariance = covariance(width[0])};
    rk_network *net = NULL;
    bool ok = rk_network_create(&net, layers, LAYERS, &error) == RK_OK && run(net, &input, &error);
    rk_network_destroy(net);
    if (!ok) fprintf(stderr, "%s\n", error.message);
    return ok ? 0 : 1;
}

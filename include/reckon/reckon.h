/**
 * reckon: what a neural network computes on average, from its weights.
 *
 * For x ~ N(mu, Sigma) and a multilayer perceptron M with given weights, libreckon estimates
 * E[M(x)], Cov[M(x)] and their errors by propagating cumulants through the layers.
 *
 *     rk_network *net = NULL;
 *     rk_answer *answer = NULL;
 *     rk_error error;
 *     if (rk_network_read(&net, "net.safetensors", NULL, &error) == RK_OK &&
 *         rk_estimate(&answer, net, NULL, NULL, &error) == RK_OK)
 *         use(rk_answer_view(answer)->mean);
 *     rk_answer_destroy(answer);
 *     rk_network_destroy(net);
 *
 * Conventions. A network has weight matrices W_1 .. W_n (out x in, row-major, as PyTorch stores
 * them): z_l = W_l h_{l-1} + b_l, h_l = phi_l(z_l), h_0 = x. The last layer's activation is
 * normally the identity, so the output is z_n; layers 1 .. n-1 are the hidden layers. Residual
 * connections make of this what rk_layer says.
 *
 * Errors. Every fallible function returns an rk_status and, if `error` is not NULL, explains
 * itself there. `create`-like functions set *out to NULL first and leave nothing behind on failure;
 * `destroy(NULL)` is fine. Inputs are borrowed for the duration of the call unless said otherwise.
 *
 * The library never prints, never exits and keeps no state between calls; during one a threaded
 * BLAS is serial, for the whole process where it cannot be otherwise. Same input, seed and version
 * on the same kind of machine (BLAS and its core, see rk_build_info): the same bits for any number
 * of threads; elsewhere they differ by 1e-9 to 1e-8.
 *
 * Threads. What has been created does not change any more: networks, plans, events, answers and
 * whatever they borrow may be used by any number of threads at a time, and so may an rk_context.
 * Only `destroy` wants that nobody uses the object any longer. Progress functions are called by the
 * thread that made the call.
 *
 * A process may fork between calls; a fork during one, from another thread, leaves a child that may
 * only exec, as POSIX has it.
 */
#ifndef RECKON_H
#define RECKON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define RK_API    __attribute__((visibility("default")))
#define RK_INLINE static inline __attribute__((unused))
#else
#define RK_API
#define RK_INLINE static inline
#endif

/** Library version, "major.minor.patch". */
RK_API const char *rk_version(void);

/** Writes what is at work here, one "key value" a line: library, compiler, blas (name and build),
 *  blas_threads (whose it could use), blas_core (the processor it has code for), blas_file,
 *  processor, threads (what 0 stands for in the options: affinity and quotas count) and
 *  memory_bytes (likewise). Cut to `size` bytes; 1000 are plenty. */
RK_API void rk_build_info(char *text, size_t size);

/* ------------------------------------------------------------------------------------ status */

#define RK_STATUS_LIST(X)                                                                          \
    X(RK_OK, "ok")                                                                                 \
    X(RK_ERROR_ARGUMENT, "invalid argument")                                                       \
    X(RK_ERROR_MEMORY, "out of memory")                                                            \
    X(RK_ERROR_IO, "input/output error")                                                           \
    X(RK_ERROR_FORMAT, "invalid model file")                                                       \
    X(RK_ERROR_UNSUPPORTED, "unsupported")                                                         \
    X(RK_ERROR_NUMERIC, "numerical failure")                                                       \
    X(RK_ERROR_TOO_LARGE, "exceeds the memory limit")                                              \
    X(RK_ERROR_INTERRUPTED, "interrupted")                                                         \
    X(RK_ERROR_OUT_OF_REACH, "out of reach")

typedef enum rk_status {
#define RK_STATUS_ENUM(code, text) code,
    RK_STATUS_LIST(RK_STATUS_ENUM)
#undef RK_STATUS_ENUM
} rk_status;

/** Short English text for a status. Never NULL. */
RK_API const char *rk_status_text(rk_status status);

/** What went wrong and where. `message` is complete: it names the tensor, layer or option. */
typedef struct rk_error {
    rk_status status;
    int64_t offset; /**< byte offset in the file for RK_ERROR_FORMAT, or -1 */
    char message[500];
} rk_error;

/* ------------------------------------------------------------------------------- activations */

/** name, enumerator, default parameter. `leaky_relu`'s parameter is its negative slope. */
#define RK_ACTIVATION_LIST(X)                                                                      \
    X(identity, RK_IDENTITY, 0.0)                                                                  \
    X(relu, RK_RELU, 0.0)                                                                          \
    X(leaky_relu, RK_LEAKY_RELU, 0.01)                                                             \
    X(abs, RK_ABS, 0.0)                                                                            \
    X(heaviside, RK_HEAVISIDE, 0.0)                                                                \
    X(sign, RK_SIGN, 0.0)                                                                          \
    X(square, RK_SQUARE, 0.0)                                                                      \
    X(cube, RK_CUBE, 0.0)                                                                          \
    X(gelu, RK_GELU, 0.0)                                                                          \
    X(tanh, RK_TANH, 0.0)                                                                          \
    X(sigmoid, RK_SIGMOID, 0.0)                                                                    \
    X(silu, RK_SILU, 0.0)                                                                          \
    X(softplus, RK_SOFTPLUS, 0.0)                                                                  \
    X(custom, RK_CUSTOM, 0.0)

typedef enum rk_activation_kind {
#define RK_ACTIVATION_ENUM(name, code, parameter) code,
    RK_ACTIVATION_LIST(RK_ACTIVATION_ENUM)
#undef RK_ACTIVATION_ENUM
        RK_ACTIVATION_COUNT
} rk_activation_kind;

typedef struct rk_activation {
    rk_activation_kind kind;
    double parameter;
    /** RK_CUSTOM only: phi(z). Must be pure and callable from several threads at once; `context`
     *  must outlive the network. Its Gaussian coefficients come from quadrature, so it should be
     *  smooth. */
    double (*function)(double z, void *context);
    void *context;
} rk_activation;

/** Parse "relu", "leaky_relu" or "leaky_relu:0.2", whatever the case, and some names of others
 *  (swish, linear, LeakyReLU). RK_ERROR_ARGUMENT lists the known names or says why it is none. */
RK_API rk_status rk_activation_parse(const char *text, rk_activation *out, rk_error *error);

/** Name of an activation kind, as rk_activation_parse reads it; NULL if `kind` is out of range. */
RK_API const char *rk_activation_name(rk_activation_kind kind);

/* ----------------------------------------------------------------------------------- network */

/**
 * One layer: h = phi(W u + b + v), u and v being values: the input or what an earlier layer made.
 * Values are numbered: 1 is the input x, l + 1 what layer l made, l = 1, 2, ... So a residual block
 * y = x + W_2 phi(W_1 x + b_1) + b_2 that reads value 1 is
 *
 *     {.rows = k, .cols = n, .weight = W_1, .bias = b_1, .activation = phi},
 *     {.rows = n, .cols = k, .weight = W_2, .bias = b_2, .adds = 1},
 *
 * and its y value 3. Zero is a plain layer: it reads the one before and adds nothing.
 */
typedef struct rk_layer {
    size_t rows;          /**< outputs */
    size_t cols;          /**< inputs */
    const double *weight; /**< rows x cols, row-major; NULL: the identity, rows = cols */
    const double *bias;   /**< rows entries, or NULL */
    rk_activation activation;
    /** cols * Var(W) of the distribution the weights were drawn from, used by metric=avg only;
     *  0 means "measure it from the weights". */
    double weight_scale;
    size_t reads; /**< the value u; 0: that of the layer before */
    size_t adds;  /**< the value v, of `rows` entries; 0: none */
} rk_layer;

typedef struct rk_network rk_network;

/** Copies `n_layers` >= 1 layers into a new network. Refuses shapes that do not chain, empty
 *  layers and numbers that are not finite, naming layer and index. Free with rk_network_destroy. */
RK_API rk_status rk_network_create(rk_network **out, const rk_layer *layers, size_t n_layers,
                                   rk_error *error);
RK_API void rk_network_destroy(rk_network *net);

/** Number of weight matrices. */
RK_API size_t rk_network_n_layers(const rk_network *net);
/** Layer l in [0, n_layers), borrowed from the network. */
RK_API rk_layer rk_network_layer(const rk_network *net, size_t l);
RK_API size_t rk_network_n_in(const rk_network *net);
RK_API size_t rk_network_n_out(const rk_network *net);

/** SHA-256 of the float64 little-endian weights and biases with their shapes, and of what a layer
 *  reads and adds if it is not plain, as 64 hex digits. Independent of the file format they came
 *  from. May fail only on memory. */
RK_API rk_status rk_network_sha256(const rk_network *net, char hex[65], rk_error *error);

/** Reference forward pass in double: x has n_in entries, y n_out. May fail only on memory. */
RK_API rk_status rk_network_forward(const rk_network *net, const double *x, double *y,
                                    rk_error *error);

/** How to draw the weights of a random network. */
typedef enum rk_init {
    RK_INIT_HE,       /**< Var(W) = 1/(n_in E[phi(Z)^2]) of the layer below; first layer 1/n_in */
    RK_INIT_CRITICAL, /**< weight and bias variances for which q and its perturbations persist */
    RK_INIT_MANUAL    /**< weight_variance / n_in and bias_variance as given */
} rk_init;

typedef struct rk_random_spec {
    size_t n_in, n_out;
    const size_t *hidden; /**< widths of the hidden layers */
    size_t n_hidden;
    rk_activation activation; /**< of every hidden layer; the output layer has none */
    rk_init init;
    double critical_q;      /**< RK_INIT_CRITICAL: the fixed point E[z^2] = q, e.g. 1 */
    double weight_variance; /**< RK_INIT_MANUAL: n_in * Var(W) */
    double bias_variance;   /**< RK_INIT_MANUAL; 0 means no biases */
    uint64_t seed;
    /** Hidden layers two by two are blocks y = x + W_2 phi(W_1 x + b_1) + b_2, x being what is
     *  below; of an odd number the first one embeds the input, y = W x + b. Outputs are linear in
     *  the last y. init is for W_1 as for a first layer, its input having no activation, and for
     *  W_2 and b_2 with variances divided by the number of blocks: so the variance of y at most
     *  grows by a factor of about e, at any depth. */
    bool residual;
} rk_random_spec;

/** A random network from counter-based streams: same spec, same bits, everywhere. Layer l of a seed
 *  is the same at every depth, up to that division. NumPy makes the same network:
 * tests/numpy/streams.py. */
RK_API rk_status rk_network_random(rk_network **out, const rk_random_spec *spec, rk_error *error);

/* --------------------------------------------------------------------------------- file formats */

/** Which way matrices lie in a file. */
typedef enum rk_layout {
    RK_LAYOUT_BY_NAME, /**< a kernel (Flax, Keras) and coefs (scikit-learn) in-out, all else out-in
                        */
    RK_LAYOUT_OUT_IN,  /**< (out, in), as PyTorch stores them */
    RK_LAYOUT_IN_OUT   /**< (in, out): GPT-2's Conv1D, JAX */
} rk_layout;

/** How to read a model file that does not say everything itself. Zero-initialise for defaults. */
typedef struct rk_read_options {
    /** Activation(s) of the hidden layers: one name for all, or a comma-separated list with one
     *  name a hidden layer (one more to give the output layer one too); NULL: from the file. */
    const char *activation;
    /** Which tensors are the network: patterns of a shell between commas, "actor.*,!*.step"; the
     *  last that fits a name decides, '!' leaving it out. NULL: all. */
    const char *tensors;
    rk_layout layout; /**< RK_LAYOUT_BY_NAME: as the description or the names say */
    /** The weights in the order of computation: patterns as in `tensors`, those that fit one in the
     *  order of their names. NULL: as names and shapes tell. */
    const char *order;
    const char *output_activation; /**< beside `activation`; NULL: as that says */
} rk_read_options;

/**
 * Reads a network from a .safetensors, .npz, .npy or .pt file, or from stdin if `path` is "-".
 * Tensors are chained by their names and shapes; activations come from `options`, from a side-car
 * `<path>.json`, or from the file (docs/FORMATS.md). `options` may be NULL. What was inferred is
 * kept as text: see rk_network_notes.
 */
RK_API rk_status rk_network_read(rk_network **out, const char *path, const rk_read_options *options,
                                 rk_error *error);

/** Writes .safetensors or .npz, chosen by the name's ending; float64. Atomic: on failure the old
 *  file, if any, is untouched and no partial file remains. */
RK_API rk_status rk_network_write(const rk_network *net, const char *path, rk_error *error);

/** What the reader inferred, one fact a line ("layer 1: fc1.weight 256x784, fc1.bias; relu from
 *  metadata"); "" if the network was not read from a file. Borrowed from the network. */
RK_API const char *rk_network_notes(const rk_network *net);

/** How the network was made, a line for people: what rk_network_set_origin said, here or before it
 *  was written to the file that it was read from; "" if nothing. Borrowed from the network. */
RK_API const char *rk_network_origin(const rk_network *net);

/** Says so, with a copy of `text`. RK_ERROR_ARGUMENT: longer than 1000 bytes, or with other than
 *  printable ASCII characters, quotes or backslashes. Not while others use the network. */
RK_API rk_status rk_network_set_origin(rk_network *net, const char *text, rk_error *error);

/** A real array read from a .npy file (or "-" for stdin). */
typedef struct rk_array {
    size_t n_dims;
    size_t shape[8];
    double *data; /**< C order; free with rk_array_destroy */
} rk_array;
RK_API rk_status rk_array_read(rk_array *out, const char *path, rk_error *error);
/** The array of an .npz file that has one of these names, "weights,weights_": the first there is.
 *  RK_ERROR_FORMAT lists those that the file has. */
RK_API rk_status rk_array_read_named(rk_array *out, const char *path, const char *names,
                                     rk_error *error);
RK_API void rk_array_destroy(rk_array *array);

/* --------------------------------------------------------------------------------- estimation */

/** The law of the input. NULL members: mean 0, covariance the identity, third cumulant 0. Every
 *  method refuses, with RK_ERROR_ARGUMENT and the entry or eigenvalue, what is not finite, not
 *  symmetric or indefinite; 1e-6 of the deviations is taken for rounding. */
typedef struct rk_input {
    const double *mean;           /**< n_in */
    const double *covariance;     /**< n_in x n_in, symmetric positive semidefinite */
    const double *third_cumulant; /**< n_in^3, symmetric; only some methods accept it */
    /** Another law altogether, then the other members are NULL. Plans, estimates and tails take it
     *  (docs/METHODS.md#mixtures); everything else refuses it. */
    const struct rk_mixture *mixture;
} rk_input;

/** A mixture of normal laws: components[k] with probability weights[k]. */
typedef struct rk_mixture {
    size_t n;
    const double *weights;      /**< n, not negative, with sum 1 */
    const rk_input *components; /**< n, none a mixture itself */
} rk_mixture;

/** A law with memory of its own, as data or files give it. */
typedef struct rk_input_law rk_input_law;

/** From arrays as files have them, for `n_in` inputs. `mean` (NULL: 0): one number for all, or n_in
 *  of them, as (n), (n, 1) or (1, n). `covariance` (NULL: the identity): one variance for all, n_in
 *  variances likewise, or (n, n). RK_ERROR_ARGUMENT names a shape that is none of these. */
RK_API rk_status rk_input_law_normal(rk_input_law **out, size_t n_in, const rk_array *mean,
                                     const rk_array *covariance, rk_error *error);

/**
 * The normal law with the mean m and the covariance C of `points` (n x n_in, n >= 2), C with the
 * divisor n - 1. `shrinkage` s in [0, 1] makes it (1 - s) C + s tr(C)/n_in I; NaN stands for the s
 * of Ledoit and Wolf (2004), which few points need, and which depends on the units of the inputs.
 * n n_in^2 FLOPs, once over the points.
 */
RK_API rk_status rk_input_law_of_points(rk_input_law **out, size_t n_in, const rk_array *points,
                                        double shrinkage, rk_error *error);

/** A mixture: `weights` (k), `means` (k, n) and `covariances` (k, n, n), (k, n) of variances, (n,
 * n) for all, or (k) of one variance each, as scikit-learn's GaussianMixture has them. */
RK_API rk_status rk_input_law_mixture(rk_input_law **out, size_t n_in, const rk_array *weights,
                                      const rk_array *means, const rk_array *covariances,
                                      rk_error *error);

/** Borrowed. */
RK_API const rk_input *rk_input_law_view(const rk_input_law *law);
/** What it is, for people: "mean and covariance of 1797 points, shrinkage 0.013". */
RK_API const char *rk_input_law_text(const rk_input_law *law);
RK_API void rk_input_law_destroy(rk_input_law *law);

/* ------------------------------------------------------------------------------------ methods */

/** What answers: rk_method_at(kind) says more, docs/METHODS.md all. */
typedef enum rk_method_kind {
    RK_AUTO, /**< chooses among the others by rk_options.budget_... and tolerance */
    RK_MEAN,
    RK_COVARIANCE,
    RK_GAIN,
    RK_THIRD,
    RK_FOURTH,
    RK_REFERENCE,
    RK_SAMPLE,
    RK_METHOD_COUNT
} rk_method_kind;

/** Metric of radial parts after a linear map (docs/MATH.md#metric). */
typedef enum rk_metric {
    RK_METRIC_EXACT,  /**< W W' */
    RK_METRIC_AVERAGE /**< cols Var(W) times the identity, except at the last layer */
} rk_metric;

typedef enum rk_reference_kind {
    RK_REFERENCE_SIMPLE,  /**< degrees <= K, and for odd K the full trace of degree K + 1 */
    RK_REFERENCE_AUGMENT, /**< also what degrees K + 1, K + 2 contribute at the same cost */
    RK_REFERENCE_BASE     /**< ablation: degrees <= K only; K = 1 takes every variance as 1 */
} rk_reference_kind;

/** Whether the third order takes the common factor out of each layer: docs/MATH.md#gauge. */
typedef enum rk_tilt_kind { RK_TILT_AUTO, RK_TILT_OFF, RK_TILT_ON } rk_tilt_kind;

/** How it carries the fourth cumulant: the first and the last without a tilt, the others with it.
 */
typedef enum rk_fourth_kind {
    RK_FOURTH_AUTO,
    RK_FOURTH_AVERAGE,  /**< as one scalar */
    RK_FOURTH_ZERO,     /**< not at all: all of it is tilted away, what is left is neglected */
    RK_FOURTH_DIAGONAL, /**< half of it is tilted away; of what is left, the diagonal */
    RK_FOURTH_LEAN,     /**< the same, and what activations make of it followed for some layers: of
                             pairs of neurons only sums */
    RK_FOURTH_FULL,     /**< the same, with every pair */
    RK_FOURTH_FITTED    /**< by a law that was fitted to relu networks */
} rk_fourth_kind;

/** How it closes the covariances of activations (docs/MATH.md#pairs). */
typedef enum rk_pair_closure {
    RK_PAIRS_FIRST,     /**< to first order in the correlation, as published */
    RK_PAIRS_COMPLETED, /**< to a higher one, and what is missing given to the next */
    RK_PAIRS_EXACT /**< of Gaussian pairs, where activations are linear on both sides of zero */
} rk_pair_closure;

/** What becomes of the third cumulant that older layers made. */
typedef enum rk_old_sources { RK_OLD_AUTO, RK_OLD_FOLDED, RK_OLD_EXACT } rk_old_sources;

/** Where the network is looked at: docs/MATH.md#structured-sampling. */
typedef enum rk_point_set {
    RK_POINTS_IID,
    RK_POINTS_ANTITHETIC, /**< in pairs z, -z */
    RK_POINTS_ORTHOGONAL, /**< such pairs along unbiased bases */
    RK_POINTS_DESIGN      /**< along all of them: 5-designs */
} rk_point_set;

/** What the control variate of `sample` knows. */
typedef enum rk_control_kind {
    RK_CONTROL_NONE,
    RK_CONTROL_FIRST, /**< the exact mean of the first layer */
    RK_CONTROL_ANCHOR /**< the mean of the best layer, as `third` has it */
} rk_control_kind;

/** rk_method_spec.rank: all there is. */
#define RK_RANK_FULL (-1)

/** The longest rk_method_spec.reach. */
#define RK_MAX_REACH 8

/**
 * A method with its arguments. Zero is the default everywhere: (rk_method_spec){.kind = RK_THIRD}
 * is all it takes. What belongs to another kind, and what is out of range, is refused.
 *
 * `size`, here and in the other structures that begin with one: sizeof of the structure. They grow
 * at their end; a caller who was compiled against a shorter one leaves the rest at its default, and
 * a longer one is taken if all that this library does not know is zero. 0 stands for the shortest
 * there ever was.
 */
typedef struct rk_method_spec {
    size_t size;
    rk_method_kind kind;
    rk_metric metric;        /**< of mean, third, reference */
    rk_reference_kind terms; /**< of mean (not AUGMENT), reference */
    bool angular;            /**< of covariance: docs/MATH.md#angular */
    rk_tilt_kind tilt;       /**< of third, with the rest up to double_legs */
    rk_fourth_kind fourth;   /**< AUTO goes with the tilt, and the tilt with it */
    int rank;                /**< of each source's residual: 0 auto, from 1 on, RK_RANK_FULL */
    int reach;               /**< LEAN, FULL: layers fourth cumulants are followed for: 0 auto, 1
                                  to RK_MAX_REACH */
    rk_old_sources old;      /**< AUTO: folded from width 512 on */
    bool all_neurons;        /**< also those that nobody listens to */
    bool double_legs;        /**< keep the third cumulant in double, not float */
    int order;               /**< of reference, which needs it: K, 1 to 4; of covariance with
                                  COMPLETED pairs: 0 is 2, or 1 to 4 */
    bool dense;              /**< of reference: the cumulant of degree K as a tensor */
    rk_point_set points;     /**< of sample */
    rk_control_kind control; /**< of sample */
    rk_pair_closure pairs;   /**< of covariance */
} rk_method_spec;

/** The methods this library has, by rk_method_kind: name and one-line summary; NULL past the end.
 */
typedef struct rk_method_info {
    const char *name;
    const char *summary;
    const char *arguments; /**< grammar of what may follow "name:", or "" */
} rk_method_info;
RK_API const rk_method_info *rk_method_at(size_t index);

/** Reads "third", "third:tilt=on,fourth=full,rank=24", "reference:3,augment"; NULL is "auto".
 *  `out->size` as above. RK_ERROR_ARGUMENT names what is known instead. Words of earlier versions
 *  are still understood (docs/METHODS.md#words). */
RK_API rk_status rk_method_parse(const char *text, rk_method_spec *out, rk_error *error);

/** Characters that hold any method's text. */
enum { RK_METHOD_TEXT = 128 };

/** The text of a method: its name and every word that is not the default. rk_method_parse makes
 *  the same of it. Cut to `size` bytes; of what no method has it says nothing. */
RK_API void rk_method_spell(const rk_method_spec *spec, char *text, size_t size);

/* ------------------------------------------------------------------------------------ contexts */

/** What several calls share, one after another or at a time from several threads: threads, which
 *  then wait for the next call, the memory for their work, and what has been measured of the
 *  machine. No answer depends on it, but for a choice by budget_seconds or by memory. */
typedef struct rk_context rk_context;

/** What to share; 0 is the default everywhere. `size` as in rk_method_spec. */
typedef struct rk_context_options {
    size_t size;
    int threads; /**< that compute at a time, with the one that calls; 0: one per processor the
                  *   process may use. Each further calling thread computes for itself besides. */
    /** Bytes of work and answers of all runs together: one that finds no room beside others waits.
     *  0: what machine, control groups and limits leave now. */
    uint64_t memory_limit;
} rk_context_options;

/** For rk_options.context; `options` NULL: defaults. No thread starts before there is work for it.
 *  In a child made by fork it computes in the calling thread alone. */
RK_API rk_status rk_context_create(rk_context **out, const rk_context_options *options,
                                   rk_error *error);
/** Ends its threads. No plan with this context may be left. */
RK_API void rk_context_destroy(rk_context *context);

/* --------------------------------------------------------------------------------------- runs */

/** Called now and then from the calling thread with the fraction done in [0, 1]. Returning false
 *  interrupts the run: sampling then answers with what it has. */
typedef bool (*rk_progress)(void *context, double fraction);

/** rk_options.receipt_samples: no check, not even by `auto`. */
#define RK_NO_RECEIPT UINT64_MAX

typedef struct rk_tail_spec rk_tail_spec;

typedef struct rk_options {
    size_t size;                  /**< see rk_method_spec */
    const rk_method_spec *method; /**< of rk_estimate; NULL: RK_AUTO. Borrowed for the call */
    const rk_tail_spec *tail;     /**< the same of rk_tail */
    bool covariance;              /**< also the output covariance */
    bool layers;                  /**< also the means of every hidden layer */
    int cumulants;    /**< 3 or 4: also the cumulants of the output of degree 3 .. this */
    uint64_t samples; /**< forward passes of `sample` */
    /** What the run may cost, a receipt that was asked for apart, and must reach; 0: anything.
     *  `auto` chooses the method by them, `sample` the number of passes; where they are not met,
     *  for whatever method, the answer says `unmet`. Without any `auto` does with what
     *  two usual cores do in a second or so. A tolerance alone that nothing is expected to reach
     * within those of five minutes is RK_ERROR_OUT_OF_REACH: a budget besides says to try. Only
     *  budget_seconds, and a method that does not fit into the memory, let the choice depend on the
     *  machine. */
    double budget_flops, budget_seconds;
    double tolerance; /**< on rk_answer_data.error_rms */
    uint64_t seed;    /**< of `sample` and of the receipt */
    /** Forward passes for the unbiased check; 0: none, but for `auto` what a twentieth of its
     *  budget pays for, if its method does not measure its own error; RK_NO_RECEIPT: none. */
    uint64_t receipt_samples;
    int threads; /**< 0: one per processor the process may use, or all of the context's */
    /** Bytes of work, answer and receipt; 0: what machine, control groups and limits leave, or the
     *  context's limit. */
    uint64_t memory_limit;
    rk_progress progress; /**< may be NULL */
    void *progress_context;
    rk_context *context;   /**< borrowed, bounds threads and memory_limit; NULL: one for the call */
    bool input_covariance; /**< rk_linearise: derivatives by it will be wanted; n_in^2 memory */
    bool marginals;        /**< also third and fourth cumulants of each output by itself */
} rk_options;

/** method RK_AUTO, 100000 samples, seed 0, all processors; everything else off. Inline: the size is
 *  the caller's. */
RK_INLINE rk_options rk_options_default(void) {
    rk_options rk_standard;
    memset(&rk_standard, 0, sizeof rk_standard);
    rk_standard.size = sizeof rk_standard;
    rk_standard.samples = 100000;
    return rk_standard;
}

/** One step of a plan, in execution order. */
typedef struct rk_step {
    char label[64];
    uint64_t flops;
    double seconds; /**< 0 before execution */
} rk_step;

/** What a run costs; known before it starts. */
typedef struct rk_cost {
    uint64_t flops_executed; /**< 2mnk a product as executed, entrywise work as executed */
    double flops_convention; /**< by the paper's convention (docs/METHODS.md); NaN if it has none */
    uint64_t bytes;          /**< working memory */
    const rk_step *steps;    /**< a receipt's are the last */
    size_t n_steps;
} rk_cost;

typedef struct rk_plan rk_plan;

/**
 * Checks that `options->method` applies to `net` and `input` (NULL: the standard normal), and
 * computes what it costs, without doing it. Borrows `net`, `input` and options->context until
 * rk_plan_destroy.
 * RK_ERROR_TOO_LARGE names the bytes a plan would need.
 */
RK_API rk_status rk_plan_create(rk_plan **out, const rk_network *net, const rk_input *input,
                                const rk_options *options, rk_error *error);
RK_API rk_cost rk_plan_cost(const rk_plan *plan);

/** A method as `auto` sees it, or `sample` with a budget or a tolerance. */
typedef struct rk_candidate {
    char method[RK_METHOD_TEXT];
    rk_method_spec spec; /**< the same: what to ask for to have it */
    uint64_t samples;    /**< forward passes, 0 for deterministic methods */
    double error_rms;    /**< expected; NaN if the method is out of the question */
    double flops;        /**< NaN if it cannot be planned */
    double seconds;      /**< roughly; without a budget in seconds, of two usual cores */
    uint64_t bytes;
    char verdict[160]; /**< "chosen", or why not */
} rk_candidate;

/** What the plan was chosen from: `*count` candidates, NULL if there was no choice. Owned by the
 *  plan. */
RK_API const rk_candidate *rk_plan_candidates(const rk_plan *plan, size_t *count);
RK_API void rk_plan_destroy(rk_plan *plan);

/** Where an error comes from: the spread of the passes, a law, or a receipt that refuted these. */
typedef enum rk_error_kind { RK_STANDARD_ERROR, RK_ESTIMATED_RMS, RK_MEASURED_RMS } rk_error_kind;

/** What the receipt says of the error stated without it (docs/METHODS.md#receipt). */
typedef enum rk_verdict {
    RK_NO_VERDICT, /**< there is no receipt, or no error was stated */
    RK_AGREES,     /**< as far as it sees the stated error holds */
    RK_REFUTES     /**< the error is surely larger; what is given instead was measured */
} rk_verdict;

/** Everything a run found out. Pointers are owned by the rk_answer. */
typedef struct rk_answer_data {
    size_t n_out;
    const double *mean;            /**< n_out */
    const double *covariance;      /**< n_out x n_out, or NULL */
    const double *variance;        /**< n_out: of the outputs, as well as the method knows them */
    const double *third_cumulant;  /**< n_out^3, symmetric, or NULL */
    const double *fourth_cumulant; /**< n_out^4, symmetric, or NULL */
    size_t n_hidden;               /**< 0 unless options.layers */
    const size_t *hidden_width;
    const double *const *hidden_mean; /**< [n_hidden][hidden_width[l]] */

    rk_error_kind error_kind;
    const double *error_per_output; /**< n_out; NaN where it is unknown */
    double error_rms;               /**< root of the mean square error over the outputs */
    double stated_rms;              /**< what it was before the receipt */
    /** The same over the entries of `covariance`; NaN where it is unknown or not wanted. */
    double covariance_error_rms;
    /** The small parameter of the cumulant expansion on this network: the sum over hidden layers of
     *  curvature / width (docs/MATH.md#expansion; about 0.006 at 256 x 4), a layer being as much
     *  narrower as its neurons are more correlated than random weights would make them. The
     * closures are for values well below 1; NaN if the method does not expand. */
    double expansion;

    uint64_t receipt_samples; /**< 0: no receipt */
    uint64_t receipt_flops;   /**< of cost.flops_executed */
    rk_verdict receipt_verdict;
    double receipt_mse; /**< unbiased estimate of the mean square error; may be negative */
    double receipt_mse_standard_error;
    double receipt_rms; /**< its root, or 0, and how much more one standard error makes it */
    double receipt_rms_standard_error;

    const char *method;         /**< the text of `spec` */
    const rk_method_spec *spec; /**< what ran: nothing that was used is left to AUTO */
    const char *reason;         /**< why `auto` took it, or NULL */
    rk_cost cost;               /**< as executed, with seconds per step */
    double seconds;             /**< of the whole: plan, choice, run and receipt */
    uint64_t samples;           /**< forward passes done, 0 for deterministic methods */
    uint64_t seed;
    int threads;      /**< that took part: 1 if there was too little to share */
    bool interrupted; /**< partial: `samples` is less than asked, or there is no receipt */
    bool unmet;       /**< the tolerance or a budget that was given: a warning says which */
    size_t n_warnings;
    const char *const *warnings;
    const double *third_marginal, *fourth_marginal; /**< n_out: kappa_iii, kappa_iiii, or NULL */
} rk_answer_data;

typedef struct rk_answer rk_answer;

/** Does what is planned, as often as it is called, from several threads at a time if need be: the
 *  same bits each time. The answer outlives the plan. */
RK_API rk_status rk_plan_execute(const rk_plan *plan, rk_answer **out, rk_error *error);
RK_API const rk_answer_data *rk_answer_view(const rk_answer *answer);
RK_API void rk_answer_destroy(rk_answer *answer);

/** rk_plan_create, rk_plan_execute and rk_plan_destroy in one. `input` and `options` may be NULL.
 */
RK_API rk_status rk_estimate(rk_answer **out, const rk_network *net, const rk_input *input,
                             const rk_options *options, rk_error *error);

/**
 * The receipt of numbers from anywhere: how far `mean` (n_out) is from E[M(x)], without bias, and
 * what that makes of the errors stated of it, `error_per_output` (n_out; NULL: none). The answer is
 * one that such numbers and errors would have had from rk_estimate with a receipt: `receipt_mse` is
 * an unbiased estimate of mean_i (mean_i - E[y_i])^2, small errors showing far below the noise of
 * the passes themselves; the verdict; the errors given, measured where none were stated or they are
 * refuted; `variance` as the passes have it; `method` is "given".
 *
 * Of `options` (NULL: defaults) it reads receipt_samples (about so many forward passes, at least
 * 32; 0: 100000), seed (another than a sampled mean was made with), threads, memory_limit and
 * progress; interrupted, it has no receipt. Costs the passes and, O(n^2), the network's units.
 */
RK_API rk_status rk_receipt_of(rk_answer **out, const rk_network *net, const rk_input *input,
                               const double *mean, const double *error_per_output,
                               const rk_options *options, rk_error *error);

/** One of many: a network, an input, and what came of them. */
typedef struct rk_job {
    const rk_network *net;     /**< jobs may share it */
    const rk_input *input;     /**< NULL: the standard normal */
    const rk_options *options; /**< NULL: those of the call, which alone say threads, context and
                                *   progress */
    rk_answer *answer;         /**< made by the call, NULL if it failed; rk_answer_destroy it */
    rk_error error;            /**< made by the call; status RK_OK: there is an answer */
} rk_job;

/**
 * rk_estimate for each of `n_jobs`, with the same bits, over the threads of options->context (NULL:
 * of one for the call; `options` NULL: defaults): many small ones at a time, each in one thread;
 * where there are fewer than threads, or larger ones, these share what is left. At most as many are
 * under way as there are threads and as fit into the context's memory. Jobs with budget_seconds
 * follow one by one, for seconds are of all threads.
 *
 * RK_OK: each job has its answer or its error, and one that fails does not disturb the others.
 * Progress is of all jobs; an interrupt leaves what is done, partial answers where rk_estimate has
 * them, and RK_ERROR_INTERRUPTED where a job had not begun. After any other status, no job has an
 * answer.
 */
RK_API rk_status rk_estimate_many(rk_job *jobs, size_t n_jobs, const rk_options *options,
                                  rk_error *error);

/* -------------------------------------------------------------------------------- derivatives */

/**
 * Derivatives of f, a function of what an estimate returns, by what it depends on: reverse mode,
 * exact to rounding for the closure that is asked for (docs/MATH.md#reverse), not an approximation
 * of it. Estimate once (rk_linearise), then take as many f back as there are (rk_vjp): for
 * frameworks the forward and the backward of one function.
 *
 *     rk_options options = rk_options_default();
 *     options.covariance = true;
 *     rk_linearise(&run, net, NULL, &options, &error);
 *     const rk_answer_data *answer = rk_linearisation_view(run)->answer;
 *     ... df / d mean and df / d covariance from answer->mean and answer->covariance ...
 *     rk_derivatives_create(&gradient, net, &options, &error);
 *     rk_vjp(run, &(rk_cotangents){.mean = f_mean, .covariance = f_covariance}, gradient, &error);
 *     ... gradient->weight[l][i * cols + j] is df / d W_l[i, j] ...
 */

/** df / dx of the numbers x of an answer, in the shapes they have there. NULL: f does not depend on
 *  them. `size` as in rk_method_spec. */
typedef struct rk_cotangents {
    size_t size;
    const double *mean;     /**< n_out */
    const double *variance; /**< n_out; wants options.covariance */
    /** n_out x n_out: df = sum_ij G_ij dC_ij over all i and j; its symmetric part counts. */
    const double *covariance;
    const double *const *hidden_mean; /**< [n_layers - 1], each as wide as the layer, or NULL */
    const double *third_marginal, *fourth_marginal; /**< n_out; want options.marginals */
} rk_cotangents;

/** Numbers in the shapes of a network and its input, one for each that an estimate depends on:
 *  what derivatives by them are written to. NULL, a whole list or one of its entries: not wanted.
 *  `size` as in rk_method_spec. */
typedef struct rk_derivatives {
    size_t size;
    double *const *weight;    /**< [n_layers], rows x cols; those of a layer without are not
                               *   touched */
    double *const *bias;      /**< [n_layers], rows; also of a layer without, whose bias is 0 */
    double *input_mean;       /**< n_in; the input may be standard normal */
    double *input_covariance; /**< n_in x n_in, symmetric: df = sum_ij G_ij dS_ij over all i, j, for
                               *   symmetric dS; wants options.input_covariance */
} rk_derivatives;

/** Room for all that a run with these options (NULL: defaults) has, zeros. */
RK_API rk_status rk_derivatives_create(rk_derivatives **out, const rk_network *net,
                                       const rk_options *options, rk_error *error);
RK_API void rk_derivatives_destroy(rk_derivatives *derivatives);

/** An estimate that has kept what the way back needs. */
typedef struct rk_linearisation rk_linearisation;

/** Pointers are owned by the rk_linearisation. */
typedef struct rk_linearisation_data {
    /** That of rk_estimate without a receipt: to the bit, but of `third`, which is run here with
     *  legs=double, rank=full, old=exact, neurons=all whatever it was asked for, and differs by
     *  what other words leave out (1e-7 for legs=float). */
    const rk_answer_data *answer;
    uint64_t vjp_flops; /**< of one rk_vjp that wants everything, at most */
    uint64_t bytes;     /**< that are held: work of both ways, and the answer */
    uint64_t jvp_flops; /**< of one rk_jvp that wants everything; 0: it has none */
} rk_linearisation_data;

/**
 * Estimates, as rk_estimate, and keeps the run. Of `options` it reads what rk_estimate does but the
 * receipt: there is none. RK_AUTO chooses among closures that have derivatives; other methods
 * without are RK_ERROR_UNSUPPORTED, which names those with. Interrupted closures keep nothing:
 * RK_ERROR_INTERRUPTED. RK_ERROR_TOO_LARGE names the bytes of both ways, before anything is done.
 *
 * `sample` keeps nothing: its way back passes the samples anew, in double, and differentiates along
 * their paths: what it estimates for points iid and antithetic; without bias for the others, too.
 * Activations that jump have no such derivatives and are refused; so are control and anchor.
 *
 * Borrows `net`, `input`, options->context and progress until rk_linearisation_destroy, none of
 * which may change. What is held does not count against the limit of the context, only its making
 * does. About n^2 doubles a layer more than the estimate.
 */
RK_API rk_status rk_linearise(rk_linearisation **out, const rk_network *net, const rk_input *input,
                              const rk_options *options, rk_error *error);
RK_API const rk_linearisation_data *rk_linearisation_view(const rk_linearisation *run);
RK_API void rk_linearisation_destroy(rk_linearisation *run);

/**
 * The vector-Jacobian product: writes the derivatives of f to what `to` has. As often as it is
 * called, with the same bits for any number of threads; several threads may, each then waiting for
 * the others. For `covariance` 5 n^3 FLOPs a layer, where the estimate takes 3 n^3. At a kink of
 * the closure (a variance of 0) it is one of its directional derivatives.
 *
 * RK_ERROR_ARGUMENT if f depends on, or derivatives are wanted by, what the run was not asked for;
 * RK_ERROR_UNSUPPORTED for those by the input's law of closures that know the standard normal only.
 * RK_ERROR_INTERRUPTED: `to` holds nothing; the next call may succeed.
 */
RK_API rk_status rk_vjp(rk_linearisation *run, const rk_cotangents *f, const rk_derivatives *to,
                        rk_error *error);

/** Changes of the numbers of an answer, in the shapes they have there: where they are written to.
 *  NULL: not wanted. `size` as in rk_method_spec. */
typedef struct rk_tangents {
    size_t size;
    double *mean;               /**< n_out */
    double *variance;           /**< n_out; wants options.covariance */
    double *covariance;         /**< n_out x n_out, symmetric; wants options.covariance */
    double *const *hidden_mean; /**< [n_layers - 1]; any may be NULL */
} rk_tangents;

/**
 * The Jacobian-vector product: writes to `to` how the answer changes, to first order, where
 * weights, biases and the input's law change by `direction` (NULL, a whole list or one of its
 * entries: not at all; of an input covariance the symmetric part counts). Forward mode, exact to
 * rounding, the transpose of rk_vjp to rounding: sum (changes x cotangents) = sum (direction x
 * derivatives). As often as it is called and from any thread, like rk_vjp, with the same bits for
 * any number of threads. For `covariance` 6 n^3 FLOPs a layer, for `mean` as much as the estimate,
 * twice.
 *
 * Of `mean` and `covariance`, with all pairs and gauges; of other methods RK_ERROR_UNSUPPORTED:
 * rk_vjp has the same numbers, an entry of the answer a call. RK_ERROR_ARGUMENT,
 * RK_ERROR_UNSUPPORTED and RK_ERROR_INTERRUPTED as of rk_vjp.
 */
RK_API rk_status rk_jvp(rk_linearisation *run, const rk_derivatives *direction,
                        const rk_tangents *to, rk_error *error);

/** rk_linearise, rk_vjp and rk_linearisation_destroy in one, for an f whose derivatives are known
 *  before the estimate is: f linear in the answer. */
RK_API rk_status rk_gradient(const rk_derivatives *to, const rk_network *net, const rk_input *input,
                             const rk_cotangents *f, const rk_options *options, rk_error *error);

/* -------------------------------------------------------------------------------- rare events */

/** One coefficient of a linear functional. */
typedef struct rk_event_term {
    size_t index;
    double coefficient;
} rk_event_term;

/** sum of coefficient * v[index] > threshold (`below`: < threshold; `inclusive`: >= or <=). */
typedef struct rk_event {
    const char *text; /**< "y[3] > 2", for people; may be NULL */
    size_t layer;     /**< v: 1 .. n_layers, the pre-activations z of that layer; 0: the output y */
    const rk_event_term *terms;
    size_t n_terms;
    bool below;
    double threshold;
    bool inclusive; /**< matters where the law has an atom: relu outputs at 0 */
} rk_event;

typedef struct rk_events rk_events;

/**
 * Reads events: "y[3] > 2", "y[*] > 3" (one event an output), "y[0] - 2 y[1] < -1",
 * "layer 3: z[*] > 1,2,3" (one event a threshold, too), "y[0] >= 1:4:0.5", several separated by
 * ';'.
 */
RK_API rk_status rk_events_parse(rk_events **out, const rk_network *net, const char *text,
                                 rk_error *error);
RK_API size_t rk_events_count(const rk_events *events);
/** All of them, one after another; borrowed. */
RK_API const rk_event *rk_events_list(const rk_events *events);
RK_API void rk_events_destroy(rk_events *events);

/** What answers, see rk_tail_method_at(kind). */
typedef enum rk_tail_kind {
    RK_TAIL_BY_AUTO,
    RK_TAIL_BY_NORMAL,
    RK_TAIL_BY_EDGEWORTH,
    RK_TAIL_BY_SADDLEPOINT,
    RK_TAIL_BY_SAMPLE,
    RK_TAIL_BY_IMPORTANCE,
    RK_TAIL_BY_SUBSET,
    RK_TAIL_COUNT
} rk_tail_kind;

struct rk_tail_spec {
    size_t size; /**< see rk_method_spec */
    rk_tail_kind kind;
    /** Of the first four: whose cumulants. RK_COVARIANCE, RK_THIRD without a tilt, RK_FOURTH or
     *  RK_REFERENCE; RK_AUTO: the third order, for a normal the second. */
    rk_method_spec closure;
};

/** The methods of rk_tail, as rk_method_at: NULL past the end. */
RK_API const rk_method_info *rk_tail_method_at(size_t index);

/** Reads "sample", "saddlepoint", "saddlepoint:third", "edgeworth:reference:3"; as rk_method_parse.
 */
RK_API rk_status rk_tail_method_parse(const char *text, rk_tail_spec *out, rk_error *error);

/** As rk_method_spell; RK_METHOD_TEXT characters hold it. */
RK_API void rk_tail_method_spell(const rk_tail_spec *spec, char *text, size_t size);

/** What is known about one event. */
typedef struct rk_tail_estimate {
    double p;       /**< NaN where the method is not defined; 0 if below what a double can hold */
    double log10_p; /**< of the same, down to any smallness */
    double cv;      /**< error of p over p; NaN for deterministic methods */
    double log10_low, log10_high; /**< 95 % interval; NaN for deterministic methods */
    double log10_closure;         /**< `auto`: what the cumulants alone say; otherwise NaN */
    double log10_unbiased; /**< `auto`, where p itself is not: the unbiased check; otherwise NaN */
    double cv_unbiased;    /**< its standard error, relative */
    uint64_t samples;      /**< forward passes behind it; 0 for deterministic methods */
    double effective_samples; /**< passes of equal weight that would be as good; NaN if none */
    char method[80];          /**< what gave the number */
    char warning[200];        /**< "" if all is well */
} rk_tail_estimate;

/** What answering events costs. */
typedef struct rk_tail_cost {
    /** Executed; before execution: what is executed if `is_exact`, else at most. What passes meet
     *  decides how many levels subset simulation has (at most 60), what `auto` tries, and with a
     *  tolerance how many rounds there are. */
    uint64_t flops;
    bool is_exact;
    uint64_t bytes;       /**< working memory of the step that takes most; likewise */
    uint64_t samples;     /**< forward passes for each event, in the first round */
    const rk_step *steps; /**< "layer 3: cumulants", "y[0] > 3: tilted passes", in order */
    size_t n_steps;
} rk_tail_cost;

typedef struct rk_tail_data {
    size_t n_events;
    const rk_tail_estimate *estimates; /**< in the order of the events */
    const char *method;                /**< the text of `spec` */
    const rk_tail_spec *spec;          /**< what ran */
    uint64_t flops_executed;
    uint64_t bytes;   /**< working memory */
    double seconds;   /**< of plan and execution */
    uint64_t samples; /**< forward passes, all events together */
    uint64_t seed;
    int threads;
    bool interrupted;  /**< events that were not reached are NaN */
    bool unmet;        /**< the tolerance or a budget that was given: a warning says which */
    rk_tail_cost cost; /**< as executed, with seconds per step */
    size_t n_warnings; /**< about all events together */
    const char *const *warnings;
} rk_tail_data;

typedef struct rk_tail_answer rk_tail_answer;
typedef struct rk_tail_plan rk_tail_plan;

/**
 * Plans the probabilities of `n_events` events under x ~ N(mean, covariance) of `input` (NULL: the
 * standard normal; a third cumulant is refused). Of `options` (NULL: defaults) it reads
 *
 * - tail (NULL: RK_TAIL_BY_AUTO), seed, threads, progress, context;
 * - samples: forward passes for each event; as many plain ones, for all together, bound those that
 *   never or always happen;
 * - tolerance: the cv to reach, for each event. The passes are chosen then: a tenth of `samples`,
 *   and for events that are not there yet up to four times as many a round, the answer being that
 *   of the last. What no pass has reached after `samples` is given up;
 * - budget_flops, budget_seconds: as many passes as they pay for, in all rounds; without any a
 *   tolerance has five minutes of two usual cores. Steps that might exceed the FLOPs are not begun;
 *   what costs more with 1000 passes is done, and `unmet`;
 * - memory_limit: RK_ERROR_TOO_LARGE names the bytes of the step that needs more.
 *
 * Brings network and inputs to the form the methods see, O(n^2) a layer and n^3 for a covariance,
 * and borrows `net` and `events` until rk_tail_plan_destroy. A plan does not change: several
 * threads may execute it at once.
 */
RK_API rk_status rk_tail_plan_create(rk_tail_plan **out, const rk_network *net,
                                     const rk_input *input, const rk_event *events, size_t n_events,
                                     const rk_options *options, rk_error *error);
/** Borrowed from the plan. */
RK_API rk_tail_cost rk_tail_plan_cost(const rk_tail_plan *plan);
RK_API rk_status rk_tail_plan_execute(const rk_tail_plan *plan, rk_tail_answer **out,
                                      rk_error *error);
RK_API void rk_tail_plan_destroy(rk_tail_plan *plan);

/** rk_tail_plan_create, rk_tail_plan_execute and rk_tail_plan_destroy in one. */
RK_API rk_status rk_tail(rk_tail_answer **out, const rk_network *net, const rk_input *input,
                         const rk_event *events, size_t n_events, const rk_options *options,
                         rk_error *error);
RK_API const rk_tail_data *rk_tail_view(const rk_tail_answer *answer);
RK_API void rk_tail_destroy(rk_tail_answer *answer);

/**
 * log P(event), the natural logarithm, and its derivatives, which replace what is in `to`: those of
 * the formula on the cumulants that the closure propagates, exact to rounding down to any smallness
 * of P. Of `options` it reads tail (RK_TAIL_BY_NORMAL, which RK_TAIL_BY_AUTO stands for here,
 * RK_TAIL_BY_EDGEWORTH, RK_TAIL_BY_SADDLEPOINT; with `covariance` or `third`), input_covariance and
 * the means to run; see rk_linearise, whose cost it has.
 *
 * RK_ERROR_UNSUPPORTED: a method without derivatives. RK_ERROR_NUMERIC: no probability comes out,
 * where the closure has left its regime or the Edgeworth series is negative. An event that cannot
 * happen, or must, as its functional does not vary, has derivatives of 0.
 */
RK_API rk_status rk_event_gradient(double *log_p, const rk_derivatives *to, const rk_network *net,
                                   const rk_input *input, const rk_event *event,
                                   const rk_options *options, rk_error *error);

/* ------------------------------------------------------------------------------------- losses */

/** Samples with what outputs should be there. `size` as in rk_method_spec. */
typedef struct rk_dataset {
    size_t size;
    size_t n, n_in, n_out; /**< samples; what each has; n_out: of values */
    const double *x;       /**< n x n_in */
    const double *values;  /**< n x n_out: the loss is the mean of |y - value|^2; or NULL and */
    const size_t *labels;  /**< n, outputs: the mean of -log softmax(y)[label] */
} rk_dataset;

/**
 * Reads a .npz with members x (n, n_in) and y: numbers (n, n_out) or, for one output, (n,), which
 * are values; or integers (n,), which are labels. Both in double, whatever they are in the file. A
 * file without members x and y holds no data, but perhaps a network: then *out is NULL. To be freed
 * with rk_dataset_destroy.
 */
RK_API rk_status rk_dataset_read(rk_dataset **out, const char *path, rk_error *error);
RK_API void rk_dataset_destroy(rk_dataset *dataset);

/** The value of a loss. */
typedef struct rk_loss {
    double value;
    double
        standard_error; /**< of data: as a mean over more of the kind; NaN of one sample; else 0 */
    double square;      /**< of a distance: E|T|^2, what it compares with; else 0 */
    uint64_t flops;
} rk_loss;

/**
 * The mean loss of `net` on data and, unless `to` is NULL, its derivatives by weights and biases,
 * which replace what is in `to`; what that has for the input's law is not touched. Exact sums in
 * double, in the same order for any number of threads. Of `options` (NULL: defaults) it reads the
 * means to run: threads, memory, context, progress. Residual networks, too. RK_ERROR_UNSUPPORTED:
 * derivatives of activations that jump.
 */
RK_API rk_status rk_data_loss(rk_loss *out, const rk_derivatives *to, const rk_network *net,
                              const rk_dataset *data, const rk_options *options, rk_error *error);

/**
 * E|S(x) - T(x)|^2 for the same x ~ N(mean, covariance) of `input` in both networks, as a closure
 * has it, without samples; with its derivatives by the student's parameters, as above. Widths and
 * depths may differ. options->method says how pairs are closed: `covariance`, NULL for completed
 * ones. A network and itself are at 0, with derivatives of 0, unless pairs are those of first
 * order.
 *
 * RK_ERROR_UNSUPPORTED: residual networks, those without hidden layers or with an activation at the
 * output.
 */
RK_API rk_status rk_distance_loss(rk_loss *out, const rk_derivatives *to, const rk_network *student,
                                  const rk_network *teacher, const rk_input *input,
                                  const rk_options *options, rk_error *error);

/** sum += weight * term, of all that both have, in the shapes of `net`: derivatives of weighted
 *  sums of losses, whether these come from here, from rk_vjp (tr Cov y: covariance = the identity;
 *  |E y - t|^2: mean = 2 (E y - t)) or from rk_event_gradient. */
RK_API void rk_derivatives_add(const rk_derivatives *sum, double weight, const rk_derivatives *term,
                               const rk_network *net);

/* ------------------------------------------------------------------------------- distillation */

/** Where a student's hidden layers come from, if it is not given. */
typedef enum rk_student_start {
    RK_START_PIVOTS, /**< the teacher's own neurons, chosen and refitted layer by layer in closed
                          form (docs/MATH.md#pivots) */
    RK_START_RANDOM  /**< drawn as rk_network_random draws them */
} rk_student_start;

typedef enum rk_distill_method {
    RK_DISTILL_MECHANISTIC, /**< the loss as an expectation: no samples, but for the finish */
    RK_DISTILL_ADAM,        /**< samples, for comparison: with rate, batch and schedule */
    RK_DISTILL_SGD
} rk_distill_method;

/** What becomes of a rate from the first step to the last. */
typedef enum rk_schedule {
    RK_SCHEDULE_LINEAR, /**< to 0 */
    RK_SCHEDULE_COSINE, /**< likewise, half a period */
    RK_SCHEDULE_CONSTANT
} rk_schedule;

/** Whether steps on samples follow, which take away what the closure's loss is wrong by. */
typedef enum rk_finish {
    RK_FINISH_AUTO, /**< where samples can see that: docs/METHODS.md#distill */
    RK_FINISH_OFF,
    RK_FINISH_ON
} rk_finish;

/** What a training run is at. */
typedef enum rk_train_phase {
    RK_PHASE_START,   /**< the student as it starts */
    RK_PHASE_CLOSURE, /**< steps on the loss as an expectation */
    RK_PHASE_SAMPLES, /**< steps on samples: the finish, Adam, SGD */
    RK_PHASE_RECEIPT  /**< samples that tell the loss without bias */
} rk_train_phase;

/** "start", "closure", "samples", "receipt"; NULL if out of range. */
RK_API const char *rk_train_phase_name(rk_train_phase phase);

/** A moment of a training run. */
typedef struct rk_train_point {
    rk_train_phase phase;
    uint64_t step;  /**< of the phase, from 0: before the first */
    double loss;    /**< as the phase sees it: the closure, or an average over recent samples; NaN:
                         not known yet */
    double flops;   /**< all so far, starts included, receipts not */
    double seconds; /**< likewise */
} rk_train_point;

/** Called now and then by the thread that made the call, with the fraction of the work that is
 *  done. Returning false ends it: the best student so far is returned, with a receipt unless false
 *  is returned again; during the start, before there is any, RK_ERROR_INTERRUPTED. */
typedef bool (*rk_train_progress)(void *context, const rk_train_point *now, double fraction);

/** Called by the thread that made the call, between steps, with the best network so far, borrowed
 *  for the call: about every checkpoint_seconds when there is a better one, and once the steps are
 *  over, before the receipts. To be written to a file, from which a later run goes on. */
typedef void (*rk_train_checkpoint)(void *context, const rk_network *best,
                                    const rk_train_point *now);

/** How to train a student. Start from rk_distill_options_default. */
typedef struct rk_distill_options {
    size_t size;          /**< see rk_method_spec */
    const size_t *hidden; /**< widths of the student's hidden layers, from 1 on */
    size_t n_hidden;
    /** A student to go on from instead: plain, with hidden layers, of the teacher's inputs and
     *  outputs, without activation at the output. Copied. */
    const rk_network *student;
    rk_student_start start;
    rk_distill_method method;
    rk_pair_closure pairs; /**< how the loss closes covariances of neurons */
    int pairs_order;       /**< of RK_PAIRS_COMPLETED: 1 to 4 */
    rk_finish finish;
    /** What all steps may cost, receipts apart; 0: until they gain no more. With both, whatever
     *  ends first. Adam and SGD need one. What does not fit is not begun, the start excepted; time
     *  may be exceeded by one evaluation. */
    double budget_flops, budget_seconds;
    double rate;          /**< of steps on samples; 0: the finish's own; Adam and SGD need one */
    size_t batch;         /**< samples a step; 0: likewise */
    rk_schedule schedule; /**< of Adam and SGD */
    uint64_t seed;        /**< of random starts, and of samples */
    /** Forward passes for the receipt; 0: as many as tell 1 % of the loss, at most 10^6. */
    uint64_t receipt_samples;
    int threads;                /**< as in rk_options */
    uint64_t memory_limit;      /**< likewise */
    rk_train_progress progress; /**< may be NULL */
    void *progress_context;
    rk_context *context;            /**< borrowed; NULL: one for the call */
    rk_train_checkpoint checkpoint; /**< may be NULL */
    void *checkpoint_context;
    double checkpoint_seconds; /**< 0: at every better student */
} rk_distill_options;

/** From pivots, mechanistic, completed pairs of order 2, until it gains no more. */
RK_INLINE rk_distill_options rk_distill_options_default(void) {
    rk_distill_options rk_standard;
    memset(&rk_standard, 0, sizeof rk_standard);
    rk_standard.size = sizeof rk_standard;
    rk_standard.pairs = RK_PAIRS_COMPLETED;
    rk_standard.pairs_order = 2;
    rk_standard.checkpoint_seconds = 60;
    return rk_standard;
}

/** What came of it. Losses are E|T(x) - S(x)|^2, in the outputs' units. */
typedef struct rk_distill_data {
    const rk_network *student;
    double teacher_square;      /**< E|T(x)|^2, as the closure has it: what losses compare with */
    double closure_loss;        /**< what was minimised, before a finish; NaN: no closure was */
    double loss;                /**< by the receipt: unbiased; NaN if there is none */
    double loss_standard_error; /**< of that */
    double true_teacher_square; /**< E|T(x)|^2 by the receipt's samples */
    uint64_t receipt_samples;   /**< 0: there is no receipt */
    double receipt_flops;
    const rk_train_point *curve; /**< one a step, of the phases as they came */
    size_t n_curve;
    uint64_t closure_steps, sample_steps;
    double flops, seconds; /**< of all steps; `receipt_flops` apart */
    uint64_t bytes;        /**< working memory */
    uint64_t seed;
    int threads;
    bool finished;    /**< steps on samples followed those of the closure */
    bool interrupted; /**< before the budget or the end of all gain */
    bool unmet;       /**< a budget that was given: a warning says which */
    size_t n_warnings;
    const char *const *warnings;
} rk_distill_data;

typedef struct rk_distilled rk_distilled;

/**
 * A student that does what `teacher` does for x ~ N(mean, covariance) of `input` (NULL: the
 * standard normal; a third cumulant is refused), with fewer neurons: plain layers, activated as the
 * teacher's at the same height, with biases where the teacher has some. Its hidden layers are moved
 * along exact derivatives of the loss that a closure computes, its last layer is the best there is
 * for them (docs/METHODS.md#distill); a receipt by samples tells the true loss in the end.
 *
 * RK_ERROR_UNSUPPORTED: residual teachers; those with an activation at the output;
 * RK_ERROR_ARGUMENT: no hidden layers, and options out of range. `options` is needed.
 */
RK_API rk_status rk_distill(rk_distilled **out, const rk_network *teacher, const rk_input *input,
                            const rk_distill_options *options, rk_error *error);
RK_API const rk_distill_data *rk_distilled_view(const rk_distilled *distilled);
/** The student, now the caller's to destroy; NULL if it was taken before. */
RK_API rk_network *rk_distilled_take(rk_distilled *distilled);
RK_API void rk_distilled_destroy(rk_distilled *distilled);

/* --------------------------------------------------------------- training against rare events */

/** What the steps see of the event's probability (docs/METHODS.md#rare). */
typedef enum rk_event_view {
    RK_VIEW_BOTH,   /**< the mean of the two: neither leaves a way open that the other sees */
    RK_VIEW_NORMAL, /**< the normal with propagated mean and variance */
    RK_VIEW_TILTS   /**< the least divergent inputs for which it happens, all modes of them */
} rk_event_view;

/** How to make an event rarer. Start from rk_train_event_options_default. */
typedef struct rk_train_event_options {
    size_t size; /**< see rk_method_spec */
    /** T, what the network S is to go on doing: of its inputs, outputs and depth. NULL: what it
     * does now. */
    const rk_network *keep;
    double keep_loss; /**< the most that E|S - T|^2 may become, of E|T|^2; with `data`, see there */
    double
        target_factor; /**< be done when P has fallen by it; 0: by as much as keep_loss pays for */
    rk_event_view view;
    rk_pair_closure pairs; /**< how covariances of neurons are closed */
    int pairs_order;       /**< of RK_PAIRS_COMPLETED: 1 to 4 */
    uint64_t max_steps;
    uint64_t samples; /**< forward passes for each of the probabilities */
    /** For the ordinary loss in the end; 0: as many as tell 1 % of it, at most 10^6. */
    uint64_t receipt_samples;
    uint64_t seed;
    int threads;                /**< as in rk_options */
    uint64_t memory_limit;      /**< likewise */
    rk_train_progress progress; /**< may be NULL; losses are relative to E|T|^2 */
    void *progress_context;
    rk_context *context;            /**< borrowed; NULL: one for the call */
    rk_train_checkpoint checkpoint; /**< may be NULL; only with what keeps to keep_loss */
    void *checkpoint_context;
    double checkpoint_seconds; /**< 0: at every step */
    /** Instead of `keep`: the loss on these is what is to stay. It may grow by keep_loss since the
     *  start, of the values' mean |value|^2, or in nats. The event's law is still that of `input`.
     *  `size` as in rk_method_spec. */
    const rk_dataset *data;
} rk_train_event_options;

/** A thousandth of the outputs' second moment, both views, completed pairs of order 4, 200 steps,
 *  100000 passes. */
RK_INLINE rk_train_event_options rk_train_event_options_default(void) {
    rk_train_event_options rk_standard;
    memset(&rk_standard, 0, sizeof rk_standard);
    rk_standard.size = sizeof rk_standard;
    rk_standard.keep_loss = 1e-3;
    rk_standard.pairs = RK_PAIRS_COMPLETED;
    rk_standard.pairs_order = 4;
    rk_standard.max_steps = 200;
    rk_standard.samples = 100000;
    rk_standard.checkpoint_seconds = 60;
    return rk_standard;
}

/** Where such a run was at a step. Losses are relative to E|T|^2. */
typedef struct rk_event_point {
    uint64_t step;
    double closure_loss;
    double loss, loss_standard_error; /**< by samples; NaN: not asked */
    double log10_normal, log10_tilts; /**< what the views say, the latter up to a constant; NaN: not
                                           looked at. Probabilities they are not */
    size_t n_modes;
    double flops, seconds; /**< all so far, receipts apart */
} rk_event_point;

/** What came of it. With data, losses are by how much that on them has grown, of its unit. */
typedef struct rk_train_event_data {
    const rk_network *network;
    /** P by unbiased passes, before and after; and by subset simulation, which knows nothing of
     *  tilts (log10_p NaN: not asked, for passes alone tell). Where the two part ways the larger
     *  one is what `before` and `after` are. */
    rk_tail_estimate before, after, before_check, after_check;
    double log10_factor;              /**< by how much it has fallen: before / after */
    double closure_loss;              /**< E|S - T|^2 / E|T|^2 as the closure has it */
    double loss, loss_standard_error; /**< the same by samples nothing was trained on; on data, by
                                           these, without error */
    double square;                    /**< E|T|^2 by these; with data the unit */
    uint64_t receipt_samples;
    size_t found_again; /**< times that the event came about in new ways, and these were found */
    const rk_event_point *curve;
    size_t n_curve;        /**< steps */
    double flops, seconds; /**< of all steps; `receipt_flops` apart */
    double receipt_flops;  /**< of probabilities, and of the loss in the end */
    uint64_t bytes, seed;
    int threads;
    bool interrupted; /**< the network is that of the last step */
    bool unmet;       /**< keep_loss or the target that was given, or nothing was gained: a warning
                           says which */
    size_t n_warnings;
    const char *const *warnings;
    bool unchanged; /**< the network is what it was: no passes say that the event is rarer */
    double data_loss_before, data_loss_after; /**< means on the data; NaN: there are none */
} rk_train_event_data;

typedef struct rk_trained rk_trained;

/**
 * A network that does what `net` does for x ~ N(mean, covariance) of `input` (NULL: the standard
 * normal; a third cumulant is refused), but for which `event` is rarer: by as much as a true
 * ordinary loss of keep_loss pays for. Unless passes say that it is rarer, beyond their errors, the
 * network stays what it was; so it does if none of them sees the event in the first place. No
 * sample of the event is needed: its probability is seen in the weights, however small. What
 * closures say of it is used for its direction only; what is reported comes from weighted passes
 * and subset simulation.
 *
 * RK_ERROR_UNSUPPORTED: residual networks, those with an activation at the output, without hidden
 * layers, or of another depth than T. RK_ERROR_NUMERIC: the closure sees no event, for instance
 * where nothing it depends on varies. `options` NULL: defaults.
 */
RK_API rk_status rk_train_event(rk_trained **out, const rk_network *net, const rk_input *input,
                                const rk_event *event, const rk_train_event_options *options,
                                rk_error *error);
RK_API const rk_train_event_data *rk_trained_view(const rk_trained *trained);
/** The network, now the caller's to destroy; NULL if it was taken before. */
RK_API rk_network *rk_trained_take(rk_trained *trained);
RK_API void rk_trained_destroy(rk_trained *trained);

#ifdef __cplusplus
}
#endif
#endif

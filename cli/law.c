#include "law.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"

/* ------------------------------------------------------------------------------------ arrays */

static bool is_number(const char *text, double *x) {
    char *end;
    *x = strtod(text, &end);
    return end != text && !*end;
}

/* A file, or a number. */
static int read_array(rk_array *out, const char *path) {
    rk_error error;
    double x;
    *out = (rk_array){0};
    if (is_number(path, &x)) {
        out->data = malloc(sizeof x);
        if (!out->data) return fail(EXIT_FAILED, "out of memory");
        *out->data = x;
        return 0;
    }
    return rk_array_read(out, path, &error) ? fail_reading(path, &error) : 0;
}

/* What is wrong with a law is the fault of the file that `path` names, but for our memory. */
static int conclude(rk_status status, const char *option, const char *path, const rk_error *error) {
    if (status == RK_OK) return 0;
    if (status != RK_ERROR_ARGUMENT) return fail_status(error);
    return fail(EXIT_MODEL, "%s %s: %s", option, path, error->message);
}

/* -------------------------------------------------------------------------------------- laws */

static int load_normal(rk_input_law **out, const options *opts, size_t n_in) {
    rk_array mean = {0}, covariance = {0};
    rk_error error;
    int code = opts->input_mean ? read_array(&mean, opts->input_mean) : 0;
    if (!code && opts->input_cov) code = read_array(&covariance, opts->input_cov);
    if (!code && opts->input_mean) { /* by itself first, so that the refusal names its file */
        rk_status status = rk_input_law_normal(out, n_in, &mean, NULL, &error);
        code = conclude(status, "--input-mean", opts->input_mean, &error);
    }
    if (!code && opts->input_cov) {
        rk_input_law_destroy(*out);
        rk_status status =
            rk_input_law_normal(out, n_in, opts->input_mean ? &mean : NULL, &covariance, &error);
        code = conclude(status, "--input-cov", opts->input_cov, &error);
    }
    rk_array_destroy(&mean);
    rk_array_destroy(&covariance);
    return code;
}

/* NaN for "auto". */
static int read_shrinkage(double *out, const char *text) {
    *out = 0;
    if (!text) return 0;
    if (!strcmp(text, "auto")) {
        *out = NAN;
        return 0;
    }
    if (is_number(text, out) && *out >= 0 && *out <= 1) return 0;
    return fail(EXIT_USAGE, "--shrinkage %s: a number from 0 to 1, or auto", text);
}

static int load_points(rk_input_law **out, const options *opts, size_t n_in) {
    rk_array points;
    rk_error error;
    double shrinkage;
    int code = read_shrinkage(&shrinkage, opts->shrinkage);
    if (code) return code;
    if (rk_array_read(&points, opts->input_data, &error))
        return fail_reading(opts->input_data, &error);
    code = conclude(rk_input_law_of_points(out, n_in, &points, shrinkage, &error), "--input-data",
                    opts->input_data, &error);
    if (!code) note("input: %s", rk_input_law_text(*out));
    if (!code && points.shape[0] <= n_in && !opts->shrinkage)
        warn("%zu points tell no covariance of %zu inputs: it is singular; --shrinkage auto makes "
             "it less so",
             points.shape[0], n_in);
    rk_array_destroy(&points);
    return code;
}

static int load_mixture(rk_input_law **out, const options *opts, size_t n_in) {
    static const char *const names[] = {"weights,weights_", "means,means_",
                                        "covariances,covariances_"};
    rk_array arrays[3] = {{0}};
    rk_error error;
    int code = 0;
    for (int i = 0; !code && i < 3; i++)
        if (rk_array_read_named(&arrays[i], opts->input_mixture, names[i], &error))
            code = fail_reading(opts->input_mixture, &error);
    if (!code)
        code = conclude(rk_input_law_mixture(out, n_in, &arrays[0], &arrays[1], &arrays[2], &error),
                        "--input-mixture", opts->input_mixture, &error);
    for (int i = 0; i < 3; i++)
        rk_array_destroy(&arrays[i]);
    return code;
}

int law_load(rk_input_law **out, const options *opts, size_t n_in) {
    *out = NULL;
    const bool is_normal = opts->input_mean || opts->input_cov;
    if (is_normal + (opts->input_data != NULL) + (opts->input_mixture != NULL) > 1)
        return fail(EXIT_USAGE, "one law of the input, please: --input-mean and --input-cov, or "
                                "--input-data, or --input-mixture");
    if (opts->shrinkage && !opts->input_data)
        return fail(EXIT_USAGE, "--shrinkage is of the covariance of --input-data");
    int code = opts->input_mixture ? load_mixture(out, opts, n_in)
               : opts->input_data  ? load_points(out, opts, n_in)
               : is_normal         ? load_normal(out, opts, n_in)
                                   : 0;
    if (code) {
        rk_input_law_destroy(*out);
        *out = NULL;
    }
    return code;
}

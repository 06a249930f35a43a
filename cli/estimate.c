#include "estimate.h"

#include <math.h>
#include <string.h>

#include "json.h"
#include "report.h"

enum { FEW = 16 }; /* outputs printed in full; more are abridged to their ends */

/* ---------------------------------------------------------------------------------------- JSON */

static json_t *options_json(const estimate *e) {
    json_t *o = json_object();
    json_object_set_new(o, "covariance", json_boolean(e->run.covariance));
    json_object_set_new(o, "cumulants", json_count((uint64_t)e->run.cumulants));
    json_object_set_new(o, "layers", json_boolean(e->run.layers));
    json_object_set_new(o, "samples", json_count(e->run.samples));
    json_object_set_new(o, "receipt_samples",
                        e->opts->receipt == UINT64_MAX ? json_null()
                                                       : json_count(e->opts->receipt));
    json_object_set_new(o, "budget_flops", json_real(e->run.budget_flops));
    json_object_set_new(o, "budget_seconds", json_real(e->run.budget_seconds));
    json_object_set_new(o, "tolerance", json_real(e->run.tolerance));
    json_object_set_new(o, "memory_limit", json_count(e->run.memory_limit));
    json_object_set_new(o, "activation", json_text_or_null(e->opts->activation));
    json_object_set_new(o, "input_mean", json_text_or_null(e->opts->input_mean));
    json_object_set_new(o, "input_cov", json_text_or_null(e->opts->input_cov));
    json_object_set_new(o, "input_data", json_text_or_null(e->opts->input_data));
    json_object_set_new(o, "shrinkage", json_text_or_null(e->opts->shrinkage));
    json_object_set_new(o, "input_mixture", json_text_or_null(e->opts->input_mixture));
    return o;
}

static json_t *error_json(json_document *doc, const rk_answer_data *a) {
    static const char *const kinds[] = {[RK_STANDARD_ERROR] = "standard_error",
                                        [RK_ESTIMATED_RMS] = "estimated_rms",
                                        [RK_MEASURED_RMS] = "measured_rms"};
    json_t *error = json_object();
    json_object_set_new(error, "kind", json_string(kinds[a->error_kind]));
    json_object_set_new(error, "per_output",
                        a->error_per_output ? json_vector(doc, a->error_per_output, a->n_out)
                                            : json_null());
    json_object_set_new(error, "rms", json_optional(doc, a->error_rms));
    json_object_set_new(error, "stated_rms", json_optional(doc, a->stated_rms));
    if (a->covariance)
        json_object_set_new(error, "covariance_rms", json_optional(doc, a->covariance_error_rms));
    return error;
}

static json_t *layers_json(json_document *doc, const rk_answer_data *a) {
    json_t *layers = json_array();
    for (size_t l = 0; l < a->n_hidden; l++) {
        json_t *layer = json_object();
        json_object_set_new(layer, "layer", json_count(l + 1));
        json_object_set_new(layer, "mean", json_vector(doc, a->hidden_mean[l], a->hidden_width[l]));
        json_array_append_new(layers, layer);
    }
    return layers;
}

static const char *verdict_name(rk_verdict verdict) {
    return verdict == RK_AGREES ? "agrees" : verdict == RK_REFUTES ? "refutes" : NULL;
}

static json_t *receipt_json(json_document *doc, const rk_answer_data *a) {
    if (a->receipt_samples == 0) return json_null();
    json_t *receipt = json_object();
    json_object_set_new(receipt, "samples", json_count(a->receipt_samples));
    json_object_set_new(receipt, "flops", json_count(a->receipt_flops));
    json_object_set_new(receipt, "verdict", json_text_or_null(verdict_name(a->receipt_verdict)));
    json_object_set_new(receipt, "rms", /* a negative mean square has no root */
                        a->receipt_mse < 0 ? json_null() : json_double(doc, a->receipt_rms));
    json_object_set_new(receipt, "rms_standard_error",
                        json_double(doc, a->receipt_rms_standard_error));
    json_object_set_new(receipt, "mse", json_double(doc, a->receipt_mse));
    json_object_set_new(receipt, "mse_standard_error",
                        json_double(doc, a->receipt_mse_standard_error));
    return receipt;
}

int estimate_print_json(const void *result, FILE *stream) {
    const estimate *e = result;
    const rk_answer_data *a = e->answer;
    json_document doc = json_begin("reckon.estimate/1");
    json_object_set_new(doc.root, "file", json_text_or_null(e->model.name));
    json_object_set_new(doc.root, "method", json_text_or_null(a->method));
    json_object_set_new(doc.root, "reason", json_text_or_null(a->reason));
    json_object_set_new(doc.root, "options", options_json(e));
    json_object_set_new(doc.root, "mean", json_vector(&doc, a->mean, a->n_out));
    json_object_set_new(doc.root, "error", error_json(&doc, a));
    if (a->covariance)
        json_object_set_new(doc.root, "covariance",
                            json_matrix(&doc, a->covariance, a->n_out, a->n_out));
    if (a->third_cumulant)
        json_object_set_new(doc.root, "third_cumulant",
                            json_tensor(&doc, a->third_cumulant, a->n_out, 3));
    if (a->fourth_cumulant)
        json_object_set_new(doc.root, "fourth_cumulant",
                            json_tensor(&doc, a->fourth_cumulant, a->n_out, 4));
    if (e->run.layers) json_object_set_new(doc.root, "layers", layers_json(&doc, a));
    json_object_set_new(doc.root, "receipt", receipt_json(&doc, a));
    json_object_set_new(doc.root, "flops", json_flops(&doc, &a->cost));
    json_object_set_new(doc.root, "seconds", json_double(&doc, a->seconds));
    json_object_set_new(doc.root, "peak_bytes", json_count(a->cost.bytes));
    json_object_set_new(doc.root, "samples", json_count(a->samples));
    json_object_set_new(doc.root, "interrupted", json_boolean(a->interrupted));
    json_object_set_new(doc.root, "unmet", json_boolean(a->unmet));
    json_object_set_new(doc.root, "seed", json_count(a->seed));
    json_object_set_new(doc.root, "threads", json_count((uint64_t)a->threads));
    json_object_set_new(doc.root, "weights_sha256", json_weights_sha256(e->model.net));
    for (size_t i = 0; i < a->n_warnings; i++)
        json_warn(&doc, a->warnings[i]);
    return json_end(&doc, stream);
}

/* --------------------------------------------------------------------------------- for people */

static double deviation_of(const rk_answer_data *a, size_t output) {
    return sqrt(a->covariance[output * a->n_out + output]);
}

/* kappa_ii../sd^degree of one output: its skewness or excess kurtosis. */
static double standardized(const rk_answer_data *a, const double *cumulant, int degree, size_t i) {
    size_t at = 0;
    for (int d = 0; d < degree; d++)
        at = at * a->n_out + i;
    return cumulant[at] / pow(a->variance[i], degree / 2.0);
}

static void print_outputs(const estimate *e, FILE *stream) {
    const rk_answer_data *a = e->answer;
    char cell[CELL];
    bool abridged = a->n_out > FEW && !e->opts->all;
    size_t more =
        (a->covariance ? 1u : 0) + (a->third_cumulant ? 1u : 0) + (a->fourth_cumulant ? 1u : 0);
    table t = table_create(3 + more, 1);
    table_add(&t, "output");
    table_add(&t, "mean");
    table_add(&t, "error");
    if (a->covariance) table_add(&t, "deviation");
    if (a->third_cumulant) table_add(&t, "skewness");
    if (a->fourth_cumulant) table_add(&t, "kurtosis");
    for (size_t i = 0; i < a->n_out; i++) {
        if (abridged && i == FEW / 2) {
            for (size_t c = 0; c < t.n_columns; c++)
                table_add(&t, "...");
            i = a->n_out - FEW / 2;
        }
        snprintf(cell, sizeof cell, "y[%zu]", i);
        table_add(&t, cell);
        table_add(&t, value_to_error(a->mean[i], a->error_per_output[i], cell));
        snprintf(cell, sizeof cell, "%s ", plus_minus());
        error_two_digits(a->error_per_output[i], cell + strlen(cell));
        table_add(&t, cell);
        if (a->covariance) table_add(&t, compact(deviation_of(a, i), cell));
        if (a->third_cumulant)
            table_add(&t, compact(standardized(a, a->third_cumulant, 3, i), cell));
        if (a->fourth_cumulant)
            table_add(&t, compact(standardized(a, a->fourth_cumulant, 4, i), cell));
    }
    table_print(&t, stream);
    if (abridged)
        fprintf(stream, "  (%zu outputs; --all, --csv or --json give all of them)\n", a->n_out);
}

static void print_covariance(const rk_answer_data *a, FILE *stream) {
    char cell[CELL];
    fputc('\n', stream);
    heading(stream, "covariance");
    for (size_t i = 0; i < a->n_out; i++) {
        for (size_t j = 0; j < a->n_out; j++)
            fprintf(stream, " %10s", compact(a->covariance[i * a->n_out + j], cell));
        fputc('\n', stream);
    }
}

static void print_layers(const rk_answer_data *a, FILE *stream) {
    char cell[CELL];
    fputc('\n', stream);
    table t = table_create(5, 0);
    const char *const titles[] = {"hidden layer", "width", "average mean", "lowest", "highest"};
    for (size_t c = 0; c < 5; c++)
        table_add(&t, titles[c]);
    for (size_t l = 0; l < a->n_hidden; l++) {
        double sum = 0, low = INFINITY, high = -INFINITY;
        for (size_t i = 0; i < a->hidden_width[l]; i++) {
            sum += a->hidden_mean[l][i];
            low = fmin(low, a->hidden_mean[l][i]);
            high = fmax(high, a->hidden_mean[l][i]);
        }
        snprintf(cell, sizeof cell, "%zu", l + 1);
        table_add(&t, cell);
        snprintf(cell, sizeof cell, "%zu", a->hidden_width[l]);
        table_add(&t, cell);
        table_add(&t, compact(sum / (double)a->hidden_width[l], cell));
        table_add(&t, compact(low, cell));
        table_add(&t, compact(high, cell));
    }
    table_print(&t, stream);
}

/* What it finds, or what that is surely below. */
static void print_receipt(const rk_answer_data *a, FILE *stream) {
    static const char *const meaning[] = {[RK_NO_VERDICT] = "",
                                          [RK_AGREES] = "agrees: ",
                                          [RK_REFUTES] = "refutes the stated error: "};
    const double mse = a->receipt_mse, se = a->receipt_mse_standard_error;
    const bool is_resolved = mse > 2 * se;
    char rms[CELL], error[CELL], square[CELL], square_error[CELL];
    fprintf(stream, "receipt  %sroot mean square error ", meaning[a->receipt_verdict]);
    if (is_resolved)
        fprintf(stream, "%s %s %s", compact(a->receipt_rms, rms), plus_minus(),
                compact(a->receipt_rms_standard_error, error));
    else
        fprintf(stream, "below %s", compact(sqrt(fmax(mse, 0) + 2 * se), rms));
    fprintf(stream, "\n         (mean square %s %s %s), from %llu passes, seed %llu\n",
            compact(mse, square), plus_minus(), compact(se, square_error),
            (unsigned long long)a->receipt_samples, (unsigned long long)a->seed);
}

int estimate_print_human(const void *result, FILE *stream) {
    const estimate *e = result;
    const rk_answer_data *a = e->answer;
    static const char *const kinds[] = {[RK_STANDARD_ERROR] = "standard error",
                                        [RK_ESTIMATED_RMS] = "estimated",
                                        [RK_MEASURED_RMS] = "measured by the receipt"};
    char summary[256], cell[CELL];
    heading(stream, "E[M(x)] of %s (%s)", e->model.name, model_summary(e->model.net, summary));
    fputc('\n', stream);
    print_outputs(e, stream);
    if (a->covariance && (a->n_out <= FEW / 2 || e->opts->all)) print_covariance(a, stream);
    if (a->n_hidden) print_layers(a, stream);

    fprintf(stream, "\nmethod   %s", a->method);
    if (a->samples)
        fprintf(stream, ", %llu samples%s, seed %llu", (unsigned long long)a->samples,
                a->interrupted ? " (interrupted)" : "", (unsigned long long)a->seed);
    if (a->reason) fprintf(stream, "\n         %s", a->reason);
    fprintf(stream, "\nerror    %s root mean square (%s)\n", error_two_digits(a->error_rms, cell),
            kinds[a->error_kind]);
    if (a->covariance)
        fprintf(stream, "         %s of an entry of the covariance\n",
                error_two_digits(a->covariance_error_rms, cell));
    if (a->receipt_samples) print_receipt(a, stream);
    print_cost(stream, &a->cost);
    fprintf(stream, "time     %s with %d thread%s\n", duration(a->seconds, cell), a->threads,
            a->threads == 1 ? "" : "s");
    return 0;
}

int estimate_print_csv(const void *result, FILE *stream) {
    const rk_answer_data *a = ((const estimate *)result)->answer;
    fprintf(stream, "output,mean,error%s\n", a->covariance ? ",deviation" : "");
    for (size_t i = 0; i < a->n_out; i++) {
        fprintf(stream, "%zu,%.17g,%.17g", i, a->mean[i], a->error_per_output[i]);
        if (a->covariance) fprintf(stream, ",%.17g", deviation_of(a, i));
        fputc('\n', stream);
    }
    return 0;
}

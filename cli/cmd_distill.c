/* reckon distill: a smaller network that does what a teacher does. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "message.h"
#include "model.h"
#include "output.h"
#include "report.h"
#include "training.h"

enum { MAX_HIDDEN = 4096 };

typedef struct distill {
    const options *opts;
    model teacher;
    rk_network *given;   /* a student to go on from, or NULL */
    rk_network *student; /* what came of it */
    const rk_distill_data *data;
} distill;

static const choice starts = {"--start", {"pivots", "random"}};
static const choice finishes = {"--finish", {"auto", "off", "on"}};
static const choice schedules = {"--schedule", {"linear", "cosine", "constant"}};
static const choice methods = {"--method", {"mechanistic", "adam", "sgd"}};

static int parse_words(const options *opts, rk_distill_options *out) {
    int start, finish, schedule, method;
    int code = parse_choice(&starts, opts->start, &start);
    if (!code) code = parse_choice(&finishes, opts->finish, &finish);
    if (!code) code = parse_choice(&schedules, opts->schedule, &schedule);
    if (!code && opts->n_methods > 1) code = fail(EXIT_USAGE, "one --method, please");
    if (!code) code = parse_choice(&methods, opts->n_methods ? opts->methods[0] : NULL, &method);
    if (!code) code = parse_pairs(opts->pairs, &out->pairs, &out->pairs_order);
    if (code) return code;
    out->start = (rk_student_start)start;
    out->finish = (rk_finish)finish;
    out->schedule = (rk_schedule)schedule;
    out->method = (rk_distill_method)method;
    return 0;
}

static int parse(const options *opts, size_t hidden[MAX_HIDDEN], rk_distill_options *out) {
    *out = rk_distill_options_default();
    if (!opts->output)
        return fail(EXIT_USAGE, "where should the student go? Give -o student.safetensors");
    if (check_model_output(opts->output)) return EXIT_USAGE;
    if (!opts->widths == !opts->student)
        return fail(EXIT_USAGE, "give --hidden, for example --hidden 128,128%s",
                    opts->student ? ", or --student, but not both" : "");
    if (opts->widths) out->n_hidden = parse_sizes(opts->widths, hidden, MAX_HIDDEN);
    if (opts->widths && out->n_hidden == 0)
        return fail(EXIT_USAGE, "--hidden: '%s' should be a list such as 128,128", opts->widths);
    if (opts->threads > 4096) return fail(EXIT_USAGE, "--threads: at most 4096");
    out->hidden = hidden;
    out->budget_flops = opts->budget[0];
    out->budget_seconds = opts->budget[1];
    out->rate = opts->rate;
    out->batch = opts->batch;
    out->seed = opts->seed;
    out->receipt_samples = opts->receipt == UINT64_MAX ? 0 : opts->receipt;
    out->threads = (int)opts->threads;
    out->memory_limit = opts->memory;
    out->checkpoint_seconds = opts->checkpoint;
    return parse_words(opts, out);
}

/* ------------------------------------------------------------------------------------- results */

static double relative(const distill *d, double loss) {
    const double unit = isfinite(d->data->true_teacher_square) ? d->data->true_teacher_square
                                                               : d->data->teacher_square;
    return unit > 0 ? loss / unit : loss;
}

static int print_json(const void *result, FILE *stream) {
    const distill *d = result;
    const rk_distill_data *a = d->data;
    char summary[256];
    json_document doc = json_begin("reckon.distill/1");
    json_t *o = doc.root, *receipt = json_object(), *flops = json_object();
    json_object_set_new(o, "student", json_text_or_null(d->opts->output));
    json_object_set_new(o, "network", json_string(model_summary(d->student, summary)));
    json_object_set_new(o, "teacher_square", json_double(&doc, a->teacher_square));
    json_object_set_new(o, "closure_loss", json_optional(&doc, a->closure_loss));
    json_object_set_new(receipt, "loss", json_optional(&doc, a->loss));
    json_object_set_new(receipt, "standard_error", json_optional(&doc, a->loss_standard_error));
    json_object_set_new(receipt, "teacher_square", json_optional(&doc, a->true_teacher_square));
    json_object_set_new(receipt, "relative", json_optional(&doc, relative(d, a->loss)));
    json_object_set_new(receipt, "samples", json_count(a->receipt_samples));
    json_object_set_new(o, "receipt", receipt);
    json_object_set_new(flops, "executed", json_double(&doc, a->flops));
    json_object_set_new(flops, "receipt", json_double(&doc, a->receipt_flops));
    json_object_set_new(o, "flops", flops);
    json_object_set_new(o, "seconds", json_double(&doc, a->seconds));
    json_object_set_new(o, "peak_bytes", json_count(a->bytes));
    json_object_set_new(o, "curve", json_curve(&doc, a->curve, a->n_curve));
    json_object_set_new(o, "finished", json_boolean(a->finished));
    json_object_set_new(o, "interrupted", json_boolean(a->interrupted));
    json_object_set_new(o, "unmet", json_boolean(a->unmet));
    for (size_t i = 0; i < a->n_warnings; i++)
        json_warn(&doc, a->warnings[i]);
    json_object_set_new(o, "seed", json_count(a->seed));
    json_object_set_new(o, "threads", json_count((uint64_t)a->threads));
    json_object_set_new(o, "weights_sha256", json_weights_sha256(d->student));
    return json_end(&doc, stream);
}

static int print_human(const void *result, FILE *stream) {
    const distill *d = result;
    const rk_distill_data *a = d->data;
    char summary[256], cell[CELL], error[CELL];
    heading(stream, "Student of %s (%s)", d->teacher.name, model_summary(d->teacher.net, summary));
    fprintf(stream, "\nstudent  %s: %s\n", d->opts->output, model_summary(d->student, summary));
    if (isfinite(a->loss))
        fprintf(stream, "loss     %s %s %s of the teacher's E|T|^2 (%llu passes)\n",
                value_to_error(relative(d, a->loss), relative(d, a->loss_standard_error), cell),
                plus_minus(), error_two_digits(relative(d, a->loss_standard_error), error),
                (unsigned long long)a->receipt_samples);
    if (isfinite(a->closure_loss))
        fprintf(stream, "         %s as the closure has it\n",
                compact(a->closure_loss / a->teacher_square, cell));
    fputc('\n', stream);
    print_phases(stream, a->curve, a->n_curve, a->teacher_square);
    fprintf(stream, "\ncost     %s FLOPs", compact(a->flops, cell));
    fprintf(stream, ", and %s for the receipt\n", compact(a->receipt_flops, cell));
    fprintf(stream, "memory   %s\n", byte_size((double)a->bytes, cell));
    fprintf(stream, "time     %s with %d thread%s\n", duration(a->seconds, cell), a->threads,
            a->threads == 1 ? "" : "s");
    return 0;
}

static int print_csv(const void *result, FILE *stream) {
    const distill *d = result;
    print_curve_csv(stream, d->data->curve, d->data->n_curve);
    return 0;
}

/* ------------------------------------------------------------------------------------- the job */

static int report(const distill *d) {
    options printed = *d->opts;
    printed.output = NULL; /* that is the student's */
    for (size_t i = 0; !d->opts->json && i < d->data->n_warnings; i++)
        warn("%s", d->data->warnings[i]);
    rk_error error;
    int code = rk_network_write(d->student, d->opts->output, &error) ? fail_status(&error) : 0;
    if (!code) code = output_result(&printed, print_human, print_json, d);
    if (!code && d->opts->csv) code = output_print(d->opts->csv, print_csv, d);
    if (!code && d->data->interrupted) {
        note("interrupted: the student is the best so far; --student %s goes on from it",
             d->opts->output);
        code = EXIT_INTERRUPTED;
    }
    return !code && d->data->unmet ? EXIT_UNMET : code;
}

/* What the file will say of how the student was made, whatever comes of it. */
static void begin_origin(const distill *d, char text[300]) {
    char sha256[65] = "unknown";
    rk_network_sha256(d->teacher.net, sha256, NULL);
    snprintf(text, 300, "student of weights %s%s: reckon %s distill, seed %llu", sha256,
             d->teacher.law ? ", inputs as given" : "", rk_version(),
             (unsigned long long)d->opts->seed);
}

static void say_origin(distill *d, const char *origin) {
    const rk_distill_data *a = d->data;
    char text[900], loss[80] = "";
    if (isfinite(a->loss))
        snprintf(loss, sizeof loss, ", loss %.4g +- %.2g of E|T|^2", relative(d, a->loss),
                 relative(d, a->loss_standard_error));
    snprintf(text, sizeof text, "%s, %.3g FLOPs%s", origin, a->flops, loss);
    rk_network_set_origin(d->student, text, NULL);
}

static int run(distill *d, rk_distill_options *how) {
    rk_error error;
    rk_distilled *distilled = NULL;
    training watch;
    char origin[300];
    begin_origin(d, origin);
    how->student = d->given;
    how->progress = training_watch;
    how->progress_context = &watch;
    how->checkpoint = training_keep;
    how->checkpoint_context = &watch;
    training_begin(&watch, "distill", d->opts->output, origin);
    rk_status status = rk_distill(&distilled, d->teacher.net, &d->teacher.input, how, &error);
    training_end(&watch);
    if (status != RK_OK) return fail_status(&error);
    d->data = rk_distilled_view(distilled);
    d->student = rk_distilled_take(distilled);
    say_origin(d, origin);
    int code = report(d);
    rk_distilled_destroy(distilled);
    return code;
}

static int load_student(distill *d) {
    rk_error error;
    if (!d->opts->student) return 0;
    return rk_network_read(&d->given, d->opts->student, NULL, &error) ? fail_status(&error) : 0;
}

int cmd_distill(const options *opts) {
    static size_t hidden[MAX_HIDDEN];
    distill d = {.opts = opts};
    rk_distill_options how;
    int code = parse(opts, hidden, &how);
    if (!code) code = model_load(&d.teacher, opts);
    if (code) return code;
    code = load_student(&d);
    if (!code) code = run(&d, &how);
    rk_network_destroy(d.given);
    rk_network_destroy(d.student);
    model_free(&d.teacher);
    return code;
}

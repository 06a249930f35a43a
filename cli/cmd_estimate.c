/* reckon estimate: the main job. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "estimate.h"
#include "interrupt.h"
#include "message.h"
#include "output.h"

/* ------------------------------------------------------------------------------------- the job */

static bool all_finite(const double *x, size_t n, int degree) {
    size_t count = 1;
    while (degree-- > 0)
        count *= n;
    for (size_t i = 0; x && i < count; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

/* Nothing to worry about, or EXIT_UNMET. */
static int judge(const rk_answer_data *a) {
    bool is_finite = all_finite(a->mean, a->n_out, 1) && all_finite(a->covariance, a->n_out, 2) &&
                     all_finite(a->third_cumulant, a->n_out, 3) &&
                     all_finite(a->fourth_cumulant, a->n_out, 4);
    for (size_t l = 0; l < a->n_hidden; l++)
        is_finite = is_finite && all_finite(a->hidden_mean[l], a->hidden_width[l], 1);
    return is_finite && !a->unmet && a->receipt_verdict != RK_REFUTES ? EXIT_DONE : EXIT_UNMET;
}

static int print_answer(const estimate *e, FILE *stream) {
    const rk_answer_data *a = e->answer;
    const bool names_it = e->opts->n_operands > 1;
    for (size_t i = 0; i < a->n_warnings && !e->opts->json; i++)
        warn("%s%s%s", names_it ? e->model.name : "", names_it ? ": " : "", a->warnings[i]);
    int code = e->opts->json ? estimate_print_json(e, stream) : estimate_print_human(e, stream);
    if (!code && e->opts->csv) code = output_print(e->opts->csv, estimate_print_csv, e);
    if (!code && a->interrupted) {
        note("interrupted: this answer is partial");
        code = EXIT_INTERRUPTED;
    }
    return code ? code : judge(a);
}

/* ----------------------------------------------------------------------------------- many jobs */

/* So many networks are in memory at a time, or as many as have so many weights. */
enum { MOST_JOBS = 64, MOST_WEIGHTS = 1 << 25 };

typedef struct batch {
    const options *opts;
    rk_options run; /* by `method` */
    rk_method_spec method;
    estimate of[MOST_JOBS];
    rk_job jobs[MOST_JOBS];
    size_t n, next; /* networks in it; the operand that comes next */
    size_t n_printed;
    int code;
} batch;

/* What stops the command counts most, then what failed first. */
static int worse(int before, int code) {
    if (code == EXIT_INTERRUPTED) return code;
    return before == EXIT_DONE || (before == EXIT_UNMET && code) ? code : before;
}

static size_t weights_of(const rk_network *net) {
    size_t count = 0;
    for (size_t l = 0; l < rk_network_n_layers(net); l++)
        count += rk_network_layer(net, l).rows * rk_network_layer(net, l).cols;
    return count;
}

static void load(batch *b) {
    const size_t n = b->opts->n_operands;
    b->n = 0;
    for (size_t weights = 0; b->next < (n ? n : 1) && b->n < MOST_JOBS && weights < MOST_WEIGHTS;
         b->next++) {
        estimate *e = &b->of[b->n];
        *e = (estimate){.opts = b->opts, .run = b->run};
        int code = model_load_from(&e->model, b->opts, n ? b->opts->operands[b->next] : NULL);
        b->code = worse(b->code, code);
        if (code) continue;
        weights += weights_of(e->model.net);
        b->jobs[b->n++] = (rk_job){.net = e->model.net, .input = &e->model.input};
    }
}

static int fail_job(const estimate *e, rk_error *error) {
    rk_error named = *error;
    if (e->opts->n_operands > 1)
        snprintf(named.message, sizeof named.message, "%.190s: %.300s", e->model.name,
                 error->message);
    int code = fail_status(&named);
    if (error->status == RK_ERROR_OUT_OF_REACH)
        note("--budget 1e12flop, or --budget 60s, takes the best there is for that");
    return code;
}

static void print(batch *b, FILE *stream) {
    for (size_t i = 0; i < b->n; i++) {
        rk_job *job = &b->jobs[i];
        estimate *e = &b->of[i];
        if (job->answer) {
            if (b->n_printed++ && !b->opts->json) fputc('\n', stream);
            e->answer = rk_answer_view(job->answer);
            b->code = worse(b->code, print_answer(e, stream));
        } else if (job->error.status == RK_ERROR_INTERRUPTED) {
            b->code = EXIT_INTERRUPTED;
        } else {
            b->code = worse(b->code, fail_job(e, &job->error));
        }
    }
    fflush(stream); /* what is done is done, whatever comes */
}

static void clear(batch *b) {
    for (size_t i = 0; i < b->n; i++) {
        rk_answer_destroy(b->jobs[i].answer);
        model_free(&b->of[i].model);
    }
}

/* Loads, estimates and prints, as many networks at a time as are worth it. */
static void do_all(batch *b, FILE *stream) {
    const size_t n = b->opts->n_operands;
    while (b->next < (n ? n : 1) && !interrupted()) {
        load(b);
        rk_error error;
        if (model_estimate_many(b->jobs, b->n, &b->run, model_method(b->opts), &error))
            b->code = worse(b->code, fail_status(&error));
        else
            print(b, stream);
        clear(b);
    }
    if (n > 1 && interrupted()) {
        note("interrupted: %zu of %zu files are answered", b->n_printed, n);
        b->code = EXIT_INTERRUPTED;
    }
}

static int print_text(const void *text, FILE *stream) {
    fputs(text, stream);
    return 0;
}

/* A file appears whole and at the end, the terminal sees each answer when it is there. */
static void do_all_into_file(batch *b) {
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (stream) do_all(b, stream);
    if (!stream || fclose(stream) != 0)
        b->code = fail(EXIT_FAILED, "out of memory for the results");
    else if (b->n_printed)
        b->code = worse(b->code, output_print(b->opts->output, print_text, text));
    free(text);
}

static int estimate_all(batch *b) {
    rk_error error;
    const rk_context_options shared = {
        .size = sizeof shared, .threads = b->run.threads, .memory_limit = b->run.memory_limit};
    if (rk_context_create(&b->run.context, &shared, &error)) return fail_status(&error);
    interrupt_catch(1);
    if (b->opts->output && strcmp(b->opts->output, "-"))
        do_all_into_file(b);
    else
        do_all(b, stdout);
    rk_context_destroy(b->run.context);
    return b->code;
}

int cmd_estimate(const options *opts) {
    if (opts->csv && opts->n_operands > 1)
        return fail(EXIT_USAGE, "--csv is of one file; --json prints a line for each");
    batch *b = calloc(1, sizeof *b);
    if (!b) return fail(EXIT_FAILED, "out of memory");
    b->opts = opts;
    int code = model_run_method(&b->run, &b->method, opts);
    if (!code) code = estimate_all(b);
    free(b);
    return code;
}

#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "message.h"

#define MODEL      (CMD_INSPECT | CMD_ESTIMATE | CMD_EXPLAIN | CMD_COMPARE | CMD_TAIL | TRAINING)
#define RUN        (CMD_ESTIMATE | CMD_EXPLAIN | CMD_COMPARE | CMD_TAIL)
#define TRAINING   (CMD_DISTILL | CMD_TRAIN)
#define ANY        (CMD_RANDOM | MODEL | CMD_DOCTOR)
#define AT(member) offsetof(options, member)

const option_row option_table[] = {
    {"width", 'w', OPTION_SIZE, "N", CMD_RANDOM, AT(width), "width of every layer (256)"},
    {"hidden", 'l', OPTION_SIZE, "L", CMD_RANDOM, AT(hidden), "number of hidden layers (4)"},
    {"in", 0, OPTION_SIZE, "N", CMD_RANDOM, AT(in), "number of inputs (the width)"},
    {"out", 0, OPTION_SIZE, "N", CMD_RANDOM, AT(out), "number of outputs (the width)"},
    {"widths", 0, OPTION_TEXT, "N,...,N", CMD_RANDOM, AT(widths),
     "all widths instead, from input to output: 784,256,256,10"},
    {"init", 0, OPTION_TEXT, "INIT", CMD_RANDOM, AT(init),
     "he (default), critical[:q], or manual:W,B: n_in Var(weight), Var(bias)"},
    {"residual", 0, OPTION_FLAG, NULL, CMD_RANDOM, AT(residual),
     "hidden layers two by two are blocks y = x + W f(V x); of an odd number the first embeds"},

    {"hidden", 'l', OPTION_TEXT, "N,...,N", CMD_DISTILL, AT(widths),
     "widths of the student's hidden layers: 128,128"},
    {"student", 0, OPTION_READ, "FILE", CMD_DISTILL, AT(student),
     "a student to go on from instead"},
    {"start", 0, OPTION_TEXT, "START", CMD_DISTILL, AT(start),
     "pivots: the teacher's own neurons, refitted (default), or random"},
    {"method", 'm', OPTION_METHOD, "METHOD", CMD_DISTILL, AT(methods),
     "mechanistic (default); adam or sgd, on samples, to compare with"},
    {"pairs", 0, OPTION_TEXT, "PAIRS", TRAINING, AT(pairs),
     "how pairs are closed: completed:1 to completed:4 (2, train 4), exact, first"},
    {"finish", 0, OPTION_TEXT, "WHEN", CMD_DISTILL, AT(finish),
     "steps on samples that take away the closure's error: auto (default), on, off"},
    {"rate", 0, OPTION_REAL, "R", CMD_DISTILL, AT(rate), "of steps on samples, at first"},
    {"batch", 0, OPTION_SIZE, "N", CMD_DISTILL, AT(batch), "samples in such a step"},
    {"schedule", 0, OPTION_TEXT, "NAME", CMD_DISTILL, AT(schedule),
     "of the rate of adam and sgd: linear (default), cosine, constant"},

    {"keep", 0, OPTION_READ, "FILE", CMD_TRAIN, AT(keep),
     "the network whose outputs are to be kept (the same); or data, a .npz of x and y"},
    {"keep-loss", 0, OPTION_REAL, "LOSS", CMD_TRAIN, AT(keep_loss),
     "the most that E|S - T|^2 may become, of E|T|^2, or that on data may grow (1e-3)"},
    {"factor", 0, OPTION_REAL, "F", CMD_TRAIN, AT(factor),
     "be done when the event is F times rarer (as rare as the loss pays for)"},
    {"view", 0, OPTION_TEXT, "VIEW", CMD_TRAIN, AT(view),
     "what steps see of the event: both (default), normal, tilts"},

    {"event", 'e', OPTION_TEXT, "EVENT", CMD_TAIL | CMD_EXPLAIN | CMD_TRAIN, AT(event),
     "'y[3] > 2', 'y[*] > 3', 'y[0] - y[1] < -1', 'layer 2: z[*] > 1,2,3'; several with ';'"},
    {"method", 'm', OPTION_METHOD, "METHOD", RUN, AT(methods),
     "how to estimate (auto); compare takes several; see METHODS below"},
    {"samples", 'n', OPTION_COUNT, "N", RUN | CMD_TRAIN, AT(samples),
     "forward passes of method sample, or for each event (100000)"},
    {"budget", 'b', OPTION_BUDGET, "BUDGET", CMD_ESTIMATE | CMD_EXPLAIN | CMD_TAIL, AT(budget),
     "of methods that choose their passes: 1e10flop, 2s, or both by giving it twice"},
    {"budget", 'b', OPTION_BUDGET, "BUDGET", CMD_DISTILL, AT(budget),
     "of all steps: 1e10flop, 2s, or both by giving it twice (until they gain no more)"},
    {"tol", 0, OPTION_REAL, "ERROR", CMD_ESTIMATE | CMD_EXPLAIN | CMD_TAIL, AT(tolerance),
     "error to reach: root mean square; of an event relative, 0.05"},
    {"receipt", 0, OPTION_COUNT, "N", CMD_ESTIMATE | CMD_EXPLAIN, AT(receipt),
     "check the answer without bias against N forward passes; 0: do not (auto: a few)"},
    {"receipt", 0, OPTION_COUNT, "N", TRAINING, AT(receipt),
     "forward passes that tell the true loss in the end (as many as tell 1 % of it)"},
    {"checkpoint", 0, OPTION_REAL, "SECONDS", TRAINING, AT(checkpoint),
     "how often the best network so far is written to -o (60)"},
    {"covariance", 'c', OPTION_FLAG, NULL, CMD_ESTIMATE | CMD_EXPLAIN, AT(covariance),
     "also the covariance of the outputs"},
    {"cumulants", 0, OPTION_COUNT, "D", CMD_ESTIMATE | CMD_EXPLAIN, AT(cumulants),
     "also the cumulants of the outputs of degree 3 to D = 3 or 4"},
    {"layers", 0, OPTION_FLAG, NULL, CMD_ESTIMATE | CMD_EXPLAIN, AT(layers),
     "also the mean of every hidden layer"},
    {"truth-samples", 0, OPTION_SIZE, "N", CMD_COMPARE, AT(truth_samples),
     "forward passes for each half of the truth (what 1e12 FLOPs pay for)"},
    {"max-flops", 0, OPTION_REAL, "F", CMD_COMPARE, AT(max_flops),
     "leave out methods that need more FLOPs (2e11)"},
    {"example", 0, OPTION_FLAG, NULL, CMD_COMPARE, AT(example),
     "on a built-in random relu network of 4 hidden layers of width 256"},

    {"activation", 'a', OPTION_TEXT, "NAME", CMD_RANDOM | MODEL, AT(activation),
     "of the hidden layers: relu, gelu, leaky_relu:0.2, ...; or a comma-separated list"},
    {"output-activation", 0, OPTION_TEXT, "NAME", MODEL, AT(output_activation),
     "of the output layer, if --activation names those of the hidden ones (none)"},
    {"layout", 0, OPTION_TEXT, "LAYOUT", MODEL, AT(layout),
     "of matrices in the file: out-in or in-out (as names say: kernel, coefs; else out-in)"},
    {"tensors", 0, OPTION_TEXT, "GLOBS", MODEL, AT(tensors),
     "which tensors are the network: 'actor.*', or what to leave out: '!*.step,!optimizer.*'"},
    {"order", 0, OPTION_TEXT, "GLOBS", MODEL, AT(order),
     "the weights in the order of computation: 'encoder.*,decoder.*' (as names and shapes tell)"},
    {"input-mean", 0, OPTION_READ, "FILE", RUN | TRAINING, AT(input_mean),
     "mean of the input: .npy, .npz or .csv, or a number for all (0)"},
    {"input-cov", 0, OPTION_READ, "FILE", RUN | TRAINING, AT(input_cov),
     "its covariance, or the variances, or one number for all (1)"},
    {"input-data", 0, OPTION_READ, "FILE", RUN | TRAINING, AT(input_data),
     "points, one a row, whose mean and covariance the input has"},
    {"shrinkage", 0, OPTION_TEXT, "S", RUN | TRAINING, AT(shrinkage),
     "of that covariance towards a multiple of the identity: 0 to 1, or auto (0)"},
    {"input-mixture", 0, OPTION_READ, "FILE", RUN, AT(input_mixture),
     "a mixture of normal laws: .npz with weights, means, covariances"},

    {"output", 'o', OPTION_WRITE, "FILE", ANY, AT(output),
     "write the result there instead of to stdout"},
    {"json", 'j', OPTION_FLAG, NULL, ANY, AT(json), "the result as one JSON object, on a line"},
    {"csv", 0, OPTION_WRITE, "FILE", CMD_ESTIMATE | CMD_COMPARE | CMD_TAIL | TRAINING, AT(csv),
     "also write the table, or the learning curve, as CSV"},
    {"plot", 0, OPTION_WRITE, "FILE", CMD_COMPARE | CMD_TAIL, AT(plot),
     "also draw the comparison or the probabilities, .svg, .png or .pdf, with gnuplot"},
    {"all", 0, OPTION_FLAG, NULL, CMD_ESTIMATE | CMD_TAIL, AT(all),
     "print every output or event, however many"},
    {"seed", 's', OPTION_COUNT, "S", CMD_RANDOM | RUN | TRAINING, AT(seed),
     "of all random numbers (0)"},
    {"threads", 't', OPTION_COUNT, "T", RUN | TRAINING, AT(threads), "threads (one per processor)"},
    {"memory", 0, OPTION_BYTES, "BYTES", RUN | TRAINING, AT(memory),
     "refuse what needs more memory, e.g. 8G (the machine's)"},
    {"quiet", 'q', OPTION_FLAG, NULL, ANY, AT(quiet), "only results and errors"},
    {"help", 'h', OPTION_FLAG, NULL, ANY | CMD_COMPLETION | CMD_HELP, AT(help), "this help"},
    {NULL, 0, OPTION_FLAG, NULL, 0, 0, NULL},
};

void options_print_help(FILE *stream, unsigned bit) {
    for (const option_row *row = option_table; row->name; row++) {
        if (!(row->commands & bit)) continue;
        char left[40], letter[8] = "    ";
        if (row->letter) snprintf(letter, sizeof letter, "-%c, ", row->letter);
        snprintf(left, sizeof left, "%s--%s%s%s", letter, row->name, row->argument ? " " : "",
                 row->argument ? row->argument : "");
        fprintf(stream, "  %-26s %s\n", left, row->help);
    }
}

/* ------------------------------------------------------------------------------- suggestions */

/* Levenshtein distance; names are short. */
static size_t distance(const char *a, const char *b) {
    enum { MAX = 40 };
    size_t n = strlen(b), row[MAX + 1];
    if (n > MAX) return MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 1; j <= n; j++) {
            size_t best = diagonal + (a[i] != b[j - 1]);
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[n];
}

const char *suggest(const char *typed, const char *(*name_at)(unsigned context, size_t index),
                    unsigned context, const char *dashes, char buffer[80]) {
    const char *best = NULL;
    size_t best_distance = strlen(typed) / 3 + 2; /* further away is no help */
    const char *name;
    for (size_t i = 0; (name = name_at(context, i)); i++) {
        size_t d = strncmp(name, typed, strlen(typed)) == 0 ? 0 : distance(typed, name);
        if (d < best_distance) {
            best = name;
            best_distance = d;
        }
    }
    buffer[0] = 0;
    if (best) snprintf(buffer, 80, "; did you mean '%s%s'?", dashes, best);
    return buffer;
}

static const char *option_name_at(unsigned bit, size_t index) {
    for (const option_row *row = option_table; row->name; row++)
        if (row->commands & bit && index-- == 0) return row->name;
    return NULL;
}

/* ------------------------------------------------------------------------------------ values */

static bool parse_real(const char *text, const char **end, double *out) {
    errno = 0;
    char *stop;
    *out = strtod(text, &stop);
    *end = stop;
    return stop != text && errno != ERANGE && isfinite(*out);
}

/* Non-negative integers; 1e5 is one. Above 2^53 only plain digits are exact. */
static bool parse_count(const char *text, uint64_t *out) {
    if (!isdigit((unsigned char)*text)) return false;
    errno = 0;
    char *stop;
    unsigned long long exact = strtoull(text, &stop, 10);
    if (*stop == 0) {
        *out = exact;
        return errno != ERANGE;
    }
    const char *end;
    double real;
    if (!parse_real(text, &end, &real) || *end || real > 0x1p53 || real != floor(real))
        return false;
    *out = (uint64_t)real;
    return true;
}

static bool parse_bytes(const char *text, uint64_t *out) {
    static const char prefixes[] = "KMGT";
    const char *end;
    double real;
    if (!isdigit((unsigned char)*text) || !parse_real(text, &end, &real)) return false;
    const char *prefix = *end ? strchr(prefixes, toupper((unsigned char)*end)) : NULL;
    if (prefix) {
        bool binary = end[1] == 'i';
        real *= pow(binary ? 1024 : 1000, (double)(prefix - prefixes + 1));
        end += binary ? 2 : 1;
    }
    if (*end == 'B') end++;
    if (*end || real >= 0x1p63) return false;
    *out = (uint64_t)real;
    return true;
}

/* 1e10flop or 1e10flops, 2s. */
static bool parse_budget(const char *text, double budget[2]) {
    const char *unit;
    double real;
    if (!isdigit((unsigned char)*text) || !parse_real(text, &unit, &real) || !(real > 0))
        return false;
    bool seconds = !strcmp(unit, "s");
    if (!seconds && strcmp(unit, "flop") != 0 && strcmp(unit, "flops") != 0) return false;
    budget[seconds] = real;
    return true;
}

size_t parse_sizes(const char *text, size_t *sizes, size_t max) {
    size_t n = 0;
    for (;;) {
        char *end;
        if (n == max || !isdigit((unsigned char)*text)) return 0;
        errno = 0;
        sizes[n++] = strtoul(text, &end, 10);
        if (errno == ERANGE || (*end && *end != ',')) return 0;
        if (*end == 0) return n;
        text = end + 1;
    }
}

/* Stores one value; returns what it should have been if it is none, NULL if all is well. */
static const char *store(options *opts, const option_row *row, const char *value) {
    void *member = (char *)opts + row->offset;
    const char *end;
    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)member = true;
        return NULL;
    case OPTION_TEXT:
    case OPTION_READ:
    case OPTION_WRITE:
        *(const char **)member = value;
        return NULL;
    case OPTION_METHOD:
        if (opts->n_methods == MAX_METHODS) return "given less often";
        opts->methods[opts->n_methods++] = value;
        return NULL;
    case OPTION_COUNT:
        return parse_count(value, member) ? NULL : "a whole number such as 1000 or 1e5";
    case OPTION_SIZE:
        return parse_count(value, member) && *(uint64_t *)member > 0
                   ? NULL
                   : "a whole number from 1 on such as 1000 or 1e5";
    case OPTION_BYTES:
        return parse_bytes(value, member) ? NULL : "a number of bytes such as 8G or 512Mi";
    case OPTION_BUDGET:
        return parse_budget(value, member) ? NULL : "FLOPs such as 1e10flop, or seconds such as 2s";
    case OPTION_REAL:
        return parse_real(value, &end, member) && !*end && *(double *)member > 0
                   ? NULL
                   : "a positive number such as 1e12";
    }
    return "something else";
}

/* ------------------------------------------------------------------------------------ parsing */

/* Finds the row a word such as --name, --name=value or -n stands for; *value is what follows '='
 * (or the letter), else NULL. */
static const option_row *find(const char *word, unsigned bit, const char **value) {
    bool is_long = word[1] == '-';
    const char *name = word + (is_long ? 2 : 1);
    size_t length = is_long ? strcspn(name, "=") : 1;
    for (const option_row *row = option_table; row->name; row++) {
        bool match = is_long ? strlen(row->name) == length && !strncmp(row->name, name, length)
                             : row->letter == *name;
        if (!match || !(row->commands & bit)) continue;
        *value = name[length] == 0 ? NULL : name + length + (is_long ? 1 : 0);
        return row;
    }
    return NULL;
}

int options_parse(options *out, unsigned bit, const char *command_name, size_t max_operands,
                  int argc, char **argv) {
    *out = (options){.operands = argv,
                     .samples = 100000,
                     .receipt = UINT64_MAX,
                     .max_flops = 2e11,
                     .checkpoint = 60};
    bool only_operands = false;
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        if (!only_operands && !strcmp(word, "--")) {
            only_operands = true;
        } else if (only_operands || word[0] != '-' || !strcmp(word, "-")) {
            if (out->n_operands == max_operands)
                return fail(EXIT_USAGE, "%s: unexpected argument '%s'", command_name, word);
            out->operands[out->n_operands++] = argv[i];
        } else {
            const char *value;
            const option_row *row = find(word, bit, &value);
            if (!row) {
                char typed[48], near[80];
                snprintf(typed, sizeof typed, "%.*s", (int)strcspn(word, "="), word);
                return fail(EXIT_USAGE, "%s: unknown option '%s'%s", command_name, typed,
                            suggest(typed + strspn(typed, "-"), option_name_at, bit, "--", near));
            }
            if (row->kind == OPTION_FLAG && value)
                return fail(EXIT_USAGE, "%s: --%s takes no value", command_name, row->name);
            if (row->kind != OPTION_FLAG && !value && !(value = argv[++i]))
                return fail(EXIT_USAGE, "%s: --%s needs a value: %s", command_name, row->name,
                            row->argument);
            const char *expected = store(out, row, value);
            if (expected)
                return fail(EXIT_USAGE, "%s: --%s: '%s' should be %s", command_name, row->name,
                            value, expected);
        }
    }
    out->operand = out->n_operands ? out->operands[0] : NULL;
    return 0;
}

/* The command line as data: one table of options serves parsing, help and completion. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { MAX_METHODS = 32 };

/** Everything any command can be told. Strings are borrowed from argv. */
typedef struct options {
    const char *operand; /* model file, shell or command name; NULL if none */
    char **operands;     /* all of them */
    size_t n_operands;

    bool help, json, quiet;
    const char *output, *csv;
    uint64_t seed, threads, memory;

    const char *methods[MAX_METHODS];
    size_t n_methods;
    uint64_t samples, receipt;   /* receipt: UINT64_MAX if it was not given */
    double budget[2], tolerance; /* budget: FLOPs, seconds */
    uint64_t cumulants;
    bool covariance, layers, all;
    const char *activation, *input_mean, *input_cov, *input_data, *input_mixture, *shrinkage;
    const char *output_activation, *layout, *tensors, *order;

    const char *event;
    uint64_t truth_samples; /* 0: not given */
    double max_flops;
    const char *plot;
    bool example;

    const char *keep, *view;
    double keep_loss, factor;
    const char *student, *start, *pairs, *finish, *schedule;
    double rate, checkpoint;
    uint64_t batch;

    uint64_t width, hidden, in, out;
    const char *widths, *init;
    bool residual;
} options;

typedef enum option_kind {
    OPTION_FLAG,   /* bool */
    OPTION_TEXT,   /* const char * */
    OPTION_READ,   /* the same: a file that is read */
    OPTION_WRITE,  /* the same: a file that is written */
    OPTION_METHOD, /* appended to methods */
    OPTION_COUNT,  /* uint64_t: 100000, 1e5 */
    OPTION_SIZE,   /* uint64_t, not 0 */
    OPTION_BYTES,  /* uint64_t: 8e9, 8G, 8Gi */
    OPTION_BUDGET, /* double[2]: 1e10flop into the first, 2s into the second */
    OPTION_REAL    /* double */
} option_kind;

typedef struct option_row {
    const char *name; /* without the dashes */
    char letter;      /* short form, or 0 */
    option_kind kind;
    const char *argument; /* what help calls the value, or NULL */
    unsigned commands;    /* which commands take it */
    size_t offset;        /* of the member of `options` */
    const char *help;
} option_row;

/** Ends with a row whose name is NULL. */
extern const option_row option_table[];

/** Parses the words after the command's name, at most `max_operands` of which are operands: they
 * are moved to the front of argv. Returns 0, or an exit code after explaining on stderr what is
 * wrong. */
int options_parse(options *out, unsigned bit, const char *command_name, size_t max_operands,
                  int argc, char **argv);

/** One line an option, for those the command with this bit takes. */
void options_print_help(FILE *stream, unsigned bit);

/** "; did you mean '--x'?" for the nearest of the names x = name_at(context, i), NULL past the end,
 *  with `dashes` before it; "" if nothing is near. */
const char *suggest(const char *typed, const char *(*name_at)(unsigned context, size_t index),
                    unsigned context, const char *dashes, char buffer[80]);

/** "784,256,10" into sizes; returns how many, 0 if it is not such a list or has more than max. */
size_t parse_sizes(const char *text, size_t *sizes, size_t max);

#endif

/* What distilling and training have in common: watching the run, and what is said of it. */
#ifndef CLI_TRAINING_H
#define CLI_TRAINING_H

#include <stdio.h>

#include "json.h"
#include "options.h"
#include "progress.h"

/** Before hours of work: whether a model file can be written there. Returns 0 or an exit code. */
int check_model_output(const char *path);

/** A word out of a list, of an option. */
typedef struct choice {
    const char *option, *words[5];
} choice;

/** Which of the words `text` is; NULL is the first. Returns 0 or an exit code. */
int parse_choice(const choice *c, const char *text, int *out);

/** "first", "completed", "completed:1" .. "completed:4", "exact"; NULL leaves both as they are.
 *  Returns 0 or an exit code. */
int parse_pairs(const char *text, rk_pair_closure *pairs, int *order);

/** Watches a training run: a bar with the loss, and Ctrl-C. */
typedef struct training {
    progress bar;
    const char *label;
    char text[160]; /* what the bar says now */
} training;

/** To be given to the run as its progress function, with a training as context. */
bool training_watch(void *context, const rk_train_point *now, double fraction);

void training_begin(training *t, const char *label);
void training_end(training *t);

/** A line a phase: steps, FLOPs, seconds, the loss where it ended, relative to `unit`. */
void print_phases(FILE *stream, const rk_train_point *curve, size_t n, double unit);

/** [{"phase", "step", "loss", "flops", "seconds"}, ...]. */
json_t *json_curve(json_document *doc, const rk_train_point *curve, size_t n);

/** The same as CSV with a head. */
void print_curve_csv(FILE *stream, const rk_train_point *curve, size_t n);

#endif

/* What distilling and training have in common: watching the run, and what is said of it. */
#ifndef CLI_TRAINING_H
#define CLI_TRAINING_H

#include <stdio.h>

#include "json.h"
#include "options.h"
#include "progress.h"

/** Of a file's name, which is longer. */
bool ends_with(const char *text, const char *ending);

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

/** Watches a training run: a bar with the loss, and Ctrl-C, which ends the steps and a second time
 *  the receipts. And writes what is best so far. */
typedef struct training {
    progress bar;
    const char *label;
    char text[160];     /* what the bar says now */
    int heard;          /* interrupts */
    const char *output; /* the file for what is best so far */
    const char *origin; /* what that will say of itself; borrowed */
    bool has_failed;    /* to write it: that is said once */
} training;

/** To be given to the run as its progress function, with a training as context. */
bool training_watch(void *context, const rk_train_point *now, double fraction);

/** Likewise as its checkpoint function: writes the network to `output`. */
void training_keep(void *context, const rk_network *best, const rk_train_point *now);

/** `label`: the command. Catches Ctrl-C from now on. */
void training_begin(training *t, const char *label, const char *output, const char *origin);
void training_end(training *t);

/** A line a phase: steps, FLOPs, seconds, the loss where it ended, relative to `unit`. */
void print_phases(FILE *stream, const rk_train_point *curve, size_t n, double unit);

/** [{"phase", "step", "loss", "flops", "seconds"}, ...]. */
json_t *json_curve(json_document *doc, const rk_train_point *curve, size_t n);

/** The same as CSV with a head. */
void print_curve_csv(FILE *stream, const rk_train_point *curve, size_t n);

#endif

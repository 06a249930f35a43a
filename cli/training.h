/* What distilling and training have in common: watching the run, and what is said of it. */
#ifndef CLI_TRAINING_H
#define CLI_TRAINING_H

#include <stdio.h>

#include "json.h"
#include "progress.h"

/** Watches a training run: a bar with the loss, and Ctrl-C. */
typedef struct training {
    progress bar;
    const char *label;
    char text[80]; /* what the bar says now */
    double unit;   /* of losses; 0: as they are */
} training;

/** To be given to the run as its progress function, with a training as context. */
bool training_watch(void *context, const rk_train_point *now, double fraction);

/** `unit`: what losses are shown relative to. */
void training_begin(training *t, const char *label, double unit);
void training_end(training *t);

/** A line a phase: steps, FLOPs, seconds, the loss where it ended, relative to `unit`. */
void print_phases(FILE *stream, const rk_train_point *curve, size_t n, double unit);

/** [{"phase", "step", "loss", "flops", "seconds"}, ...]. */
json_t *json_curve(json_document *doc, const rk_train_point *curve, size_t n);

/** The same as CSV with a head. */
void print_curve_csv(FILE *stream, const rk_train_point *curve, size_t n);

#endif

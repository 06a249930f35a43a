/* Watches a run: a bar on stderr if a person would see it and wait for it, and Ctrl-C. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "reckon/reckon.h"

typedef struct progress {
    const char *label;
    double start;      /* seconds */
    double last_drawn; /* seconds; 0: never */
    bool visible;      /* stderr is a terminal and the user wants notes */
} progress;

/** Makes `run` report to `p`, which must live until progress_end. */
void progress_begin(progress *p, const char *label, rk_options *run);

/** Without a run: what shows it calls progress_show. */
progress progress_start(const char *label);
/** Draws the bar now and then. False after Ctrl-C: stop. */
bool progress_show(progress *p, double fraction);

/** Wipes the bar. */
void progress_end(progress *p);

/** Monotonic seconds. */
double now(void);

#endif

/* One answer as JSON, for people, and as a table. */
#ifndef CLI_ESTIMATE_H
#define CLI_ESTIMATE_H

#include <stdio.h>

#include "model.h"
#include "options.h"

typedef struct estimate {
    const options *opts;
    model model;
    rk_options run;
    const rk_answer_data *answer;
} estimate;

/** Printers of an estimate, see output.h. */
int estimate_print_json(const void *result, FILE *stream);
int estimate_print_human(const void *result, FILE *stream);
int estimate_print_csv(const void *result, FILE *stream);

#endif

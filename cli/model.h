/* What a run is about: the network and the law of its input, as the options name them. */
#ifndef CLI_MODEL_H
#define CLI_MODEL_H

#include "options.h"
#include "reckon/reckon.h"

typedef struct model {
    const char *name; /* for people */
    rk_network *net;
    rk_input_law *law; /* NULL: the standard normal */
    rk_input input;    /* borrowed from it */
} model;

/** The network at `path`, or the built-in example, with the law of the options. Returns 0, or an
 * exit code after saying on stderr what is wrong; then there is nothing to free. */
int model_load_from(model *out, const options *opts, const char *path);
/** The same for the first operand. */
int model_load(model *out, const options *opts);
void model_free(model *m);

/** True if every layer has weights, reads the one before and adds nothing. */
bool model_is_plain(const rk_network *net);

/** "784-256x3-10 relu": widths from input to output and the hidden activations. */
const char *model_summary(const rk_network *net, char buffer[256]);

/** The method given, "auto" if there is none: the first of several. */
const char *model_method(const options *opts);

/** The run the options ask for, but its method. Returns 0 or an exit code. */
int model_run_options(rk_options *out, const options *opts);

/** The same with the only method given, kept in `method`, or the default. */
int model_run_method(rk_options *out, rk_method_spec *method, const options *opts);

/** rk_estimate under a progress bar called `label` that Ctrl-C can stop. */
rk_status model_estimate(const model *m, const rk_options *run, const char *label,
                         rk_answer **answer, rk_error *error);
/** The same for many. */
rk_status model_estimate_many(rk_job *jobs, size_t n, const rk_options *run, const char *label,
                              rk_error *error);

#endif

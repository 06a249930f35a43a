/* Results go to stdout or, whole or not at all, to a file. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdio.h>

#include "options.h"

/** Prints `result` to `stream`; returns 0 or an exit code. */
typedef int printer(const void *result, FILE *stream);

/** Prints to the file at `path`, or to stdout if it is NULL or "-"; a pipe or device is written in
 *  place, any other file appears whole or not at all. Returns 0, or an exit code after saying on
 *  stderr what went wrong. */
int output_print(const char *path, printer *print, const void *result);

/** The result of a command where the options want it, in the form they want. */
int output_result(const options *opts, printer *human, printer *json, const void *result);

#endif

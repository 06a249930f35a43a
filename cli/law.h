/* The law of the input, as the options give it. */
#ifndef CLI_LAW_H
#define CLI_LAW_H

#include "options.h"
#include "reckon/reckon.h"

/** For a network of `n_in` inputs; *out NULL: the standard normal. Returns 0, or an exit code after
 *  saying on stderr what is wrong. Destroy it with rk_input_law_destroy. */
int law_load(rk_input_law **out, const options *opts, size_t n_in);

#endif

/* What outlives a call and is shared by several: threads, memory, what was measured. Options
 * without a context are served as well, from means of their own. */
#ifndef RK_ESTIMATE_CONTEXT_H
#define RK_ESTIMATE_CONTEXT_H

#include "base/pool.h"

/** Lets the context bound threads and memory_limit, which then are known: no 0. */
void rk_context_settle(rk_options *options);

/** A pool of options->threads for one run. */
rk_status rk_context_pool(rk_pool **out, const rk_options *options, rk_error *error);

/** Waits, reporting progress, until so many bytes fit beside those of other runs; without a context
 *  they do. RK_ERROR_INTERRUPTED. Whoever holds some must not claim more. */
rk_status rk_context_claim(const rk_options *options, uint64_t bytes, rk_error *error);
void rk_context_release(const rk_options *options, uint64_t bytes);

/** FLOPs a second of a double product over options->threads, measured for 4 ms, of a context only
 *  once; NaN if there is no memory for it. */
double rk_context_speed(const rk_options *options);

#endif

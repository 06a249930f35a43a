/* A function over rk_work, run dry and then wet. */
#ifndef TEST_WET_H
#define TEST_WET_H

#include "base/work.h"

/** Runs it on `threads` threads with a serial BLAS; what it charges and its peak are the same both
 *  times, or the running test fails. Returns the FLOPs. */
uint64_t run_wet(void (*function)(rk_work *work, void *context), void *context, int threads);

#endif

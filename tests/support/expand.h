/* rk_tower_expand with a plan of its own. */
#ifndef TESTS_SUPPORT_EXPAND_H
#define TESTS_SUPPORT_EXPAND_H

#include "cumulant/expand.h"

/** `dense` has n^d entries; `threads` at a time. */
void expand_tower(const rk_tower *tower, int d, int threads, double *dense);

#endif

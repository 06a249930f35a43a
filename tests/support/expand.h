/* Cumulants written out in full, straight from their definition. */
#ifndef TEST_EXPAND_H
#define TEST_EXPAND_H

#include "cumulant/tower.h"

/** Entry of Sym(core x M^radial): the average over all ways to pair up legs. Slow. */
double expand_entry(const rk_tower *tower, int d, const size_t *index);

/** All n^d entries, row-major; free with free(). */
double *expand(const rk_tower *tower, int d);

#endif

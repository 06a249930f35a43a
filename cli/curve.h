/* The probability against the threshold, as a figure. */
#ifndef CLI_CURVE_H
#define CLI_CURVE_H

#include "reckon/reckon.h"

/** Events that differ in their threshold only become one curve with its 95 % band, and what the
 *  cumulants say as a dashed line; names stand beside the picture. If no two do, each is a point
 * with its interval. Draws to `path`, see gnuplot.h. Returns 0 or an exit code. */
int curve_write(const char *title, const rk_event *events, const rk_tail_estimate *estimates,
                size_t n, const char *path);

#endif

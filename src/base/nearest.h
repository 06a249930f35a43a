/* Which of the known names somebody may have meant. */
#ifndef RK_BASE_NEAREST_H
#define RK_BASE_NEAREST_H

#include <stddef.h>

/** The name nearest to `typed` among `n` names of at most 40 bytes, by the letters to be changed,
 *  case aside; NULL if more than `most` are, or more than a third of them and one. */
const char *rk_nearest(const char *typed, const char *const *names, size_t n, size_t most);

#endif

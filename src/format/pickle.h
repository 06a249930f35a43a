/* Python's pickles, protocols 2 to 5, as a tree of what they say: nothing is imported, called or
 * built. */
#ifndef RK_FORMAT_PICKLE_H
#define RK_FORMAT_PICKLE_H

#include "format/pickle_tree.h"

/** Reads the pickle at the beginning of `bytes` (at most RK_PICKLE_MAX, which must outlive it).
 *  RK_ERROR_FORMAT with the place for what is damaged, or protocol 0. Time and memory are linear in
 *  the size; there is no recursion. Free with rk_pickle_destroy, even if it fails. */
rk_status rk_pickle_read(rk_pickle *out, const unsigned char *bytes, size_t size, rk_error *error);

#endif

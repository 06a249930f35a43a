/* Methods as text: the only place that compares it. */
#ifndef RK_ESTIMATE_WORDS_H
#define RK_ESTIMATE_WORDS_H

#include "base/status.h"
#include "reckon/reckon.h"

/** What to say where rk_read_sized fails: of a structure's name, its size and its size here. */
#define RK_SIZE_IS_NONE                                                                            \
    "%s.size is %zu: it is less than the %zu bytes it has here, or what is beyond them is set"

/** `own` becomes what is asked for, every field of it; NULL: RK_AUTO. RK_ERROR_ARGUMENT names what
 *  the method does not take. */
rk_status rk_method_accept(rk_method_spec *own, const rk_method_spec *asked, rk_error *error);

/** `own` becomes the options that are asked for; NULL: the defaults. RK_ERROR_ARGUMENT if their
 * size is none. */
rk_status rk_options_accept(rk_options *own, const rk_options *asked, rk_error *error);

/** The entry of a list of methods (NULL past the end) that `text` begins with, up to `length`;
 *  otherwise RK_ERROR_ARGUMENT with the names there are, after `there` ("there"). */
rk_status rk_method_find(const rk_method_info *(*at)(size_t index), const char *text, size_t length,
                         const char *there, size_t *index, rk_error *error);

#endif

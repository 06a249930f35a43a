/* The methods for rare events, behind one table. */
#ifndef RK_TAIL_METHOD_H
#define RK_TAIL_METHOD_H

#include "tail/job.h"

typedef struct rk_tail_method {
    rk_method_info info;
    const char *closure; /* the default after "name:"; NULL: the method takes none */
    rk_status (*run)(rk_tail_job *job, rk_error *error);
} rk_tail_method;

enum { RK_TAIL_METHOD_SIZE = 128 };

/** Finds "name[:closure]"; `canonical` receives it spelled out. */
rk_status rk_tail_method_parse(const char *text, const rk_tail_method **method,
                               rk_law_source *source, char canonical[RK_TAIL_METHOD_SIZE],
                               rk_error *error);

#endif

/* A direction in which a subject changes, and room for what its answer then does. */
#ifndef RK_SUPPORT_DIRECTION_H
#define RK_SUPPORT_DIRECTION_H

#include "support/subject.h"

/** As large as what changes: rows, biases and the input's law keep their scales. */
rk_derivatives *subject_direction(const subject *s, const rk_network *net);

typedef struct changes {
    rk_tangents to;
    double **hidden;
    size_t n_hidden;
} changes;

changes changes_of(const subject *s);
void changes_release(changes *c);

#endif

/* Nothing that is read is written, and nothing is written twice. */
#ifndef CLI_COLLISION_H
#define CLI_COLLISION_H

#include "options.h"

/** Refuses an output that is the model, its side-car, another file that the options have read, or
 *  another output, under whatever name. Returns 0, or an exit code after naming both on stderr. */
int collision_check(const options *opts);

#endif

/* Ctrl-C once: stop and answer with what there is. Twice: die. */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include <stdbool.h>

/** From now on the first SIGINT is only remembered; the second one kills. */
void interrupt_catch(void);

bool interrupted(void);

#endif

/* Ctrl-C: stop and answer with what there is. Once too often: die. */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include <stdbool.h>

/** From now on so many SIGINTs are only counted; the next one kills. */
void interrupt_catch(int most);

/** How many there were. */
int interrupts(void);

bool interrupted(void);

#endif

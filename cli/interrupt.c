#include "interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t caught;

static void remember(int signal) {
    (void)signal;
    caught = 1;
}

void interrupt_catch(void) {
    struct sigaction previous;
    if (sigaction(SIGINT, NULL, &previous) == 0 && previous.sa_handler == SIG_IGN)
        return; /* started in the background of a script: stay immune */
    struct sigaction action = {.sa_handler = remember,
                               .sa_flags = (int)(SA_RESETHAND | SA_RESTART)};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

bool interrupted(void) {
    return caught != 0;
}

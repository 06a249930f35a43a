#include "interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t caught, allowed;

static void listen(void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

static void count(int signal) {
    (void)signal;
    caught = caught + 1;
    if (caught >= allowed) listen(SIG_DFL);
}

void interrupt_catch(int most) {
    struct sigaction previous;
    if (sigaction(SIGINT, NULL, &previous) == 0 && previous.sa_handler == SIG_IGN)
        return; /* started in the background of a script: stay immune */
    allowed = most;
    listen(count);
}

int interrupts(void) {
    return caught;
}

bool interrupted(void) {
    return caught != 0;
}

#include "progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "interrupt.h"
#include "message.h"

static const double patience = 0.7; /* seconds before a bar appears */
static const double refresh = 0.1;

double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void draw(const progress *p, double fraction, double elapsed) {
    enum { WIDTH = 30 };
    int filled = (int)(fraction * WIDTH);
    char bar[WIDTH + 1];
    for (int i = 0; i < WIDTH; i++)
        bar[i] = i < filled ? '#' : '.';
    bar[WIDTH] = 0;
    fprintf(stderr, "\r%s [%s] %3.0f%%", p->label, bar, 100 * fraction);
    if (fraction > 0) fprintf(stderr, "  %.0f s left", elapsed * (1 - fraction) / fraction);
    fputs("\033[K", stderr);
    fflush(stderr);
}

bool progress_show(progress *p, double fraction) {
    double time = now();
    if (p->visible && time - p->start > patience && time - p->last_drawn > refresh) {
        draw(p, fraction, time - p->start);
        p->last_drawn = time;
    }
    return !interrupted();
}

static bool on_progress(void *context, double fraction) {
    return progress_show(context, fraction);
}

progress progress_start(const char *label) {
    return (progress){
        .label = label, .start = now(), .visible = isatty(STDERR_FILENO) && !message_is_quiet()};
}

void progress_begin(progress *p, const char *label, rk_options *run) {
    *p = progress_start(label);
    run->progress = on_progress;
    run->progress_context = p;
}

void progress_end(progress *p) {
    if (p->last_drawn > 0) fputs("\r\033[K", stderr);
}

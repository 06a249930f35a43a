#include "train/modes.h"

#include "base/size.h"
#include "linalg/blas.h"
#include "propagate/back.h"
#include "tail/log_probability.h"

#include <math.h>
#include <stdlib.h>

/* Starts: how far out, and along how many directions of curvature. */
#define FAR 3.0
enum { CURVED = (RK_MAX_MODES - 3) / 2 };

/* Two tilts nearer than this part of the likelier one's length are one. */
#define DISTINCT 0.5

/* Less likely than the best by exp of this, they do not count. */
#define NATS 6.0

rk_status rk_modes_create(rk_modes *out, size_t n, rk_error *error) {
    size_t one = 0, room = 0;
    *out = (rk_modes){.count = 0};
    bool fits = rk_size_mul(n, n + 1, &one) && rk_size_mul(one, RK_MAX_MODES, &room);
    out->storage = fits ? rk_alloc(room, 1, sizeof *out->storage) : NULL;
    if (!out->storage) return rk_fail(error, RK_ERROR_MEMORY, "no memory for tilts");
    for (size_t m = 0; m < RK_MAX_MODES; m++)
        out->mode[m] =
            (rk_mode){.mu = out->storage + m * one, .S = out->storage + m * one + n};
    return RK_OK;
}

void rk_modes_free(rk_modes *modes) {
    free(modes->storage);
    *modes = (rk_modes){.count = 0};
}

static double distance(size_t n, const double *a, const double *b) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (a[i] - (b ? b[i] : 0)) * (a[i] - (b ? b[i] : 0));
    return sqrt(sum);
}

static int by_exponent(const void *a, const void *b) {
    const double x = ((const rk_mode *)a)->exponent, y = ((const rk_mode *)b)->exponent;
    return (x > y) - (x < y);
}

static bool is_new(const rk_modes *modes, size_t count, const rk_mode *tilt, size_t n) {
    for (size_t m = 0; m < count; m++)
        if (!(distance(n, tilt->mu, modes->mode[m].mu) >
              DISTINCT * distance(n, modes->mode[m].mu, NULL)))
            return false;
    return true;
}

/* The likeliest first, then those that are new and count; the room of the others stays behind. */
static void choose(rk_modes *modes, size_t found, size_t n) {
    size_t kept = 0;
    for (size_t m = 0; m < found; m++) /* what is not finite compares as nothing does */
        if (!isfinite(modes->mode[m].exponent)) modes->mode[m].exponent = INFINITY;
    qsort(modes->mode, found, sizeof *modes->mode, by_exponent);
    for (size_t m = 0; m < found; m++) {
        const rk_mode tilt = modes->mode[m];
        if (!(tilt.exponent < modes->mode[0].exponent + NATS) || !is_new(modes, kept, &tilt, n))
            continue;
        modes->mode[m] = modes->mode[kept];
        modes->mode[kept++] = tilt;
    }
    modes->count = kept;
}

static bool go_on(rk_work *work, const rk_event_scene *scene, int rounds, rk_mode *tilt,
                  rk_surrogate *q) {
    bool ok = true;
    for (int round = 0; round < rounds && ok; round++)
        ok = rk_mode_round(work, scene, tilt, q);
    rk_mode_look(work, scene, tilt);
    if (!ok) tilt->exponent = INFINITY;
    return ok;
}

/* mu = distance along a direction. */
static void start_at(rk_work *work, size_t n, double far, const double *direction, rk_mode *tilt) {
    tilt->moved = false;
    tilt->lambda = 0;
    if (!rk_work_charge(work, 3 * n)) return;
    const double length = distance(n, direction, NULL);
    for (size_t i = 0; i < n; i++)
        tilt->mu[i] = length > 0 ? far * direction[i] / length : 0;
}

void rk_modes_find(rk_work *work, const rk_event_scene *scene, int rounds, rk_modes *modes) {
    const size_t mark = rk_work_mark(work), n = scene->event->n;
    const size_t curved = n < CURVED ? n : CURVED;
    rk_surrogate first = rk_surrogate_take(work, n), later = rk_surrogate_take(work, n);
    double *slope = rk_work_doubles(work, n, 1);
    rk_mode *centre = &modes->mode[0];
    size_t found = 1;
    centre->moved = false;
    rk_set(work, n, NULL, centre->mu);
    bool ok = rk_mode_round(work, scene, centre, &first);
    rk_gemm(work, RK_TRANS, RK_NO_TRANS, n, 1, n, 1, first.axes, n, first.slope, 1, 0, slope, 1);
    for (size_t k = 0; ok && k <= curved; k++) {
        const double *direction = k == 0 ? slope : first.axes + (n - k) * n;
        for (int side = -1; side <= 1; side += 2, found++) {
            start_at(work, n, side * FAR, direction, &modes->mode[found]);
            go_on(work, scene, rounds, &modes->mode[found], &later);
        }
    }
    if (ok) go_on(work, scene, rounds - 1, centre, &later);
    if (rk_work_charge(work, 2 * (uint64_t)found * found * n)) choose(modes, ok ? found : 0, n);
    rk_work_release(work, mark);
}

void rk_modes_follow(rk_work *work, const rk_event_scene *scene, rk_modes *modes) {
    const size_t mark = rk_work_mark(work), n = scene->event->n, count = modes->count;
    rk_surrogate q = rk_surrogate_take(work, n);
    for (size_t m = 0; m < count; m++)
        go_on(work, scene, 1, &modes->mode[m], &q);
    if (rk_work_charge(work, 2 * (uint64_t)count * count * n)) choose(modes, count, n);
    rk_work_release(work, mark);
}

double rk_modes_gradient(rk_work *work, const rk_event_scene *scene, const rk_modes *modes,
                         double weight, const rk_adjoint *to) {
    double log_p = -INFINITY;
    for (size_t m = 0; m < modes->count; m++)
        log_p = rk_log_add(log_p, -modes->mode[m].exponent);
    for (size_t m = 0; m < modes->count; m++)
        rk_mode_back(work, scene, &modes->mode[m],
                     weight * exp(-modes->mode[m].exponent - log_p), to);
    return log_p;
}

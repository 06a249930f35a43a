#include "train/tilts.h"

#include "base/size.h"
#include "linalg/blas.h"
#include "propagate/back.h"
#include "tail/log_probability.h"

#include <math.h>
#include <stdlib.h>

/* Starts: how far out, and along how many directions of curvature. */
#define FAR 3.0
enum { CURVED = (RK_MAX_TILTS - 3) / 2 };

/* Two tilts nearer than this part of the likelier one's length are one. */
#define DISTINCT 0.5

/* Less likely than the best by exp of this, they do not count. */
#define NATS 6.0

rk_status rk_tilts_create(rk_tilts *out, size_t n, rk_error *error) {
    size_t one = 0, room = 0;
    *out = (rk_tilts){.count = 0};
    bool fits = rk_size_mul(n, n + 1, &one) && rk_size_mul(one, RK_MAX_TILTS, &room);
    out->storage = fits ? rk_alloc(room, 1, sizeof *out->storage) : NULL;
    if (!out->storage) return rk_fail(error, RK_ERROR_MEMORY, "no memory for tilts");
    for (size_t m = 0; m < RK_MAX_TILTS; m++)
        out->tilt[m] =
            (rk_tilt){.mu = out->storage + m * one, .S = out->storage + m * one + n};
    return RK_OK;
}

void rk_tilts_free(rk_tilts *tilts) {
    free(tilts->storage);
    *tilts = (rk_tilts){.count = 0};
}

static double distance(size_t n, const double *a, const double *b) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (a[i] - (b ? b[i] : 0)) * (a[i] - (b ? b[i] : 0));
    return sqrt(sum);
}

static int by_exponent(const void *a, const void *b) {
    const double x = ((const rk_tilt *)a)->exponent, y = ((const rk_tilt *)b)->exponent;
    return (x > y) - (x < y);
}

static bool is_new(const rk_tilts *tilts, size_t count, const rk_tilt *tilt, size_t n) {
    for (size_t m = 0; m < count; m++)
        if (!(distance(n, tilt->mu, tilts->tilt[m].mu) >
              DISTINCT * distance(n, tilts->tilt[m].mu, NULL)))
            return false;
    return true;
}

/* The likeliest first, then those that are new and count; the room of the others stays behind. */
static void choose(rk_tilts *tilts, size_t found, size_t n) {
    size_t kept = 0;
    for (size_t m = 0; m < found; m++) /* what is not finite compares as nothing does */
        if (!isfinite(tilts->tilt[m].exponent)) tilts->tilt[m].exponent = INFINITY;
    qsort(tilts->tilt, found, sizeof *tilts->tilt, by_exponent);
    for (size_t m = 0; m < found; m++) {
        const rk_tilt tilt = tilts->tilt[m];
        if (!(tilt.exponent < tilts->tilt[0].exponent + NATS) || !is_new(tilts, kept, &tilt, n))
            continue;
        tilts->tilt[m] = tilts->tilt[kept];
        tilts->tilt[kept++] = tilt;
    }
    tilts->count = kept;
}

static bool go_on(rk_work *work, const rk_tilt_scene *scene, int rounds, rk_tilt *tilt,
                  rk_surrogate *q) {
    bool ok = true;
    for (int round = 0; round < rounds && ok; round++)
        ok = rk_tilt_round(work, scene, tilt, q);
    rk_tilt_look(work, scene, tilt);
    if (!ok) tilt->exponent = INFINITY;
    return ok;
}

/* mu = distance along a direction. */
static void start_at(rk_work *work, size_t n, double far, const double *direction, rk_tilt *tilt) {
    tilt->moved = false;
    tilt->lambda = 0;
    if (!rk_work_charge(work, 3 * n)) return;
    const double length = distance(n, direction, NULL);
    for (size_t i = 0; i < n; i++)
        tilt->mu[i] = length > 0 ? far * direction[i] / length : 0;
}

void rk_tilts_find(rk_work *work, const rk_tilt_scene *scene, int rounds, rk_tilts *tilts) {
    const size_t mark = rk_work_mark(work), n = scene->event->n;
    const size_t curved = n < CURVED ? n : CURVED;
    rk_surrogate first = rk_surrogate_take(work, n), later = rk_surrogate_take(work, n);
    double *slope = rk_work_doubles(work, n, 1);
    rk_tilt *centre = &tilts->tilt[0];
    size_t found = 1;
    centre->moved = false;
    rk_set(work, n, NULL, centre->mu);
    bool ok = rk_tilt_round(work, scene, centre, &first);
    rk_gemm(work, RK_TRANS, RK_NO_TRANS, n, 1, n, 1, first.axes, n, first.slope, 1, 0, slope, 1);
    for (size_t k = 0; ok && k <= curved; k++) {
        const double *direction = k == 0 ? slope : first.axes + (n - k) * n;
        for (int side = -1; side <= 1; side += 2, found++) {
            start_at(work, n, side * FAR, direction, &tilts->tilt[found]);
            go_on(work, scene, rounds, &tilts->tilt[found], &later);
        }
    }
    if (ok) go_on(work, scene, rounds - 1, centre, &later);
    if (rk_work_charge(work, 2 * (uint64_t)found * found * n)) choose(tilts, ok ? found : 0, n);
    rk_work_release(work, mark);
}

void rk_tilts_follow(rk_work *work, const rk_tilt_scene *scene, rk_tilts *tilts) {
    const size_t mark = rk_work_mark(work), n = scene->event->n, count = tilts->count;
    rk_surrogate q = rk_surrogate_take(work, n);
    for (size_t m = 0; m < count; m++)
        go_on(work, scene, 1, &tilts->tilt[m], &q);
    if (rk_work_charge(work, 2 * (uint64_t)count * count * n)) choose(tilts, count, n);
    rk_work_release(work, mark);
}

double rk_tilts_gradient(rk_work *work, const rk_tilt_scene *scene, const rk_tilts *tilts,
                         double weight, const rk_adjoint *to) {
    double log_p = -INFINITY;
    for (size_t m = 0; m < tilts->count; m++)
        log_p = rk_log_add(log_p, -tilts->tilt[m].exponent);
    for (size_t m = 0; m < tilts->count; m++)
        rk_tilt_back(work, scene, &tilts->tilt[m],
                     weight * exp(-tilts->tilt[m].exponent - log_p), to);
    return log_p;
}

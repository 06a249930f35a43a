#include "train/event_objective.h"

#include <math.h>

rk_status rk_event_objective_create(rk_event_objective *out, rk_event_view view,
                                    const rk_rare_event *event, rk_error *error) {
    *out = (rk_event_objective){.view = view,
                                .event = event,
                                .rounds = 6,
                                .research = 8,
                                .log_normal = (double)NAN,
                                .log_tilts = (double)NAN};
    return view == RK_VIEW_NORMAL ? RK_OK : rk_modes_create(&out->modes, event->n, error);
}

void rk_event_objective_free(rk_event_objective *objective) {
    rk_modes_free(&objective->modes);
}

static double by_normal(rk_work *work, const rk_event_objective *o, const rk_network *net,
                        double weight, const rk_adjoint *to) {
    const size_t mark = rk_work_mark(work);
    rk_functional_run run;
    rk_functional_run_start(work, net, &o->event->input, &o->closure, &o->event->functional, true,
                            false, &run);
    const rk_normal_tail tail = rk_normal_tail_at(run.mean, run.variance, o->event->t);
    const double by_variance = weight * tail.by_variance;
    rk_functional_run_back(work, &run, weight * tail.by_mean, &by_variance, to);
    rk_work_release(work, mark);
    return tail.log_p;
}

/* Steps make the event rarer: if a search finds it this much likelier, in nats, it found a way that
 * nobody had followed. */
#define NEWS 0.05

static double by_tilts(rk_work *work, rk_event_objective *o, const rk_network *net, double weight,
                       const rk_adjoint *to) {
    const rk_event_scene scene = {net, o->event, &o->closure};
    const size_t before = o->modes.count;
    const double last = o->log_tilts;
    const bool search = before == 0 || o->step % o->research == 0;
    if (search)
        rk_modes_find(work, &scene, o->rounds, &o->modes);
    else
        rk_modes_follow(work, &scene, &o->modes);
    if (work->dry) o->modes.count = search ? RK_MAX_MODES : before; /* at most */
    const double log_p = rk_modes_gradient(work, &scene, &o->modes, weight, to);
    if (work->dry) o->modes.count = before;
    if (!work->dry && search && log_p > last + NEWS) o->found_again++;
    return log_p;
}

double rk_event_objective_step(rk_work *work, rk_event_objective *o, const rk_network *net,
                               double weight, const rk_adjoint *to) {
    const double share = o->view == RK_VIEW_BOTH ? 0.5 : 1;
    double log_p = 0;
    if (o->view != RK_VIEW_TILTS)
        log_p += share * (o->log_normal = by_normal(work, o, net, share * weight, to));
    if (o->view != RK_VIEW_NORMAL)
        log_p += share * (o->log_tilts = by_tilts(work, o, net, share * weight, to));
    if (!work->dry) o->step++;
    return log_p;
}

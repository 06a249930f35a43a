#include "train/trained.h"

#include <math.h>
#include <stdlib.h>

rk_status rk_trained_create(rk_trained **out, rk_error *error) {
    const double unknown = (double)NAN;
    const rk_tail_estimate nothing = {.p = unknown, .log10_p = unknown, .cv = unknown};
    rk_trained *t = *out = calloc(1, sizeof *t);
    if (!t) return rk_fail(error, RK_ERROR_MEMORY, "no memory for the answer");
    t->data = (rk_train_event_data){.before = nothing,
                                    .after = nothing,
                                    .before_check = nothing,
                                    .after_check = nothing,
                                    .log10_factor = unknown,
                                    .closure_loss = unknown,
                                    .loss = unknown,
                                    .loss_standard_error = unknown,
                                    .square = unknown,
                                    .data_loss_before = unknown,
                                    .data_loss_after = unknown};
    return RK_OK;
}

rk_status rk_trained_point(rk_trained *t, const rk_event_point *point, rk_error *error) {
    if (t->data.n_curve == t->room) {
        const size_t room = t->room ? 2 * t->room : 64;
        rk_event_point *grown = realloc(t->curve, room * sizeof *grown);
        if (!grown) return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu steps", room);
        t->curve = grown;
        t->room = room;
    }
    t->curve[t->data.n_curve++] = *point;
    return RK_OK;
}

const rk_train_event_data *rk_trained_view(const rk_trained *trained) {
    return &trained->data;
}

rk_network *rk_trained_take(rk_trained *trained) {
    rk_network *network = trained->network;
    trained->network = NULL;
    trained->data.network = NULL;
    return network;
}

void rk_trained_destroy(rk_trained *trained) {
    if (!trained) return;
    rk_network_destroy(trained->network);
    free(trained->curve);
    free(trained);
}

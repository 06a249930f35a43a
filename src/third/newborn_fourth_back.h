/* The fourth cumulant of activations run backwards (docs/MATH.md#third-back): each step beside its
 * twin in newborn_fourth.h and fourth.h. All neurons are bent here, and legs in double. The adjoint
 * of an rk_newborn_fourth is another, which is added to. */
#ifndef RK_THIRD_NEWBORN_FOURTH_BACK_H
#define RK_THIRD_NEWBORN_FOURTH_BACK_H

#include "third/fourth.h"
#include "third/neurons_back.h"

/** An adjoint like what rk_newborn_fourth_take makes, with room for k22 in `k22`, zero. */
rk_newborn_fourth rk_newborn_fourth_bar_take(rk_work *work, size_t width, bool each, rk_legs k22);
/** Zero again, for a layer of n neurons. */
void rk_newborn_fourth_clear(rk_work *work, size_t n, rk_newborn_fourth *bar);

/** Of an rk_fourth_view: all are added to, but H is made. */
typedef struct rk_fourth_view_bar {
    rk_legs p, a, y, H;
    double *var, *var_before, *C; /* C symmetric */
} rk_fourth_view_bar;

/** rk_newborn_fourth_move: from the adjoints of k4 and of K31 (NULL: there is none). 13 n^3 FLOPs
 *  more than there, with its scratch. */
void rk_newborn_fourth_move_back(rk_work *work, const rk_fourth_view *view,
                                 const rk_fourth_scratch *scratch, const rk_newborn_fourth *fourth,
                                 const double *k4_bar, const rk_legs *K31_bar,
                                 const rk_newborn_fourth *bar, const rk_fourth_view_bar *view_bar);

/** rk_newborn_fourth_set: to the neurons, to d3 and y of z, var_bar, and what the tilt says in
 *  `tilt_bar` (made); bar->pairs.k22_sum gets what `share` does. carried_bar is made. */
void rk_newborn_fourth_set_back(rk_work *work, size_t n, const rk_neurons *neurons,
                                const rk_slices *z, const double *var, const double *carried,
                                const rk_newborn_fourth *fourth, const rk_newborn_fourth *bar,
                                const rk_tilt *tilt_bar, rk_neurons *neurons_bar,
                                const rk_slices_bar *z_bar, double *var_bar, double *carried_bar);

/** rk_followed_fourth_keep of a layer that is not the first: from that of `kept`, one number. */
void rk_followed_fourth_keep_back(rk_work *work, size_t n, const rk_slices *z,
                                  const rk_neurons *neurons, const double *kept_bar,
                                  rk_neurons *neurons_bar, const rk_slices_bar *z_bar);

/** rk_followed_fourth_join: G_bar stays; H_bar and w1_bar are added to. */
void rk_followed_fourth_join_back(rk_work *work, size_t n, size_t heard, const double *H,
                                  const double *w1, const double *G_bar, double *H_bar,
                                  double *w1_bar);

/** rk_followed_fourth_age: p_bar and c_bar are added to. */
void rk_followed_fourth_age_back(rk_work *work, size_t n, size_t width, const rk_legs *p,
                                 const double *c, const double *var_bar, const rk_legs *p_bar,
                                 double *c_bar);

#endif

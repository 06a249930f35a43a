/* Atoms: what no cumulant knows of the law of a functional. */
#ifndef RK_TAIL_ATOM_H
#define RK_TAIL_ATOM_H

#include "tail/job.h"

/**
 * mass[k] = about how likely output k of the job's target is on its largest atom: that all neurons
 * which it reads are on a flat piece of their activation, were they independent, with the means and
 * variances of `mean`; 0 where an activation has no flat piece. It tells 0.5 from 1e-6, not more.
 */
rk_status rk_tail_atoms(rk_tail_job *job, double *mass, rk_error *error);

#endif

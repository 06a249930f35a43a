#include "propagate/branch.h"

#include <math.h>

rk_branch_mark rk_branch_keep(size_t value, const rk_expansion *e, const rk_outputs *outputs) {
    return (rk_branch_mark){.value = value,
                            .e = *e,
                            .expansion = outputs->expansion,
                            .slenderness = outputs->slenderness,
                            .independent = outputs->independent,
                            .log_growth = outputs->log_growth};
}

void rk_branch_return(const rk_branch_mark *kept, rk_expansion *e, rk_outputs *outputs) {
    const double met = e->total_roughness;
    *e = kept->e;
    e->total_roughness = met;
    e->entered = true;
    outputs->expansion = kept->expansion;
    outputs->slenderness = kept->slenderness;
    outputs->independent = kept->independent;
    outputs->log_growth = kept->log_growth;
}

/* No less than of what it is added to. */
static double between(double kept, double branch, double weight) {
    return kept + weight * fmax(0, branch - kept);
}

void rk_branch_add(const rk_branch_mark *kept, double share, rk_expansion *e, rk_outputs *outputs) {
    const double part = fmin(share, 1), rest = 1 - part, weight = sqrt(part);
    e->unmixed = part * e->unmixed + rest * kept->e.unmixed;
    e->pair = part * part * e->pair + rest * rest * kept->e.pair;
    e->correlation = part * part * e->correlation + rest * rest * kept->e.correlation;
    outputs->expansion = between(kept->expansion, outputs->expansion, weight);
    outputs->slenderness = between(kept->slenderness, outputs->slenderness, weight);
    outputs->independent = between(kept->independent, outputs->independent, weight);
    outputs->log_growth = between(kept->log_growth, outputs->log_growth, weight);
    outputs->whole_expansion = fmax(outputs->whole_expansion, outputs->expansion);
    outputs->whole_slenderness = fmax(outputs->whole_slenderness, outputs->slenderness);
}

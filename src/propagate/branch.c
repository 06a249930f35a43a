#include "propagate/branch.h"

#include <math.h>

rk_branch_mark rk_branch_keep(size_t value, const rk_expansion *e, const rk_regime *regime) {
    return (rk_branch_mark){.value = value,
                            .e = *e,
                            .expansion = regime->expansion,
                            .slenderness = regime->slenderness,
                            .independent = regime->independent,
                            .log_growth = regime->log_growth};
}

void rk_branch_return(const rk_branch_mark *kept, rk_expansion *e, rk_regime *regime) {
    const double met = e->total_roughness;
    *e = kept->e;
    e->total_roughness = met;
    e->entered = true;
    regime->expansion = kept->expansion;
    regime->slenderness = kept->slenderness;
    regime->independent = kept->independent;
    regime->log_growth = kept->log_growth;
}

/* No less than of what it is added to. */
static double between(double kept, double branch, double weight) {
    return kept + weight * fmax(0, branch - kept);
}

void rk_branch_add(const rk_branch_mark *kept, double share, rk_expansion *e, rk_regime *regime) {
    const double part = fmin(share, 1), rest = 1 - part, weight = sqrt(part);
    e->unmixed = part * e->unmixed + rest * kept->e.unmixed;
    e->pair = part * part * e->pair + rest * rest * kept->e.pair;
    e->correlation = part * part * e->correlation + rest * rest * kept->e.correlation;
    regime->expansion = between(kept->expansion, regime->expansion, weight);
    regime->slenderness = between(kept->slenderness, regime->slenderness, weight);
    regime->independent = between(kept->independent, regime->independent, weight);
    regime->log_growth = between(kept->log_growth, regime->log_growth, weight);
    regime->whole_expansion = fmax(regime->whole_expansion, regime->expansion);
    regime->whole_slenderness = fmax(regime->whole_slenderness, regime->slenderness);
}

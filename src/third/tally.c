#include "third/tally.h"

#include <string.h>

rk_tally rk_tally_take(rk_work *work, size_t n_blocks, size_t entries) {
    return (rk_tally){rk_work_doubles(work, n_blocks, entries), n_blocks, entries};
}

double *rk_tally_open(const rk_tally *tally, size_t b) {
    double *sums = tally->room + b * tally->entries;
    memset(sums, 0, tally->entries * sizeof *sums);
    return sums;
}

void rk_tally_add(rk_work *work, const rk_tally *tally, size_t first, size_t count, double *total) {
    if (!rk_work_charge(work, (uint64_t)tally->n_blocks * count)) return;
    for (size_t b = 0; b < tally->n_blocks; b++) {
        const double *sums = tally->room + b * tally->entries + first;
        for (size_t j = 0; j < count; j++)
            total[j] += sums[j];
    }
}

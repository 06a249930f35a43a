#include "sample/division.h"

static uint64_t divide_up(uint64_t n, uint64_t unit) {
    return n / unit + (n % unit != 0);
}

rk_division rk_divide(rk_point_set points, bool control, size_t n_in, uint64_t n_samples) {
    const uint64_t passes_per_item = rk_points_are_mirrored(points) ? 2 : 1;
    const uint64_t per_replicate = rk_points_per_replicate(points, n_in) * passes_per_item;
    rk_division of = {.by_replicate = control || rk_points_are_rotated(points),
                      .n_replicates = divide_up(n_samples, per_replicate),
                      .passes_per_replicate = per_replicate,
                      .blocks_per_replicate = divide_up(per_replicate, RK_SAMPLE_BLOCK)};
    of.n_passes = of.by_replicate ? of.n_replicates * per_replicate
                                  : divide_up(n_samples, passes_per_item) * passes_per_item;
    of.n_blocks = of.n_replicates * of.blocks_per_replicate;
    return of;
}

uint64_t rk_passes_before(const rk_division *of, uint64_t block) {
    const uint64_t within = block % of->blocks_per_replicate * RK_SAMPLE_BLOCK;
    const uint64_t passes = block / of->blocks_per_replicate * of->passes_per_replicate + within;
    return passes < of->n_passes ? passes : of->n_passes;
}

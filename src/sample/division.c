#include "sample/division.h"

#include "sample/bases.h"

static uint64_t divide_up(uint64_t n, uint64_t unit) {
    return n / unit + (n % unit != 0);
}

/* Passes along a basis, if the error is to be told from these, else of a replicate. */
static uint64_t passes_per_group(rk_point_set points, size_t n_in, uint64_t per_replicate,
                                 uint64_t n_samples) {
    if (!rk_points_are_rotated(points) || n_samples / RK_FEW_REPLICATES >= per_replicate)
        return per_replicate;
    const uint64_t per_basis = 2 * rk_bases_dimension(n_in);
    return per_basis % RK_PASS_BLOCK == 0 ? per_basis : per_replicate;
}

rk_division rk_divide(rk_point_set points, bool control, size_t n_in, uint64_t n_samples) {
    const uint64_t passes_per_item = rk_points_are_mirrored(points) ? 2 : 1;
    const uint64_t per_replicate = rk_points_per_replicate(points, n_in) * passes_per_item;
    const uint64_t per_group = passes_per_group(points, n_in, per_replicate, n_samples);
    rk_division of = {.by_group = control || rk_points_are_rotated(points),
                      .n_replicates = divide_up(n_samples, per_replicate),
                      .passes_per_replicate = per_replicate,
                      .blocks_per_replicate = divide_up(per_replicate, RK_PASS_BLOCK),
                      .passes_per_group = per_group,
                      .blocks_per_group = divide_up(per_group, RK_PASS_BLOCK)};
    const uint64_t unit = of.by_group ? per_group : passes_per_item;
    of.n_passes = divide_up(n_samples, unit) * unit;
    of.n_blocks = divide_up(n_samples, per_group) * of.blocks_per_group;
    return of;
}

rk_division rk_divide_into_groups(rk_point_set points, size_t n_in, uint64_t n_samples,
                                  uint64_t n_groups) {
    const uint64_t passes_per_item = rk_points_are_mirrored(points) ? 2 : 1;
    const uint64_t whole = rk_points_per_replicate(points, n_in) * passes_per_item;
    const uint64_t share = n_samples / n_groups;
    uint64_t unit = whole;
    if (share < whole && rk_points_are_rotated(points))
        unit = passes_per_group(points, n_in, whole, share);
    else if (share < whole)
        unit = passes_per_item;
    const uint64_t group = share > unit ? (share + unit / 2) / unit * unit : unit;
    const uint64_t replicate = group < whole ? group : whole;
    rk_division of = {.by_group = true,
                      .n_passes = n_groups * group,
                      .n_replicates = n_groups * (group / replicate),
                      .passes_per_replicate = replicate,
                      .blocks_per_replicate = divide_up(replicate, RK_PASS_BLOCK),
                      .passes_per_group = group};
    of.blocks_per_group = group / replicate * of.blocks_per_replicate;
    of.n_blocks = n_groups * of.blocks_per_group;
    return of;
}

uint64_t rk_passes_before(const rk_division *of, uint64_t block) {
    const uint64_t within = block % of->blocks_per_replicate * RK_PASS_BLOCK;
    const uint64_t passes = block / of->blocks_per_replicate * of->passes_per_replicate + within;
    return passes < of->n_passes ? passes : of->n_passes;
}

/* What a member of the family tracks, and its pointwise steps compiled into polynomials. */
#ifndef RK_REFERENCE_TABLE_H
#define RK_REFERENCE_TABLE_H

#include "cumulant/polynomial.h"
#include "reference/spec.h"

/* Sources of the polynomials beyond the numbered slices. */
enum {
    RK_SOURCE_WICK = RK_N_PARTITIONS, /* + (p - 1) (k_max + 1) + k */
    RK_SOURCE_METRIC_DIAGONAL = RK_N_PARTITIONS,
    RK_SOURCE_METRIC_PAIRS,
    RK_SOURCE_SCALAR, /* a core of order 0 */
    RK_MAX_SOURCES = RK_N_PARTITIONS + (RK_WICK_MAX_K + 1) * RK_WICK_MAX_P
};

typedef struct rk_reference_table {
    int radial[RK_MAX_DEGREE + 1]; /* of each degree; -1: not tracked */
    int k_max, p_max;              /* Wick coefficients the diagrams ask for */
    /* By number of the partition; NULL where there is none. */
    rk_polynomial *power[RK_N_PARTITIONS];      /* the power cumulant, by diagrams */
    rk_polynomial *conversion[RK_N_PARTITIONS]; /* the cumulant, by power cumulants */
    rk_polynomial *radial_slice[RK_N_PARTITIONS];
    /* Lowest degree whose diagrams use this slice of the pre-activations; 0: none. */
    int read_by[RK_N_PARTITIONS];
} rk_reference_table;

/** Fills `table`; free with rk_reference_table_clear, also after a failure (lack of memory). */
rk_status rk_reference_table_fill(rk_reference_table *table, const rk_reference_spec *spec,
                                  rk_error *error);
void rk_reference_table_clear(rk_reference_table *table);

#endif

/* Slices of cumulants: S_lambda[i_1 .. i_b] = kappa(X_i1 lambda_1 times, .., X_ib lambda_b times).
 *
 * Used at pairwise distinct indices only. Entries at coinciding indices exist and hold finite
 * nonsense unless somebody says otherwise: whatever is read at distinct indices never sees them.
 *
 * lambda is a partition. Equal parts form a group whose indices are stored packed, as in
 * symmetric.h; groups follow each other, the last one contiguous. So the slice (1, .., 1) of degree
 * d has the layout of a packed tensor of order d. */
#ifndef RK_CUMULANT_SLICE_H
#define RK_CUMULANT_SLICE_H

#include "cumulant/symmetric.h"
#include "diagram/vector.h"

enum {
    RK_MAX_DEGREE = 6,   /* of a slice */
    RK_N_PARTITIONS = 29 /* of 1 .. RK_MAX_DEGREE */
};

typedef struct rk_slice {
    rk_vector lambda;
    size_t n;
    double *data; /* NULL: this slice is not tracked, it counts as zero */
    int n_groups;
    int first[RK_MAX_BLOCKS + 1]; /* group g has the blocks first[g] .. first[g + 1] - 1 */
    size_t stride[RK_MAX_BLOCKS];
} rk_slice;

/** A slice without data. */
rk_slice rk_slice_of(rk_vector lambda, size_t n);
/** The number of its entries; SIZE_MAX if that does not fit. */
size_t rk_slice_count(const rk_slice *slice);
/** Address of an entry; the indices of a group may come in any order. */
size_t rk_slice_at(const rk_slice *slice, const size_t *index);
/** Entries for index[block] = 0 .. limit - 1, the other indices as given. The answer points to
 *  `row` (limit entries) or into the slice. */
const double *rk_slice_row(const rk_slice *slice, const size_t *index, int block, size_t limit,
                           double *row);
/** Steps through all stored tuples in the order of their addresses, starting from zeros. */
bool rk_slice_next(const rk_slice *slice, size_t *index);
/** Where block `a` stops, given the indices before it. */
static inline size_t rk_slice_limit(const rk_slice *slice, const size_t *index, int a) {
    bool continues = a > 0 && slice->lambda.at[a] == slice->lambda.at[a - 1];
    return continues ? index[a - 1] + 1 : slice->n;
}

/** The tuple as a multiset in which index[a] occurs v_a times: |v| indices, non-increasing.
 *  Answers whether the indices were pairwise distinct. */
bool rk_multiset(rk_vector v, const size_t *index, size_t *multiset);

/** Fills the slice from a packed tensor of order |lambda|, coinciding indices included. Both run
 * over the pool. */
void rk_slice_from_tensor(rk_work *work, rk_slice *slice, const double *tensor);
/** Writes the entries at distinct indices into a packed tensor of order |lambda|. */
void rk_slice_to_tensor(rk_work *work, const rk_slice *slice, double *tensor);

/** All partitions of 1 .. RK_MAX_DEGREE, degree by degree, are numbered: a family of slices is an
 *  array of RK_N_PARTITIONS. */
rk_vector rk_partition_numbered(int number);
/** The number of a partition. */
int rk_partition_number(rk_vector lambda);
/** The numbers of the first ones. */
enum {
    RK_SLICE_1,
    RK_SLICE_2,
    RK_SLICE_11,
    RK_SLICE_3,
    RK_SLICE_21,
    RK_SLICE_111,
    RK_SLICE_4,
    RK_SLICE_31,
    RK_SLICE_22,
    RK_SLICE_211,
    RK_SLICE_1111
};

#endif

#include "cumulant/slice.h"

#include "base/size.h"
#include "diagram/partition.h"

#include <assert.h>

rk_slice rk_slice_of(rk_vector lambda, size_t n) {
    rk_slice slice = {.lambda = lambda, .n = n};
    for (int a = 0; a < lambda.size; a++)
        if (a == 0 || lambda.at[a] != lambda.at[a - 1]) slice.first[slice.n_groups++] = a;
    slice.first[slice.n_groups] = lambda.size;
    size_t stride = 1;
    for (int g = slice.n_groups - 1; g >= 0; g--) {
        slice.stride[g] = stride;
        stride *= rk_symmetric_count(n, slice.first[g + 1] - slice.first[g]);
    }
    return slice;
}

size_t rk_slice_count(const rk_slice *slice) {
    size_t count = 1;
    for (int g = 0; g < slice->n_groups; g++)
        if (!rk_size_mul(count, rk_symmetric_count(slice->n, slice->first[g + 1] - slice->first[g]),
                         &count))
            return SIZE_MAX;
    return count;
}

/* sorted = the n indices in non-increasing order */
static void sort(const size_t *index, int n, size_t *sorted) {
    for (int i = 0; i < n; i++) {
        int t = i;
        for (; t > 0 && sorted[t - 1] < index[i]; t--)
            sorted[t] = sorted[t - 1];
        sorted[t] = index[i];
    }
}

static size_t group_at(const rk_slice *slice, int g, const size_t *index) {
    int first = slice->first[g], members = slice->first[g + 1] - first;
    if (members == 1) return slice->stride[g] * index[first];
    size_t sorted[RK_MAX_BLOCKS];
    sort(index + first, members, sorted);
    return slice->stride[g] * rk_symmetric_at(sorted, members);
}

size_t rk_slice_at(const rk_slice *slice, const size_t *index) {
    size_t at = 0;
    for (int g = 0; g < slice->n_groups; g++)
        at += group_at(slice, g, index);
    return at;
}

const double *rk_slice_row(const rk_slice *slice, const size_t *index, int block, size_t limit,
                           double *row) {
    const double *base = slice->data;
    int own = 0;
    for (int g = 0; g < slice->n_groups; g++) {
        if (slice->first[g] <= block && block < slice->first[g + 1])
            own = g;
        else
            base += group_at(slice, g, index);
    }
    int first = slice->first[own], members = slice->first[own + 1] - first;
    if (members == 1 && slice->stride[own] == 1) return base;
    size_t others[RK_MAX_BLOCKS], sorted[RK_MAX_BLOCKS];
    int n_others = 0;
    for (int a = first; a < first + members; a++)
        if (a != block) others[n_others++] = index[a];
    sort(others, n_others, sorted);
    rk_symmetric_row(base, slice->stride[own], members, sorted, limit, row);
    return row;
}

bool rk_slice_next(const rk_slice *slice, size_t *index) {
    for (int a = slice->lambda.size - 1; a >= 0; a--) {
        if (index[a] + 1 < rk_slice_limit(slice, index, a)) {
            index[a]++;
            return true;
        }
        index[a] = 0;
    }
    return false;
}

bool rk_multiset(rk_vector v, const size_t *index, size_t *multiset) {
    int n = 0;
    bool distinct = true;
    for (int a = 0; a < v.size; a++)
        for (int k = 0; k < v.at[a]; k++) {
            int t = n++;
            for (; t > 0 && multiset[t - 1] < index[a]; t--)
                multiset[t] = multiset[t - 1];
            distinct &= k > 0 || t == 0 || multiset[t - 1] != index[a];
            multiset[t] = index[a];
        }
    return distinct;
}

/* One way or the other. */
typedef struct copy {
    const rk_slice *slice;
    const double *from; /* a packed tensor, or NULL */
    double *to;         /* likewise */
} copy;

static void copy_from_first(void *context, size_t i) {
    const copy *c = context;
    size_t index[RK_MAX_BLOCKS] = {i}, multiset[RK_MAX_DEGREE], at = rk_slice_at(c->slice, index);
    int d = rk_vector_sum(c->slice->lambda);
    do {
        bool distinct = rk_multiset(c->slice->lambda, index, multiset);
        size_t entry = rk_symmetric_at(multiset, d);
        if (c->from)
            c->slice->data[at] = c->from[entry];
        else if (distinct)
            c->to[entry] = c->slice->data[at];
        at++;
    } while (rk_slice_next(c->slice, index) && index[0] == i);
}

void rk_slice_from_tensor(rk_work *work, rk_slice *slice, const double *tensor) {
    copy c = {.slice = slice, .from = tensor};
    if (rk_work_charge(work, 0)) rk_pool_run(work->pool, slice->n, copy_from_first, &c);
}

void rk_slice_to_tensor(rk_work *work, const rk_slice *slice, double *tensor) {
    copy c = {.slice = slice, .to = tensor};
    if (rk_work_charge(work, 0)) rk_pool_run(work->pool, slice->n, copy_from_first, &c);
}

rk_vector rk_partition_numbered(int number) {
    assert(number >= 0 && number < RK_N_PARTITIONS);
    for (int d = 1;; d++) {
        rk_vector lambda = rk_partition_first(d);
        do {
            if (number-- == 0) return lambda;
        } while (rk_partition_next(&lambda));
    }
}

int rk_partition_number(rk_vector lambda) {
    int number = 0;
    for (; number < RK_N_PARTITIONS; number++) {
        rk_vector candidate = rk_partition_numbered(number);
        if (candidate.size == lambda.size && rk_vector_compare(candidate, lambda) == 0) break;
    }
    assert(number < RK_N_PARTITIONS);
    return number;
}

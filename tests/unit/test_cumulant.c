/* Packed tensors, slices, projections and conversions against their definitions. */
#include "cumulant/harmonic.h"
#include "cumulant/symmetric.h"
#include "diagram/conversion.h"
#include "diagram/partition.h"
#include "support/expand.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static double noise(size_t i) {
    return sin(1.7 + 12.9898 * (double)i + 0.37 * (double)(i % 7) * (double)i);
}

static void assert_close(double a, double b, double tolerance) {
    if (!(fabs(a - b) <= tolerance)) fail_msg("%.17g is not %.17g", a, b);
}

/* A wet run without a plan: plenty of memory. */
static rk_work start(void) {
    rk_work plan = {.dry = true, .peak = 1 << 22}, work;
    assert_int_equal(rk_work_init_wet(&work, &plan, NULL, NULL), RK_OK);
    return work;
}

static void test_addresses_count_tuples(void **state) {
    (void)state;
    for (int s = 1; s <= 4; s++) {
        size_t index[4] = {0}, at = 0;
        do {
            assert_int_equal(rk_symmetric_at(index, s), at);
            at++;
        } while (rk_symmetric_next(index, s, 5));
        assert_int_equal(at, rk_simplex(5, s));
        assert_int_equal(at, rk_symmetric_count(5, s));
    }
    assert_true(rk_symmetric_count(SIZE_MAX / 4, 4) == SIZE_MAX);
}

/* sum over all indices of W on every leg, entry by entry */
static double transformed(int s, size_t n, const double *W, const double *tensor,
                          const size_t *out_index) {
    size_t count = 1;
    double sum = 0;
    for (int t = 0; t < s; t++)
        count *= n;
    for (size_t entry = 0; entry < count; entry++) {
        size_t index[4], sorted[4], rest = entry;
        double product = 1;
        for (int t = 0; t < s; t++, rest /= n) {
            index[t] = rest % n;
            product *= W[out_index[t] * n + index[t]];
        }
        rk_vector ones = {.size = (uint8_t)s, .at = {1, 1, 1, 1}};
        for (int t = s; t < RK_MAX_BLOCKS; t++)
            ones.at[t] = 0;
        rk_multiset(ones, index, sorted);
        sum += product * tensor[rk_symmetric_at(sorted, s)];
    }
    return sum;
}

static void test_transform_is_a_contraction_of_every_leg(void **state) {
    (void)state;
    const size_t shapes[][2] = {{1, 1}, {3, 5}, {6, 4}, {5, 5}};
    for (size_t shape = 0; shape < 4; shape++)
        for (int s = 1; s <= 4; s++) {
            size_t m = shapes[shape][0], n = shapes[shape][1], index[4] = {0}, at = 0;
            double W[30], tensor[126], out[126];
            for (size_t i = 0; i < m * n; i++)
                W[i] = noise(i);
            for (size_t i = 0; i < rk_simplex(n, s); i++)
                tensor[i] = noise(100 + i);
            rk_work work = start();
            rk_symmetric_transform(&work, s, m, n, W, tensor, out);
            do {
                assert_close(out[at++], transformed(s, n, W, tensor, index), 1e-12);
            } while (rk_symmetric_next(index, s, m));
            rk_work_finish(&work);
        }
}

/* Wider than the blocks of rows: W = a permutation relabels, whatever the blocks. */
static void test_transform_across_blocks(void **state) {
    (void)state;
    enum { N = 70 };
    static double W[N * N], tensor[N * (N + 1) * (N + 2) / 6], out[N * (N + 1) * (N + 2) / 6];
    for (size_t i = 0; i < N; i++)
        W[i * N + (i * 27 + 5) % N] = 1;
    for (size_t i = 0; i < rk_simplex(N, 3); i++)
        tensor[i] = noise(i);
    rk_work plan, work;
    rk_work_init_dry(&plan);
    rk_symmetric_transform(&plan, 3, N, N, W, tensor, out);
    assert_int_equal(rk_work_init_wet(&work, &plan, NULL, NULL), RK_OK);
    rk_symmetric_transform(&work, 3, N, N, W, tensor, out);
    size_t index[3] = {0}, at = 0, sorted[3];
    do {
        size_t moved[3];
        for (int t = 0; t < 3; t++)
            moved[t] = (index[t] * 27 + 5) % N;
        rk_multiset((rk_vector){3, {1, 1, 1}}, moved, sorted);
        assert_true(out[at++] == tensor[rk_symmetric_at(sorted, 3)]);
    } while (rk_symmetric_next(index, 3, N));
    rk_work_finish(&work);
}

/* 2 (2^s - 1) / s! n^(s+1), the paper's discount, within the corners of the diagonal blocks. */
static void test_transform_executes_the_discounted_flops(void **state) {
    (void)state;
    const double want[] = {0, 2, 3, 14.0 / 6, 30.0 / 24};
    for (int s = 1; s <= 4; s++) {
        rk_work plan;
        rk_work_init_dry(&plan);
        size_t n = 160;
        rk_symmetric_transform(&plan, s, n, n, NULL, NULL, NULL);
        double ratio = (double)plan.flops / (want[s] * pow((double)n, s + 1));
        assert_true(ratio >= 1 && ratio < 1.06);
    }
}

static void test_partitions_are_numbered(void **state) {
    (void)state;
    for (int number = 0; number < RK_N_PARTITIONS; number++)
        assert_int_equal(rk_partition_number(rk_partition_numbered(number)), number);
    const struct {
        int number;
        rk_vector lambda;
    } named[] = {{RK_SLICE_1, {1, {1}}},
                 {RK_SLICE_2, {1, {2}}},
                 {RK_SLICE_11, {2, {1, 1}}},
                 {RK_SLICE_3, {1, {3}}},
                 {RK_SLICE_21, {2, {2, 1}}},
                 {RK_SLICE_111, {3, {1, 1, 1}}},
                 {RK_SLICE_4, {1, {4}}},
                 {RK_SLICE_31, {2, {3, 1}}},
                 {RK_SLICE_22, {2, {2, 2}}},
                 {RK_SLICE_211, {3, {2, 1, 1}}},
                 {RK_SLICE_1111, {4, {1, 1, 1, 1}}}};
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        assert_int_equal(rk_partition_number(named[i].lambda), named[i].number);
}

/* Reading a slice off a tensor, row by row along every block, and writing it back. */
static void test_slices_of_a_tensor(void **state) {
    (void)state;
    enum { N = 5 };
    for (int number = 0; number < RK_N_PARTITIONS; number++) {
        rk_vector lambda = rk_partition_numbered(number);
        int d = rk_vector_sum(lambda), b = lambda.size;
        if (b > 4) continue;
        rk_work work = start();
        double *tensor = rk_work_doubles(&work, rk_simplex(N, d), 1);
        double *back = rk_work_doubles(&work, rk_simplex(N, d), 1);
        for (size_t i = 0; i < rk_simplex(N, d); i++) {
            tensor[i] = noise(i);
            back[i] = 99;
        }
        rk_slice slice = rk_slice_of(lambda, N);
        slice.data = rk_work_doubles(&work, rk_slice_count(&slice), 1);
        rk_slice_from_tensor(&work, &slice, tensor);
        rk_slice_to_tensor(&work, &slice, back);
        size_t index[4] = {0}, at = 0, multiset[6];
        do {
            assert_int_equal(rk_slice_at(&slice, index), at);
            bool distinct = rk_multiset(lambda, index, multiset);
            size_t entry = rk_symmetric_at(multiset, d);
            assert_true(slice.data[at] == tensor[entry]);
            if (distinct) assert_true(back[entry] == tensor[entry]);
            for (int block = 0; block < b; block++) {
                double buffer[N];
                const double *row = rk_slice_row(&slice, index, block, N, buffer);
                assert_true(row[index[block]] == tensor[entry]);
            }
            at++;
        } while (rk_slice_next(&slice, index));
        assert_int_equal(at, rk_slice_count(&slice));
        rk_work_finish(&work);
    }
}

/* The slices of a tensor given by its entries. */
static void slices_of(rk_work *work, int d, size_t n, const rk_tower *tower, rk_slice *family) {
    double *tensor = rk_work_doubles(work, rk_simplex(n, d), 1);
    size_t index[6] = {0}, at = 0;
    do {
        tensor[at++] = rk_tower_entry(tower, d, index);
    } while (rk_symmetric_next(index, d, n));
    for (int number = 0; number < RK_N_PARTITIONS; number++) {
        family[number] = rk_slice_of(rk_partition_numbered(number), n);
        if (rk_vector_sum(family[number].lambda) != d) continue;
        family[number].data = rk_work_doubles(work, rk_slice_count(&family[number]), 1);
        rk_slice_from_tensor(work, &family[number], tensor);
    }
}

static const struct {
    int s, r;
} radial_kinds[] = {{0, 1}, {1, 1}, {2, 1}, {3, 1}, {0, 2}, {1, 2}, {2, 2}, {0, 3}};

/* Sym(core x I^r) has this core. */
static void test_projection_recovers_the_core(void **state) {
    (void)state;
    for (size_t kind = 0; kind < 8; kind++)
        for (size_t n = 2; n <= 4; n++) {
            int s = radial_kinds[kind].s, r = radial_kinds[kind].r, d = s + 2 * r;
            rk_work work = start();
            double core[20], found[20];
            for (size_t i = 0; i < rk_simplex(n, s); i++)
                core[i] = noise(i + n);
            rk_tower tower = {.n = n};
            tower.degree[d] = (rk_cumulant){r, core};
            rk_slice family[RK_N_PARTITIONS];
            slices_of(&work, d, n, &tower, family);
            rk_harmonic_core(&work, family, s, r, n, found);
            for (size_t i = 0; i < rk_simplex(n, s); i++)
                assert_close(found[i], core[i], 1e-13);
            rk_work_finish(&work);
        }
}

/* Projecting commutes with rotations. */
static void test_projection_is_invariant(void **state) {
    (void)state;
    enum { N = 3 };
    double c = cos(0.7), s1 = sin(0.7), e = cos(1.9), f = sin(1.9);
    const double Q[N * N] = {c, -s1 * e, s1 * f, s1, c * e, -c * f, 0, f, e};
    const int kinds[][2] = {{0, 1}, {1, 1}, {2, 1}, {0, 2}};
    for (size_t kind = 0; kind < 4; kind++) {
        int s = kinds[kind][0], r = kinds[kind][1], d = s + 2 * r;
        rk_work work = start();
        double tensor[15], turned[15], core[6], core_turned[6], expected[6];
        for (size_t i = 0; i < rk_simplex(N, d); i++)
            tensor[i] = noise(i);
        rk_symmetric_transform(&work, d, N, N, Q, tensor, turned);
        rk_slice family[RK_N_PARTITIONS];
        rk_tower tower = {.n = N};
        tower.degree[d].core = tensor;
        slices_of(&work, d, N, &tower, family);
        rk_harmonic_core(&work, family, s, r, N, core);
        tower.degree[d].core = turned;
        slices_of(&work, d, N, &tower, family);
        rk_harmonic_core(&work, family, s, r, N, core_turned);
        if (s == 0)
            expected[0] = core[0];
        else
            rk_symmetric_transform(&work, s, N, N, Q, core, expected);
        for (size_t i = 0; i < rk_simplex(N, s); i++)
            assert_close(core_turned[i], expected[i], 1e-13);
        rk_work_finish(&work);
    }
}

/* ------------------------------------------------------------------------- tensors written out */

static void fill_noise(size_t count, double *x) {
    for (size_t i = 0; i < count; i++)
        x[i] = noise(i);
}

/* Every form against rk_tower_entry, with several threads the bits of one. */
static void test_towers_written_out(void **state) {
    (void)state;
    const struct {
        int d, radial;
        size_t n, J; /* J > 0: factored */
    } cases[] = {{1, 0, 5, 0}, {2, 0, 7, 0}, {3, 0, 6, 0}, {4, 0, 5, 0},  {2, 1, 6, 0},
                 {3, 1, 6, 0}, {4, 1, 6, 0}, {4, 2, 5, 0}, {3, 0, 70, 5}, {3, 0, 1, 1},
                 {4, 0, 9, 4}, {4, 0, 1, 2}, {3, 0, 4, 0}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        int d = cases[c].d;
        size_t n = cases[c].n, J = cases[c].J, count = 1, list = J * n * (d == 4 ? n : 1);
        for (int a = 0; a < d; a++)
            count *= n;
        double *memory = calloc(2 * count + 3 * list + 2 * n * n + count, sizeof *memory);
        assert_non_null(memory);
        double *one = memory, *many = one + count, *core = many + count;
        rk_tower tower = {.n = n, .factors = {.degree = d, .J = J}};
        fill_noise(count + 3 * list + 2 * n * n, core);
        tower.degree[d].radial = cases[c].radial;
        tower.degree[d].core = J > 0 || c + 1 == sizeof cases / sizeof *cases ? NULL : core;
        tower.metric_diagonal = core + count;
        tower.metric_pairs = tower.metric_diagonal + n;
        for (int f = 0; f < 3; f++)
            tower.factors.list[f] = core + count + (size_t)f * list;
        for (size_t r = 0; d == 4 && r < 2 * J; r++) /* matrices of the fourth are symmetric */
            for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < i; j++)
                    tower.factors.list[0][(r * n + i) * n + j] =
                        tower.factors.list[0][(r * n + j) * n + i];
        expand_tower(&tower, d, 1, one);
        expand_tower(&tower, d, 3, many);
        assert_memory_equal(one, many, count * sizeof *one);
        for (size_t at = 0; at < count; at++) {
            size_t index[RK_MAX_DEGREE] = {0}, rest = at;
            for (int a = d - 1; a >= 0; a--, rest /= n)
                index[a] = rest % n;
            assert_close(one[at], rk_tower_entry(&tower, d, index), 1e-13);
        }
        free(memory);
    }
}

/* ------------------------------------------------ cumulants of an empirical distribution */

enum { N_SAMPLES = 40, N_NEURONS = 4 };

/* Joint cumulant of `count` variables, each one a product of powers of the neurons: from moments,
 * summed over the set partitions of the variables. */
static double joint_cumulant(double x[N_SAMPLES][N_NEURONS], const rk_vector *variable, int count) {
    rk_vector ones = {.size = (uint8_t)count};
    for (int a = 0; a < count; a++)
        ones.at[a] = 1;
    rk_terms partitions = {.n = 0};
    rk_vector_partitions(&partitions, ones);
    double sum = 0;
    for (size_t t = 0; t < partitions.n; t++) {
        const rk_term *term = &partitions.term[t];
        double product = 1;
        for (int k = 1; k < term->n_factors; k++)
            product *= -k;
        for (int f = 0; f < term->n_factors; f++) {
            double moment = 0;
            for (int sample = 0; sample < N_SAMPLES; sample++) {
                double value = 1;
                for (int a = 0; a < count; a++)
                    for (int i = 0; term->factor[f].at[a] && i < N_NEURONS; i++)
                        for (int k = 0; k < variable[a].at[i]; k++)
                            value *= x[sample][i];
                moment += value / N_SAMPLES;
            }
            product *= moment;
        }
        sum += product;
    }
    rk_terms_clear(&partitions);
    return sum;
}

/* The cumulant in which X_a occurs v_a times. */
static double cumulant(double x[N_SAMPLES][N_NEURONS], rk_vector v) {
    rk_vector variable[RK_MAX_DEGREE];
    int count = 0;
    for (int a = 0; a < v.size; a++)
        for (int k = 0; k < v.at[a]; k++) {
            variable[count] = (rk_vector){.size = N_NEURONS};
            variable[count++].at[a] = 1;
        }
    return joint_cumulant(x, variable, count);
}

/* The joint cumulant of the powers X_a^v_a, v_a > 0. */
static double power_cumulant(double x[N_SAMPLES][N_NEURONS], rk_vector v) {
    rk_vector variable[RK_MAX_BLOCKS];
    int count = 0;
    for (int a = 0; a < v.size; a++)
        if (v.at[a] > 0) {
            variable[count] = (rk_vector){.size = N_NEURONS};
            variable[count++].at[a] = v.at[a];
        }
    return joint_cumulant(x, variable, count);
}

static void test_conversion_is_an_identity_of_any_law(void **state) {
    (void)state;
    static double x[N_SAMPLES][N_NEURONS];
    for (size_t sample = 0; sample < N_SAMPLES; sample++)
        for (size_t i = 0; i < N_NEURONS; i++)
            x[sample][i] = noise(4 * sample + i) + 0.5 * noise(1000 + sample) + 0.2;
    for (int number = 0; number < RK_N_PARTITIONS; number++) {
        rk_vector lambda = rk_partition_numbered(number);
        if (lambda.size > N_NEURONS) continue;
        rk_terms terms = {.n = 0};
        rk_conversion(&terms, lambda);
        double sum = 0;
        for (size_t t = 0; t < terms.n; t++) {
            double product = (double)terms.term[t].numerator;
            for (int f = 0; f < terms.term[t].n_factors; f++)
                product *= power_cumulant(x, terms.term[t].factor[f]);
            sum += product;
        }
        assert_close(sum, cumulant(x, lambda), 1e-12);
        rk_terms_clear(&terms);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_count_tuples),
        cmocka_unit_test(test_transform_is_a_contraction_of_every_leg),
        cmocka_unit_test(test_transform_across_blocks),
        cmocka_unit_test(test_transform_executes_the_discounted_flops),
        cmocka_unit_test(test_partitions_are_numbered),
        cmocka_unit_test(test_slices_of_a_tensor),
        cmocka_unit_test(test_towers_written_out),
        cmocka_unit_test(test_projection_recovers_the_core),
        cmocka_unit_test(test_projection_is_invariant),
        cmocka_unit_test(test_conversion_is_an_identity_of_any_law),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The combinatorics against published counts, brute force, and the reference's own tables. */
#include "diagram/conversion.h"
#include "diagram/diagram.h"
#include "diagram/partition.h"
#include "diagram/radial.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ORACLES RK_TEST_DATA "/goldens/oracles/"

static void sort_factors(rk_term *term) {
    for (int i = 1; i < term->n_factors; i++)
        for (int j = i; j > 0 && rk_vector_compare(term->factor[j], term->factor[j - 1]) > 0; j--) {
            rk_vector swap = term->factor[j];
            term->factor[j] = term->factor[j - 1];
            term->factor[j - 1] = swap;
        }
}

static bool same_factors(const rk_term *s, const rk_term *t) {
    bool same = s->n_factors == t->n_factors;
    for (int f = 0; same && f < s->n_factors; f++)
        same = rk_vector_compare(s->factor[f], t->factor[f]) == 0;
    return same;
}

static const rk_term *find(const rk_terms *terms, const rk_term *wanted) {
    for (size_t t = 0; t < terms->n; t++)
        if (same_factors(&terms->term[t], wanted)) return &terms->term[t];
    return NULL;
}

/* "21" -> (2, 1) */
static rk_vector parse(const char *digits, size_t length) {
    rk_vector v = {.size = (uint8_t)length};
    for (size_t a = 0; a < length; a++)
        v.at[a] = (uint8_t)(digits[a] - '0');
    return v;
}

static void test_numbers_of_partitions(void **state) {
    (void)state;
    const size_t integer[] = {1, 2, 3, 5, 7, 11, 15, 22}; /* OEIS A000041 */
    const size_t bell[] = {1, 2, 5, 15, 52, 203};
    for (int d = 1; d <= 8; d++) {
        size_t n = 0;
        rk_vector p = rk_partition_first(d);
        do {
            assert_int_equal(rk_vector_sum(p), d);
            n++;
        } while (rk_partition_next(&p));
        assert_int_equal(n, integer[d - 1]);

        rk_terms blocks = {.n = 0};
        rk_vector_partitions(&blocks, (rk_vector){1, {(uint8_t)d}});
        assert_int_equal(blocks.n, integer[d - 1]);
        rk_terms_clear(&blocks);
        if (d > 6) continue;
        rk_vector_partitions(&blocks, parse("11111111", (size_t)d));
        assert_int_equal(blocks.n, bell[d - 1]);
        rk_terms_clear(&blocks);
    }
}

/* The number of distinct images of a diagram under permutations of equal entries of lambda. */
static size_t orbit(const rk_term *diagram, rk_vector lambda) {
    rk_terms images = {.n = 0};
    int b = lambda.size, at[RK_MAX_BLOCKS];
    int n_maps = 1;
    for (int a = 0; a < b; a++)
        n_maps *= b;
    for (int map = 0; map < n_maps; map++) {
        unsigned hit = 0;
        bool symmetric = true;
        for (int a = 0, rest = map; a < b; a++, rest /= b) {
            at[a] = rest % b;
            hit |= 1u << at[a];
            symmetric &= lambda.at[a] == lambda.at[at[a]];
        }
        if (!symmetric || hit != (1u << b) - 1) continue;
        rk_term image = *diagram;
        for (int f = 0; f < image.n_factors; f++)
            for (int a = 0; a < b; a++)
                image.factor[f].at[at[a]] = diagram->factor[f].at[a];
        sort_factors(&image);
        if (!find(&images, &image)) rk_terms_add(&images, &image);
    }
    size_t n = images.n;
    rk_terms_clear(&images);
    return n;
}

static rk_vector vector_of(const json_t *array) {
    rk_vector v = {.size = (uint8_t)json_array_size(array)};
    for (size_t a = 0; a < v.size; a++)
        v.at[a] = (uint8_t)json_integer_value(json_array_get(array, a));
    return v;
}

/* Every term of every activation step of the reference is ours, with its coefficient, cost and
 * number of images, and the images add up to all we have. */
static void test_diagrams_are_the_reference_s(void **state) {
    (void)state;
    json_t *list = json_load_file(ORACLES "diagrams.json", 0, NULL);
    assert_non_null(list);
    rk_terms ours[5][5] = {{{.n = 0}}}; /* [blocks][budget] */
    for (int b = 1; b <= 4; b++)
        for (int budget = 0; budget <= 4; budget++)
            rk_activation_diagrams(&ours[b][budget], b, budget);
    size_t pairs[2][5] = {{0}}, orbits[2][5] = {{0}}, images = 0;
    const json_t *previous = NULL;
    for (size_t e = 0; e < json_array_size(list); e++) {
        const json_t *entry = json_array_get(list, e);
        bool augment = strcmp(json_string_value(json_object_get(entry, "kind")), "augment") == 0;
        int K = (int)json_integer_value(json_object_get(entry, "K"));
        rk_vector lambda = vector_of(json_object_get(entry, "int_part"));
        const json_t *vectors = json_object_get(entry, "vec_part");
        const rk_terms *diagrams = &ours[lambda.size][augment ? K : K - 1];
        rk_term wanted = {.n_factors = (int)json_array_size(vectors)};
        int cost = 0;
        for (int f = 0; f < wanted.n_factors; f++) {
            wanted.factor[f] = vector_of(json_array_get(vectors, (size_t)f));
            cost += rk_diagram_cost(wanted.factor[f]);
        }
        sort_factors(&wanted);
        const rk_term *found = find(diagrams, &wanted);
        assert_non_null(found);
        size_t count = (size_t)json_integer_value(json_object_get(entry, "count"));
        assert_int_equal(orbit(found, lambda), count);
        assert_int_equal(cost, json_integer_value(json_object_get(entry, "cost")));
        double coefficient = (double)found->numerator / (double)found->denominator;
        assert_true(coefficient == json_number_value(json_object_get(entry, "coef")));
        pairs[augment][K] += count;
        orbits[augment][K]++;
        bool new_slice = !previous || !json_equal(json_object_get(previous, "int_part"),
                                                  json_object_get(entry, "int_part"));
        images = new_slice ? count : images + count;
        const json_t *next = json_array_get(list, e + 1);
        if (!next ||
            !json_equal(json_object_get(next, "int_part"), json_object_get(entry, "int_part")))
            assert_int_equal(images, diagrams->n);
        previous = entry;
    }
    const size_t want_pairs[2][5] = {{0, 2, 3, 40, 171}, {0, 2, 27, 142, 2950}};
    const size_t want_orbits[2][5] = {{0, 2, 3, 35, 95}, {0, 2, 25, 91, 1355}};
    assert_memory_equal(pairs, want_pairs, sizeof pairs);
    assert_memory_equal(orbits, want_orbits, sizeof orbits);
    for (int b = 1; b <= 4; b++)
        for (int budget = 0; budget <= 4; budget++)
            rk_terms_clear(&ours[b][budget]);
    json_decref(list);
}

/* "b=2 cost=3: orbits 6, diagrams 10" */
static void test_diagrams_of_each_exact_cost(void **state) {
    (void)state;
    FILE *file = fopen(ORACLES "diagram_orbits.txt", "r");
    assert_non_null(file);
    char line[4096];
    int lines = 0, b, cost;
    size_t n_orbits, n_diagrams;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "b=%d cost=%d: orbits %zu, diagrams %zu", &b, &cost, &n_orbits,
                   &n_diagrams) != 4)
            continue;
        rk_terms up_to = {.n = 0}, below = {.n = 0};
        rk_activation_diagrams(&up_to, b, cost);
        if (cost > 0) rk_activation_diagrams(&below, b, cost - 1);
        assert_int_equal(up_to.n - below.n, n_diagrams);
        rk_terms_clear(&up_to);
        rk_terms_clear(&below);
        lines++;
    }
    fclose(file);
    assert_int_equal(lines, 20);
}

/* Lines like "(2, 1) 2 +1*21 -2*11*10". */
static void test_conversions_are_the_reference_s(void **state) {
    (void)state;
    FILE *file = fopen(ORACLES "pk_to_k.txt", "r");
    assert_non_null(file);
    char line[4096];
    int lines = 0;
    while (fgets(line, sizeof line, file)) {
        if (line[0] != '(') continue;
        rk_vector lambda = {.size = 0};
        char *cursor = line;
        for (; *cursor != ')'; cursor++)
            if (*cursor >= '0' && *cursor <= '9')
                lambda.at[lambda.size++] = (uint8_t)(*cursor - '0');
        size_t n = strtoul(cursor + 1, &cursor, 10);
        rk_terms ours = {.n = 0};
        rk_conversion(&ours, lambda);
        assert_int_equal(ours.n, n);
        for (size_t t = 0; t < n; t++) {
            rk_term wanted = {.numerator = strtol(cursor, &cursor, 10)};
            while (*cursor == '*') {
                size_t length = strspn(++cursor, "0123456789");
                wanted.factor[wanted.n_factors++] = parse(cursor, length);
                cursor += length;
            }
            sort_factors(&wanted);
            const rk_term *found = find(&ours, &wanted);
            assert_non_null(found);
            assert_int_equal(found->numerator, wanted.numerator);
            assert_int_equal(found->denominator, 1);
        }
        rk_terms_clear(&ours);
        lines++;
    }
    fclose(file);
    assert_int_equal(lines, 20);
}

/* Pairs up legs in every way, one leg after another: leg -> core, or leg + a later leg -> edge. */
static void pair_legs(rk_terms *ways, rk_term *term, const int *leg, int n_legs, unsigned used,
                      int edges) {
    int first = 0;
    while (first < n_legs && (used & 1u << first))
        first++;
    if (first == n_legs) {
        if (edges > 0) return;
        rk_term way = *term;
        rk_vector core = way.factor[0];
        way.factor[0].at[0] = UINT8_MAX; /* keep the core in front */
        sort_factors(&way);
        way.factor[0] = core;
        rk_term *known = (rk_term *)find(ways, &way);
        if (known)
            known->numerator++;
        else
            rk_terms_add(ways, &way);
        return;
    }
    used |= 1u << first;
    term->factor[0].at[leg[first]]++;
    pair_legs(ways, term, leg, n_legs, used, edges);
    term->factor[0].at[leg[first]]--;
    for (int second = first + 1; edges > 0 && second < n_legs; second++) {
        if (used & 1u << second) continue;
        rk_vector edge = {.size = term->factor[0].size};
        edge.at[leg[first]]++;
        edge.at[leg[second]]++;
        term->factor[term->n_factors++] = edge;
        pair_legs(ways, term, leg, n_legs, used | 1u << second, edges - 1);
        term->n_factors--;
    }
}

static void test_radial_slices_average_over_pairings(void **state) {
    (void)state;
    for (int d = 2; d <= 6; d++)
        for (int r = 0; 2 * r <= d; r++) {
            rk_vector lambda = rk_partition_first(d);
            do {
                int leg[6], n_legs = 0;
                for (int a = 0; a < lambda.size; a++)
                    for (int k = 0; k < lambda.at[a]; k++)
                        leg[n_legs++] = a;
                rk_terms ours = {.n = 0}, ways = {.n = 0};
                rk_term start = {.numerator = 1, .denominator = 1, .n_factors = 1};
                start.factor[0].size = lambda.size;
                pair_legs(&ways, &start, leg, n_legs, 0, r);
                int64_t total = 0;
                for (size_t t = 0; t < ways.n; t++)
                    total += ways.term[t].numerator;
                rk_radial_slice(&ours, lambda, r);
                assert_int_equal(ours.n, ways.n);
                for (size_t t = 0; t < ways.n; t++) {
                    const rk_term *found = find(&ours, &ways.term[t]);
                    assert_non_null(found);
                    assert_int_equal(found->numerator * total,
                                     found->denominator * ways.term[t].numerator);
                }
                rk_terms_clear(&ours);
                rk_terms_clear(&ways);
            } while (rk_partition_next(&lambda));
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_of_partitions),
        cmocka_unit_test(test_diagrams_are_the_reference_s),
        cmocka_unit_test(test_diagrams_of_each_exact_cost),
        cmocka_unit_test(test_conversions_are_the_reference_s),
        cmocka_unit_test(test_radial_slices_average_over_pairings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

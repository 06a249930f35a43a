/* What is stated of networks that are no random matrices, from what structures measured:
 *
 *     structures_fit margins CSV...     the laws in src/estimate/method_*.c with their margins
 *     structures_fit covariances CSV... the laws of covariances there
 *     structures_fit coverage CSV...    how often the library's stated errors hold, by method
 *     structures_fit kinds CSV...       the same by kind of network
 *     structures_fit refuted CSV...     where they do not
 *
 * The first two use seeds below 10, the others those from 10 on. */
#include "estimate/methods.h"
#include "structures.h"
#include "study.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROWS = 20000, MAX_NAMES = 64, HELD_OUT = 10 };

typedef struct row {
    char kind[24], activation[24], method[64];
    rk_method_spec spec;
    int width, hidden, seed;
    double mse, mse_error, variance, own_variance, cov, cov_error, square, own_square;
    rk_regime found;
} row;

static row rows[MAX_ROWS];
static size_t n_rows;

static bool parse(char *line, row *r) {
    double x[STRUCTURES_N_NUMBERS];
    char *field[6 + STRUCTURES_N_NUMBERS], *next = line;
    for (size_t i = 0; i < sizeof field / sizeof *field; i++) {
        field[i] = next;
        next = next ? strchr(next, ',') : NULL;
        if (next) *next++ = 0;
        if (!field[i]) return false;
    }
    for (size_t i = 0; i < STRUCTURES_N_NUMBERS; i++)
        x[i] = strtod(field[6 + i], NULL);
    *r = (row){.width = atoi(field[2]),
               .hidden = atoi(field[3]),
               .seed = atoi(field[4]),
               .mse = x[0],
               .mse_error = x[1],
               .variance = x[2],
               .own_variance = x[3],
               .cov = x[4],
               .cov_error = x[5],
               .square = x[6],
               .own_square = x[7],
               .found = {.expansion = x[8],
                         .slenderness = x[9],
                         .independent = x[10],
                         .whole_expansion = x[11],
                         .whole_slenderness = x[12],
                         .whole_independent = x[13],
                         .input_expansion = x[14],
                         .input_slenderness = x[15],
                         .first_expansion = x[16],
                         .first_slenderness = x[17],
                         .closed_layers = (size_t)x[18],
                         .log_growth = x[19],
                         .unevenness = x[20],
                         .diverged = (size_t)x[21],
                         .alike = (size_t)x[22]}};
    snprintf(r->kind, sizeof r->kind, "%.23s", field[0]);
    snprintf(r->activation, sizeof r->activation, "%.23s", field[1]);
    snprintf(r->method, sizeof r->method, "%.63s", field[5]);
    for (char *c = r->method; *c; c++)
        if (*c == ' ') *c = ',';
    if (r->seed <= 0 || rk_method_parse(r->method, &r->spec, NULL) != RK_OK) return false;
    if (r->spec.kind == RK_REFERENCE) r->found.roughness = (double)NAN; /* as method_reference.c */
    return true;
}

static void read_csv(const char *path) {
    FILE *file = fopen(path, "r");
    if (!file) study_stop("cannot open the file");
    char line[1000];
    while (n_rows < MAX_ROWS && fgets(line, sizeof line, file))
        n_rows += parse(line, &rows[n_rows]);
    fclose(file);
}

static void keep_seeds(bool held_out) {
    size_t kept = 0;
    for (size_t i = 0; i < n_rows; i++)
        if ((rows[i].seed >= HELD_OUT) == held_out) rows[kept++] = rows[i];
    n_rows = kept;
}

/* The distinct ones among the rows' names (at this offset into a row), in their order. */
static size_t names(size_t offset, const char *name[MAX_NAMES]) {
    size_t n = 0;
    for (size_t i = 0; i < n_rows; i++) {
        const char *own = (const char *)&rows[i] + offset;
        size_t known = 0;
        while (known < n && strcmp(name[known], own) != 0)
            known++;
        if (known == n && n < MAX_NAMES) name[n++] = own;
    }
    return n;
}

/* ------------------------------------------------------------------- what is stated, what is true
 */

/* Mean squares. */
typedef struct claim {
    double stated, error, noise; /* stated NaN: nothing is promised */
    double surprise;             /* log of how much narrower than random weights would make it */
} claim;

static claim claim_of_means(const row *r, const rk_error_laws *laws) {
    double relative = rk_expected_relative(laws, &r->found);
    double scale = r->own_variance >= 0 ? r->own_variance : (double)NAN;
    return (claim){relative * scale, r->mse, r->mse_error,
                   log(r->found.slenderness / r->found.independent)};
}

static claim claim_of_covariance(const row *r, const rk_error_laws *laws) {
    double one = 1;
    rk_regime found = r->found;
    const rk_outputs outputs = {.covariance = &one, .regime = &found};
    double rms = rk_expected_covariance_error(laws, &outputs, 1);
    return (claim){rms * rms * r->own_square, r->cov, r->cov_error,
                   log(r->found.whole_slenderness / r->found.whole_independent)};
}

static bool is_promised(const claim *c) {
    return c->stated > 0 && isfinite(c->stated);
}

static bool is_seen(const claim *c) {
    return !(c->error < 3 * c->noise);
}

/* Certainly more than three times as wrong as stated. */
static bool is_refuted(const claim *c) {
    return !(c->error - 2 * c->noise <= 9 * c->stated);
}

/* As random weights are. */
static const double unsurprising = 0.1;

/* ------------------------------------------------------------------------------------- margins */

static const double least_margin = 6, most_refuted = 0.03, most_margin = 16;

/* Share of surprising networks where a claim without margin is refuted with this one. */
typedef claim claim_with(const row *r, double margin);

static double refuted(const char *method, claim_with *of, double margin) {
    double count = 0, bad = 0;
    for (size_t i = 0; i < n_rows; i++) {
        if (strcmp(rows[i].method, method) != 0) continue;
        claim c = of(&rows[i], margin);
        if (!is_promised(&c) || !(c.surprise > unsurprising)) continue;
        count++;
        bad += is_refuted(&c);
    }
    return count > 0 ? bad / count : 0;
}

static double margin_for(const char *method, claim_with *of) {
    double margin = least_margin;
    while (margin < most_margin && refuted(method, of, margin) > most_refuted)
        margin *= 1.05;
    return margin;
}

static claim means_with(const row *r, double margin) {
    const rk_error_laws *laws = rk_error_laws_of(&r->spec);
    if (!laws) return (claim){.stated = (double)NAN};
    rk_error_laws wider = *laws;
    wider.means.margin = margin;
    return claim_of_means(r, &wider);
}

/* As the sources have it. */
static void print_law(const char *method, const char *of, const rk_error_law *law) {
    char limit[16] = "INFINITY";
    if (isfinite(law->limit)) snprintf(limit, sizeof limit, "%.2g", law->limit);
    printf("%s .%s = {%.3g, %.2f, %.2f, %.2f, %s, %.2g}\n", method, of, law->factor, law->power,
           law->slender_power, law->depth_power, limit, law->margin);
}

static void print_margin(const row *r) {
    rk_error_law law = rk_error_laws_of(&r->spec)->means;
    law.margin = margin_for(r->method, means_with);
    print_law(r->method, "means", &law);
}

/* -------------------------------------------------------------------------- laws of covariances */

enum { TERMS = 4 };

static rk_error_law covariance_law;

static claim covariance_with(const row *r, double margin) {
    rk_error_laws laws = *rk_error_laws_of(&r->spec);
    laws.covariances = covariance_law;
    laws.covariances.margin = margin;
    return claim_of_covariance(r, &laws);
}

static bool terms(const row *r, double x[TERMS], double *y) {
    const rk_regime *found = &r->found;
    const rk_error_laws *laws = rk_error_laws_of(&r->spec);
    char why[160];
    if (!(found->whole_expansion > 0) || !(r->cov > 3 * r->cov_error) || !laws ||
        rk_is_beyond(laws, found, why, sizeof why))
        return false;
    x[0] = 1;
    x[1] = log(found->whole_slenderness);
    x[2] = log(found->whole_expansion / found->whole_slenderness);
    x[3] = log((double)found->closed_layers + 1);
    *y = log(r->cov / r->own_square);
    return isfinite(*y);
}

/* b becomes x of A x = b, A positive definite. */
static void solve(double A[TERMS][TERMS], double b[TERMS]) {
    for (int p = 0; p < TERMS; p++)
        for (int i = p + 1; i < TERMS; i++) {
            double factor = A[i][p] / A[p][p];
            for (int j = p; j < TERMS; j++)
                A[i][j] -= factor * A[p][j];
            b[i] -= factor * b[p];
        }
    for (int p = TERMS - 1; p >= 0; p--) {
        for (int j = p + 1; j < TERMS; j++)
            b[p] -= A[p][j] * b[j];
        b[p] /= A[p][p];
    }
}

/* A robust regression, in which networks as random ones count three times. */
static bool fit(const char *method, double coefficient[TERMS]) {
    size_t count = 0;
    memset(coefficient, 0, TERMS * sizeof *coefficient);
    for (int step = 0; step < 30; step++) {
        double A[TERMS][TERMS] = {{0}}, b[TERMS] = {0}, x[TERMS], y;
        for (size_t i = 0; i < n_rows; i++) {
            const row *r = &rows[i];
            if (strcmp(r->method, method) != 0 || !terms(r, x, &y)) continue;
            double surprise = log(r->found.whole_slenderness / r->found.whole_independent);
            double residual = y, weight = surprise > unsurprising ? 1 : 3;
            for (int p = 0; p < TERMS; p++)
                residual -= coefficient[p] * x[p];
            if (step > 0) weight *= fmin(1, 1 / fabs(residual));
            for (int p = 0; p < TERMS; p++) {
                for (int q = 0; q < TERMS; q++)
                    A[p][q] += weight * x[p] * x[q];
                b[p] += weight * x[p] * y;
            }
            count++;
        }
        if (count < 20) return false;
        for (int p = 0; p < TERMS; p++)
            A[p][p] += 0.1;
        solve(A, b);
        memcpy(coefficient, b, sizeof b);
    }
    return true;
}

static void print_covariance_law(const char *method) {
    double b[TERMS];
    if (!fit(method, b)) return;
    covariance_law = (rk_error_law){exp(b[0]), b[2], b[1] - b[2], b[3], (double)INFINITY, 1};
    covariance_law.margin = margin_for(method, covariance_with);
    print_law(method, "covariances", &covariance_law);
}

/* ------------------------------------------------------------------------------------ coverage */

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_coverage(const char *name, size_t offset, bool covariances) {
    static double ratio[MAX_ROWS];
    double count = 0, silent = 0, bad = 0, seen = 0, random = 0, within = 0;
    size_t n = 0;
    for (size_t i = 0; i < n_rows; i++) {
        const row *r = &rows[i];
        if (strcmp((const char *)r + offset, name) != 0) continue;
        const rk_error_laws *laws = rk_error_laws_of(&r->spec);
        if (covariances && isnan(r->cov) && !(r->own_square > 0)) continue; /* it has none */
        claim c = covariances ? claim_of_covariance(r, laws) : claim_of_means(r, laws);
        count++;
        if (!is_promised(&c)) {
            silent++;
            continue;
        }
        bad += is_refuted(&c);
        if (!is_seen(&c)) continue;
        seen++;
        double own = sqrt(c.stated / c.error);
        if (c.surprise > unsurprising) {
            ratio[n++] = own;
        } else {
            random++;
            within += own <= 2 && own >= 0.5;
        }
    }
    if (count == 0) return;
    qsort(ratio, n, sizeof *ratio, compare_doubles);
    printf("| `%s` | %.0f | %.0f | %.0f | %.0f %% | %.1f | %.0f of %.0f |\n", name, count, silent,
           count - silent - seen, 100 * (1 - bad / fmax(1, count - silent)), n ? ratio[n / 2] : NAN,
           within, random);
}

static void print_table(size_t offset, bool covariances) {
    const char *name[MAX_NAMES];
    size_t n = names(offset, name);
    printf(
        "| %s | networks | nothing promised | not seen | holds | stated / true, median | within 2 "
        "where as random |\n|---|---|---|---|---|---|---|\n",
        covariances ? "covariance" : "means");
    for (size_t i = 0; i < n; i++)
        print_coverage(name[i], offset, covariances);
    puts("");
}

static void print_refuted(const row *r, const char *what, const claim *c) {
    if (is_promised(c) && is_refuted(c))
        printf("%-22s %-10s %-14s %-16s %d x %d, seed %d: stated %.2g, true %.2g; surprise %.2f\n",
               r->method, what, r->kind, r->activation, r->width, r->hidden, r->seed,
               sqrt(c->stated), sqrt(c->error), c->surprise);
}

static void print_all_refuted(void) {
    for (size_t i = 0; i < n_rows; i++) {
        const row *r = &rows[i];
        const rk_error_laws *laws = rk_error_laws_of(&r->spec);
        claim means = claim_of_means(r, laws);
        print_refuted(r, "means", &means);
        if (isnan(r->cov) && !(r->own_square > 0)) continue;
        claim covariance = claim_of_covariance(r, laws);
        print_refuted(r, "covariance", &covariance);
    }
}

int main(int argc, char **argv) {
    if (argc < 3)
        study_stop("usage: structures_fit margins|covariances|coverage|kinds|refuted CSV...");
    for (int i = 2; i < argc; i++)
        read_csv(argv[i]);
    bool fits = !strcmp(argv[1], "margins") || !strcmp(argv[1], "covariances");
    keep_seeds(!fits);
    const char *name[MAX_NAMES];
    size_t n = names(offsetof(row, method), name);
    for (size_t i = 0; fits && i < n; i++) {
        if (!strcmp(argv[1], "margins"))
            print_margin((const row *)(const void *)(name[i] - offsetof(row, method)));
        else
            print_covariance_law(name[i]);
    }
    if (!strcmp(argv[1], "refuted")) print_all_refuted();
    if (strcmp(argv[1], "coverage") != 0 && strcmp(argv[1], "kinds") != 0) return 0;
    size_t offset = strcmp(argv[1], "kinds") ? offsetof(row, method) : offsetof(row, kind);
    print_table(offset, false);
    print_table(offset, true);
    return 0;
}

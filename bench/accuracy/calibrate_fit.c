/* The laws of the errors from what calibrate measured, and how well they predict:
 *
 *     calibrate_fit law CSV...         laws for src/estimate/method_*.c
 *     calibrate_fit coverage CSV...    how often the library's estimate is right */
#include "study.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROWS = 20000, MAX_METHODS = 64 };

typedef struct row {
    char method[64], kind[16];
    double width, hidden, expansion, mse, standard_error, estimated, variance;
    double foreseen; /* the expansion by the network's first method: one that fails loses count */
} row;

static row rows[MAX_ROWS];
static size_t n_rows;

static bool is_sampling(const char *method) {
    return !strncmp(method, "sample", 6);
}

static void read_csv(const char *path) {
    FILE *file = fopen(path, "r");
    if (!file) study_stop("cannot open the file");
    char line[400];
    while (n_rows < MAX_ROWS && fgets(line, sizeof line, file)) {
        row *r = &rows[n_rows];
        if (sscanf(line, "%63[^,],%lf,%lf,%15[^,],%*u,%lf,%lf,%lf,%lf,%lf", r->method, &r->width,
                   &r->hidden, r->kind, &r->expansion, &r->mse, &r->standard_error, &r->estimated,
                   &r->variance) != 9)
            continue;
        bool same = n_rows && r->width == r[-1].width && r->hidden == r[-1].hidden &&
                    !strcmp(r->kind, r[-1].kind);
        r->foreseen = same ? r[-1].foreseen : r->expansion;
        if (is_sampling(r->method)) /* what their laws are in: the roughness of all layers */
            r->expansion = r->foreseen * r->width * r->hidden / (r->hidden - 1);
        n_rows++;
    }
    fclose(file);
}

/* Up to 64 inputs a replicate has all bases there are: these are designs. */
static bool is_mislabelled(const row *r) {
    return !strncmp(r->method, "sample:orthogonal", 17) && r->width <= 64;
}

/* Seen well above the noise of the truth. An answer that is not finite is an error, and seen. */
static bool is_resolved(const row *r) {
    return r->foreseen > 0 && !(r->mse < 3 * r->standard_error);
}

/* ----------------------------------------------------------------------------------------- law */

/* Laws are fitted up to this expansion, and the limit of the slender is where a law that was fitted
 * up to this slenderness fails. */
static const double most_expansion = 0.05, wide = 0.2;

enum { N_TERMS = 4 };

typedef struct law {
    double coefficient[N_TERMS]; /* of the terms */
    double scatter;              /* standard deviation of log mse around it */
    double limit;                /* the slenderness from where on it fails */
} law;

static double slenderness(const row *r) {
    return (r->hidden - 1) / r->width;
}

static void terms(const row *r, double x[N_TERMS]) {
    x[0] = 1;
    x[1] = log(r->expansion);
    x[2] = is_sampling(r->method) ? 0 : log(slenderness(r));
    x[3] = log(r->hidden);
}

static double log_error(const row *r) {
    return log(r->mse / r->variance);
}

static double log_predicted(const law *l, const row *r) {
    double x[N_TERMS], sum = 0;
    terms(r, x);
    for (int p = 0; p < N_TERMS; p++)
        sum += l->coefficient[p] * x[p];
    return sum;
}

/* Solves A x = b, A positive definite but for terms that are always 0; b becomes x. */
static void solve(double A[N_TERMS][N_TERMS], double b[N_TERMS]) {
    for (int p = 0; p < N_TERMS; p++)
        if (A[p][p] == 0) A[p][p] = 1;
    for (int p = 0; p < N_TERMS; p++)
        for (int i = p + 1; i < N_TERMS; i++) {
            double factor = A[i][p] / A[p][p];
            for (int j = p; j < N_TERMS; j++)
                A[i][j] -= factor * A[p][j];
            b[i] -= factor * b[p];
        }
    for (int p = N_TERMS - 1; p >= 0; p--) {
        for (int j = p + 1; j < N_TERMS; j++)
            b[p] -= A[p][j] * b[j];
        b[p] /= A[p][p];
    }
}

/* One step of a robust regression: weights from the law so far (Huber), or equal ones. */
static void improve(const char *method, law *l, bool first) {
    double A[N_TERMS][N_TERMS] = {{0}}, b[N_TERMS] = {0}, squares = 0, count = 0;
    for (size_t i = 0; i < n_rows; i++) {
        const row *r = &rows[i];
        bool used = !strcmp(r->method, method) && !is_mislabelled(r) && r->foreseen > 0 &&
                    isfinite(r->mse) && r->expansion > 0 && r->variance > 0 &&
                    (is_sampling(method) ? r->foreseen : r->expansion) < most_expansion &&
                    slenderness(r) <= l->limit;
        if (!used) continue;
        double x[N_TERMS], y = log_error(r);
        terms(r, x);
        if (!is_resolved(r)) { /* no more than this */
            y = log((fmax(r->mse, 0) + 2 * r->standard_error) / r->variance);
            if (first || log_predicted(l, r) < y) continue;
        }
        double residual = first ? 0 : y - log_predicted(l, r);
        double noise = is_resolved(r) ? r->standard_error / r->mse : 0.5;
        double weight = fmin(1, 1 / fabs(residual)) / (0.25 + noise * noise);
        for (int p = 0; p < N_TERMS; p++) {
            for (int q = 0; q < N_TERMS; q++)
                A[p][q] += weight * x[p] * x[q];
            b[p] += weight * x[p] * y;
        }
        squares += fmin(residual * residual, 4);
        count++;
    }
    solve(A, b);
    memcpy(l->coefficient, b, sizeof b);
    l->scatter = sqrt(squares / count);
}

/* More than a quarter of the networks up to twice as slender have four times the error. */
static double limit_of(const char *method, const law *l) {
    double least = (double)INFINITY;
    for (double limit = 1; limit > 0.05; limit /= 1.1) {
        double count = 0, failed = 0;
        for (size_t i = 0; i < n_rows; i++) {
            const row *r = &rows[i];
            if (strcmp(r->method, method) || !is_resolved(r)) continue;
            if (slenderness(r) < limit || slenderness(r) > 2 * limit) continue;
            count++;
            failed += !(log_error(r) - log_predicted(l, r) < log(4)) || !(r->expansion < 1);
        }
        if (count > 6 && failed > count / 4) least = limit;
    }
    return least;
}

static void fit(const char *method, law *l) {
    for (int step = 0; step < 20; step++)
        improve(method, l, step == 0);
}

static void print_law(const char *method) {
    law l = {.limit = is_sampling(method) ? (double)INFINITY : wide};
    fit(method, &l);
    if (!is_sampling(method)) l.limit = limit_of(method, &l);
    fit(method, &l);
    char limit[16] = "INFINITY", *comma, name[64];
    if (isfinite(l.limit)) snprintf(limit, sizeof limit, "%.2g", l.limit);
    snprintf(name, sizeof name, "%s", method);
    if ((comma = strchr(name, ' '))) *comma = ','; /* which the CSV has no room for */
    printf("%s .means = {%.3g, %.2f, %.2f, %.2f, %s, scatter %.2f\n", name, exp(l.coefficient[0]),
           l.coefficient[1], l.coefficient[2], l.coefficient[3], limit, l.scatter);
}

/* ------------------------------------------------------------------------------------ coverage */

/* An error as large as the outputs' deviation, or none at all: the answer comes with a warning. */
static bool promises(const row *r) {
    return r->estimated < r->variance;
}

static void print_coverage(const char *method) {
    double count = 0, within2 = 0, within3 = 0, above = 0, below = 0, silent = 0, unseen = 0;
    for (size_t i = 0; i < n_rows; i++) {
        const row *r = &rows[i];
        if (strcmp(r->method, method)) continue;
        double ratio = sqrt(r->estimated / r->mse);
        if (!promises(r)) {
            silent++;
        } else if (!is_resolved(r)) {
            unseen++;
        } else {
            count++;
            within2 += ratio <= 2 && ratio >= 0.5;
            within3 += ratio <= 3 && ratio >= 1 / 3.0;
            above += ratio > 2;
            below += !(ratio >= 0.5);
        }
    }
    printf("| `%s` | %.0f | %.0f %% | %.0f %% | %.0f %% | %.0f %% | %.0f | %.0f |\n", method, count,
           100 * within2 / count, 100 * within3 / count, 100 * above / count, 100 * below / count,
           silent, unseen);
}

int main(int argc, char **argv) {
    bool laws = argc > 2 && !strcmp(argv[1], "law");
    if (!laws && !(argc > 2 && !strcmp(argv[1], "coverage")))
        study_stop("usage: calibrate_fit law|coverage CSV...");
    for (int i = 2; i < argc; i++)
        read_csv(argv[i]);
    if (!laws)
        puts("| method | networks | within 2 | within 3 | too large | too small | nothing promised "
             "| not seen |\n|---|---|---|---|---|---|---|---|");
    const char *seen[MAX_METHODS];
    size_t n_seen = 0;
    for (size_t i = 0; i < n_rows; i++) {
        size_t known = 0;
        while (known < n_seen && strcmp(seen[known], rows[i].method) != 0)
            known++;
        if (known < n_seen || n_seen == MAX_METHODS) continue;
        seen[n_seen++] = rows[i].method;
        if (laws)
            print_law(rows[i].method);
        else if (!is_sampling(rows[i].method))
            print_coverage(rows[i].method);
    }
    return 0;
}

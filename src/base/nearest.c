#include "base/nearest.h"

#include <string.h>

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Levenshtein's distance. */
static size_t distance(const char *a, const char *b) {
    enum { MAX = 40 };
    const size_t n = strlen(b);
    size_t row[MAX + 1];
    if (n > MAX) return MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 1; j <= n; j++) {
            size_t best = diagonal + (lower(a[i]) != lower(b[j - 1]));
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[n];
}

const char *rk_nearest(const char *typed, const char *const *names, size_t n, size_t most) {
    enum { LONGEST = 100 };
    const size_t length = strlen(typed);
    if (length == 0 || length > LONGEST) return NULL;
    const char *best = NULL;
    size_t best_distance = (length / 3 + 1 < most ? length / 3 + 1 : most) + 1;
    for (size_t i = 0; i < n; i++) {
        const size_t d = distance(typed, names[i]);
        if (d >= best_distance) continue;
        best = names[i];
        best_distance = d;
    }
    return best;
}

#include "format/name.h"

#include <stdint.h>
#include <string.h>

static const char digits[] = "0123456789";

/* Names are bytes; <ctype.h> would ask the locale. */
static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* What the last word of a name says. */
typedef struct word {
    const char *text;
    rk_tensor_role role;
    bool in_out;
} word;

static const word words[] = {
    {"weight", RK_ROLE_WEIGHT, false},   {"weights", RK_ROLE_WEIGHT, false},
    {"w", RK_ROLE_WEIGHT, false},        {"W", RK_ROLE_WEIGHT, false},
    {"kernel", RK_ROLE_WEIGHT, true},    {"coefs", RK_ROLE_WEIGHT, true},
    {"bias", RK_ROLE_BIAS, false},       {"biases", RK_ROLE_BIAS, false},
    {"b", RK_ROLE_BIAS, false},          {"B", RK_ROLE_BIAS, false},
    {"intercepts", RK_ROLE_BIAS, false},
};

/* The word that `name` ends with, digits and separators behind it aside, and its bytes; or NULL. */
static const word *find_word(const char *name, size_t *start, size_t *end) {
    *end = strlen(name);
    while (*end > 0 && !is_letter(name[*end - 1]))
        --*end;
    *start = *end;
    while (*start > 0 && is_letter(name[*start - 1]))
        --*start;
    const size_t length = *end - *start;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].text) == length && strncmp(name + *start, words[i].text, length) == 0)
            return &words[i];
    return NULL;
}

rk_tensor_role rk_name_split(char *name) {
    size_t start, end;
    const word *found = find_word(name, &start, &end);
    if (!found) return RK_ROLE_NONE;
    memmove(name + start, name + end, strlen(name + end) + 1);
    return found->role;
}

rk_tensor_role rk_name_role(const char *name) {
    size_t start, end;
    const word *found = find_word(name, &start, &end);
    return found ? found->role : RK_ROLE_NONE;
}

bool rk_name_is_in_out(const char *name) {
    size_t start, end;
    const word *found = find_word(name, &start, &end);
    return found && found->in_out;
}

/* Compares two runs of digits as numbers and steps behind them. */
static int compare_numbers(const char **a, const char **b) {
    *a += strspn(*a, "0");
    *b += strspn(*b, "0");
    size_t n = strspn(*a, digits), m = strspn(*b, digits);
    int order = n != m ? (n < m ? -1 : 1) : memcmp(*a, *b, n);
    *a += n;
    *b += m;
    return order;
}

int rk_name_compare(const char *a, const char *b) {
    while (*a && *b) {
        int order = is_digit(*a) && is_digit(*b) ? compare_numbers(&a, &b)
                                                 : (unsigned char)*a++ - (unsigned char)*b++;
        if (order) return order;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

bool rk_name_alike(const char *a, const char *b) {
    for (;;) {
        if (is_digit(*a) != is_digit(*b)) return false;
        if (is_digit(*a)) {
            a += strspn(a, digits);
            b += strspn(b, digits);
        } else if (*a != *b) {
            return false;
        } else if (*a == '\0') {
            return true;
        } else {
            a++, b++;
        }
    }
}

bool rk_name_number(const char **name, size_t *out) {
    const char *c = *name + strcspn(*name, digits);
    const bool found = *c != '\0';
    size_t value = 0;
    for (; is_digit(*c); c++) {
        const size_t digit = (size_t)(*c - '0');
        value = value > (SIZE_MAX - digit) / 10 ? SIZE_MAX : 10 * value + digit;
    }
    *name = c;
    *out = value;
    return found;
}

bool rk_name_is_shard(const char *path, size_t *which, size_t *count) {
    const char *slash = strrchr(path, '/'), *at = slash ? slash + 1 : path;
    for (; (at = strstr(at, "-of-")); at++) {
        const char *start = at, *rest = at;
        while (start > path && is_digit(start[-1]))
            start--;
        if (start == at || start == path || start[-1] != '-' || !is_digit(at[4])) continue;
        rk_name_number(&start, which);
        rk_name_number(&rest, count);
        return true;
    }
    return false;
}

bool rk_name_ends_with(const char *name, const char *ending) {
    size_t length = strlen(name), tail = strlen(ending);
    return length >= tail && strcmp(name + length - tail, ending) == 0;
}

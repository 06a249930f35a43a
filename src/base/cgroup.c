#include "base/cgroup.h"

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { LINE = 4096, PATH = 2 * LINE };

/* Up to two numbers in a file of a folder, infinite for "max" and -1; how many there were. */
static int read_numbers(const char *folder, const char *name, double number[2]) {
    char path[PATH], text[2][32] = {{0}};
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path) return 0;
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    int n = fscanf(file, "%31s %31s", text[0], text[1]);
    fclose(file);
    for (int i = 0; i < n; i++) {
        unsigned long long value = 0;
        bool none = text[i][0] == 'm' || text[i][0] == '-';
        if (!none && sscanf(text[i], "%llu", &value) != 1) return i;
        number[i] = none ? (double)INFINITY : (double)value;
    }
    return n > 0 ? n : 0;
}

/* The limit that one group sets, in whatever version its folder is. */
static double memory_limit(const char *folder) {
    static const char *const names[] = {"memory.max", "memory.high", "memory.limit_in_bytes"};
    double least = INFINITY, bytes[2];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (read_numbers(folder, names[i], bytes) > 0) least = fmin(least, bytes[0]);
    return least;
}

static double processor_limit(const char *folder) {
    double quota[2], period[2];
    if (read_numbers(folder, "cpu.max", quota) == 2 && quota[1] > 0) return quota[0] / quota[1];
    if (read_numbers(folder, "cpu.cfs_quota_us", quota) > 0 &&
        read_numbers(folder, "cpu.cfs_period_us", period) > 0 && period[0] > 0)
        return quota[0] / period[0];
    return INFINITY;
}

typedef double limit_of(const char *folder);

/* Over the group `path` of a hierarchy and all that it lies in. Seen from inside a container the
 * path may name folders that are not there, or begin with "..": the topmost always counts. */
static double least_upwards(const char *mount, const char *path, limit_of *limit) {
    char folder[PATH];
    size_t top = strlen(mount);
    if (top + strlen(path) >= sizeof folder) return INFINITY;
    strcpy(folder, mount);
    double least = limit(folder);
    if (strstr(path, "..")) return least;
    strcat(folder, path);
    for (char *end; strlen(folder) > top; *end = 0) {
        least = fmin(least, limit(folder));
        end = strrchr(folder, '/');
    }
    return least;
}

/* A line "number:controllers:path"; no controllers: version 2, alone or beside version 1. */
static double least_of_line(const char *root, char *line, limit_of *limit) {
    char mount[PATH], *controllers = strchr(line, ':');
    char *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path) return INFINITY;
    *path++ = 0;
    path[strcspn(path, "\n")] = 0;
    controllers++;
    double least = INFINITY;
    const char *const together[] = {controllers, *controllers ? controllers : "unified"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup%s%s", root, *together[i] ? "/" : "",
                 together[i]);
        least = fmin(least, least_upwards(mount, path, limit));
    }
    for (char *rest, *one = strtok_r(controllers, ",", &rest); one;
         one = strtok_r(NULL, ",", &rest)) {
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/%s", root, one);
        least = fmin(least, least_upwards(mount, path, limit));
    }
    return least;
}

static double least_of_all(const char *root, limit_of *limit) {
    char path[PATH], line[LINE];
    double least = INFINITY;
    if ((size_t)snprintf(path, sizeof path, "%s/proc/self/cgroup", root) >= LINE) return least;
    FILE *file = fopen(path, "r");
    if (!file) return least;
    while (fgets(line, sizeof line, file))
        least = fmin(least, least_of_line(root, line, limit));
    fclose(file);
    return least;
}

int rk_cgroup_processors(const char *root) {
    double processors = ceil(least_of_all(root, processor_limit));
    return !(processors < INT_MAX) ? INT_MAX : processors < 1 ? 1 : (int)processors;
}

uint64_t rk_cgroup_memory(const char *root) {
    double bytes = least_of_all(root, memory_limit);
    return !(bytes < 0x1p63) ? UINT64_MAX : (uint64_t)bytes;
}

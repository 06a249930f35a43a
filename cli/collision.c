#include "collision.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gnuplot.h"
#include "message.h"

/* ----------------------------------------------------------------------------- one file or two */

/* A path's folder and its name in it, to be freed: "x" is "./x". */
static bool stat_folder(const char *path, struct stat *out) {
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup("./");
    const bool there = folder && stat(folder, out) == 0;
    free(folder);
    return there;
}

static const char *name_in_folder(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool stat_file(const char *path, struct stat *out) {
    return (strcmp(path, "-") ? stat(path, out) : fstat(STDIN_FILENO, out)) == 0;
}

static bool same_place(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Links and other spellings aside; devices may be read and written at will. */
static bool same_file(const char *a, const char *b) {
    struct stat one, other;
    const bool there = stat_file(a, &one);
    if (there != stat_file(b, &other)) return false;
    if (there) return S_ISREG(one.st_mode) && same_place(&one, &other);
    return !strcmp(name_in_folder(a), name_in_folder(b)) && stat_folder(a, &one) &&
           stat_folder(b, &other) && same_place(&one, &other);
}

/* --------------------------------------------------------------------------------- those there are
 */

typedef struct file {
    const char *path;
    char what[40];
    bool is_written;
} file;

enum { MAX_FILES = 32 };
typedef struct files {
    file items[MAX_FILES];
    size_t count;
} files;

static void add(files *all, const char *path, const char *dashes, const char *what,
                bool is_written) {
    if (!path || all->count == MAX_FILES || (is_written && !strcmp(path, "-"))) return;
    file *one = &all->items[all->count++];
    *one = (file){.path = path, .is_written = is_written};
    snprintf(one->what, sizeof one->what, "%s%s", dashes, what);
}

static int check_pairs(const files *all) {
    for (size_t i = 0; i < all->count; i++)
        for (size_t j = 0; j < i; j++) {
            const file *a = &all->items[i], *b = &all->items[j];
            if (!(a->is_written || b->is_written) || !same_file(a->path, b->path)) continue;
            const file *written = a->is_written ? a : b, *other = written == a ? b : a;
            return fail(EXIT_USAGE, "%s: '%s' would overwrite %s; choose another name",
                        written->what, written->path, other->what);
        }
    return 0;
}

/* `opts` with one of its operands. */
static int check_operand(const options *opts, const char *operand) {
    files all = {.count = 0};
    char *sidecar = NULL, *script = opts->plot ? gnuplot_script_path(opts->plot) : NULL;
    add(&all, operand, "", "the model", false);
    if (operand && strcmp(operand, "-") && (sidecar = malloc(strlen(operand) + 6)))
        add(&all, strcat(strcpy(sidecar, operand), ".json"), "", "its side-car", false);
    for (const option_row *row = option_table; row->name; row++)
        if (row->kind == OPTION_READ || row->kind == OPTION_WRITE)
            add(&all, *(const char *const *)((const char *)opts + row->offset), "--", row->name,
                row->kind == OPTION_WRITE);
    add(&all, script, "", "the script of --plot", true);
    int code = check_pairs(&all);
    free(sidecar);
    free(script);
    return code;
}

int collision_check(const options *opts) {
    int code = opts->n_operands ? 0 : check_operand(opts, NULL);
    for (size_t i = 0; !code && i < opts->n_operands; i++)
        code = check_operand(opts, opts->operands[i]);
    return code;
}

#include "format/select.h"

#include "base/size.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/* One pattern, cut out of the list. */
typedef struct glob {
    char *text;
    bool leaves_out, fits; /* fits: some tensor */
} glob;

/* Cuts `list` at its commas; answers how many patterns there are, empty ones left out. */
static size_t cut(char *list, glob *out) {
    size_t n = 0;
    for (char *next = list; next;) {
        char *text = next + strspn(next, " ");
        next = strchr(text, ',');
        if (next) *next++ = 0;
        const bool leaves_out = *text == '!';
        text += leaves_out;
        if (*text) out[n++] = (glob){text, leaves_out, false};
    }
    return n;
}

static bool is_selected(const char *name, glob *globs, size_t n, bool otherwise) {
    bool selected = otherwise;
    for (size_t i = 0; i < n; i++) {
        if (fnmatch(globs[i].text, name, 0) != 0) continue;
        globs[i].fits = true;
        selected = !globs[i].leaves_out;
    }
    return selected;
}

static void keep_selected(rk_tensors *tensors, glob *globs, size_t n) {
    bool otherwise = true; /* if all leave out */
    for (size_t i = 0; i < n; i++)
        otherwise = otherwise && globs[i].leaves_out;
    size_t kept = 0;
    for (size_t i = 0; i < tensors->count; i++) {
        rk_tensor *tensor = &tensors->items[i];
        if (is_selected(tensor->name, globs, n, otherwise))
            tensors->items[kept++] = *tensor;
        else
            rk_tensor_clear(tensor);
    }
    tensors->count = kept;
}

rk_status rk_tensors_select(rk_tensors *tensors, const char *list, rk_error *error) {
    if (!list) return RK_OK;
    char *copy = strdup(list);
    glob *globs = rk_alloc(strlen(list) + 1, 1, sizeof *globs);
    rk_status status = RK_OK;
    if (!copy || !globs) {
        status = rk_fail(error, RK_ERROR_MEMORY, "no memory to select tensors");
    } else {
        const size_t n = cut(copy, globs), before = tensors->count;
        keep_selected(tensors, globs, n);
        for (size_t i = 0; status == RK_OK && i < n; i++)
            if (!globs[i].fits)
                status = rk_fail(error, RK_ERROR_FORMAT,
                                 "none of the %zu tensors has a name like '%.100s'", before,
                                 globs[i].text);
        if (status == RK_OK && tensors->count == 0)
            status = rk_fail(error, RK_ERROR_FORMAT, "'%.100s' selects none of the %zu tensors",
                             list, before);
    }
    free(globs);
    free(copy);
    return status;
}

bool rk_name_rank(const char *name, const char *globs, size_t *out) {
    enum { LONGEST = 256 }; /* no name is longer */
    *out = 0;
    for (const char *next = globs; *next; ++*out) {
        next += strspn(next, " ");
        const size_t length = strcspn(next, ",");
        char text[LONGEST];
        if (length < sizeof text) {
            memcpy(text, next, length);
            text[length] = 0;
            if (fnmatch(text, name, 0) == 0) return true;
        }
        next += length + (next[length] == ',');
    }
    return false;
}

#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message.h"

static int fail_writing(const char *path) {
    return fail(EXIT_FAILED, "cannot write %s: %s", path, strerror(errno));
}

/* Closes the file; returns 0 or an exit code. */
static int finish(FILE *stream, const char *path, int code) {
    bool bad = ferror(stream) != 0;
    bad |= fclose(stream) != 0;
    return !code && bad ? fail_writing(path) : code;
}

/* A stream on a new file beside `path`, with the permissions the final one should have. */
static FILE *open_temporary(const char *path, const struct stat *old, char *temporary) {
    sprintf(temporary, "%s.XXXXXX", path);
    int fd = mkstemp(temporary);
    if (fd < 0) return NULL;
    mode_t mask = umask(0);
    umask(mask);
    fchmod(fd, old ? old->st_mode & 0777 : 0666 & ~mask);
    return fdopen(fd, "w");
}

static int print_and_rename(const char *path, const struct stat *old, printer *print,
                            const void *result) {
    char *temporary = malloc(strlen(path) + sizeof ".XXXXXX");
    FILE *stream = temporary ? open_temporary(path, old, temporary) : NULL;
    if (!stream) {
        free(temporary);
        return fail_writing(path);
    }
    int code = finish(stream, path, print(result, stream));
    if (!code && rename(temporary, path) != 0) code = fail_writing(path);
    if (code) unlink(temporary);
    free(temporary);
    return code;
}

int output_print(const char *path, printer *print, const void *result) {
    if (!path || !strcmp(path, "-")) return print(result, stdout); /* main() checks stdout */
    struct stat status;
    bool exists = stat(path, &status) == 0;
    if (!exists || S_ISREG(status.st_mode))
        return print_and_rename(path, exists ? &status : NULL, print, result);
    FILE *stream = fopen(path, "w");
    return stream ? finish(stream, path, print(result, stream)) : fail_writing(path);
}

int output_result(const options *opts, printer *human, printer *json, const void *result) {
    return output_print(opts->output, opts->json ? json : human, result);
}

#include "format/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static rk_status fail(rk_error *error, const char *verb, const char *path) {
    char why[128];
    int code = errno;
    if (strerror_r(code, why, sizeof why) != 0) snprintf(why, sizeof why, "error %d", code);
    return rk_fail(error, RK_ERROR_IO, "cannot %s '%s': %s", verb, path, why);
}

/* ------------------------------------------------------------------------------------ reading */

/* The size of what can be read at any place; 0 for pipes, and files that do not know theirs. */
static size_t size_on_disk(int fd) {
    struct stat stat;
    const bool known = fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) && stat.st_size > 0;
    return known && (uintmax_t)stat.st_size < SIZE_MAX / 2 ? (size_t)stat.st_size : 0;
}

static rk_status read_all(int fd, unsigned char **bytes, size_t *size, const char *path,
                          rk_error *error) {
    size_t known = size_on_disk(fd), capacity = known ? known + 1 : 1 << 16, used = 0;
    unsigned char *buffer = malloc(capacity);
    for (;;) {
        if (!buffer) return rk_fail(error, RK_ERROR_MEMORY, "no memory to read '%s'", path);
        ssize_t got = read(fd, buffer + used, capacity - used);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            rk_status status = fail(error, "read", path);
            free(buffer);
            return status;
        }
        if (got == 0) break;
        used += (size_t)got;
        if (used < capacity) continue;
        unsigned char *larger = capacity < SIZE_MAX / 2 ? realloc(buffer, 2 * capacity) : NULL;
        if (!larger) free(buffer);
        buffer = larger;
        capacity *= 2;
    }
    *bytes = buffer;
    *size = used;
    return RK_OK;
}

static bool is_absent(void) {
    return errno == ENOENT || errno == ENAMETOOLONG;
}

rk_status rk_file_load_if_there(unsigned char **bytes, size_t *size, const char *path,
                                rk_error *error) {
    *bytes = NULL;
    *size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return is_absent() ? RK_OK : fail(error, "open", path);
    rk_status status = read_all(fd, bytes, size, path, error);
    close(fd);
    return status;
}

rk_status rk_file_open(rk_file *out, const char *path, rk_error *error) {
    *out = (rk_file){.path = path, .fd = -1};
    if (strcmp(path, "-") == 0) {
        out->path = "standard input";
        rk_status status = read_all(STDIN_FILENO, &out->own, &out->size, out->path, error);
        out->bytes = out->own;
        return status;
    }
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail(error, "open", path);
    out->size = size_on_disk(fd);
    if (out->size > 0) {
        out->fd = fd;
        return RK_OK;
    }
    rk_status status = read_all(fd, &out->own, &out->size, path, error);
    out->bytes = out->own;
    close(fd);
    return status;
}

rk_status rk_file_read(const rk_file *file, size_t offset, void *out, size_t size,
                       rk_error *error) {
    if (file->bytes) {
        if (size > 0) memcpy(out, file->bytes + offset, size);
        return RK_OK;
    }
    for (unsigned char *to = out; size > 0;) {
        const ssize_t got = pread(file->fd, to, size, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(error, "read", file->path);
        if (got == 0)
            return rk_fail(error, RK_ERROR_IO, "'%s' became shorter while it was read", file->path);
        to += got;
        offset += (size_t)got;
        size -= (size_t)got;
    }
    return RK_OK;
}

rk_status rk_file_begin(unsigned char **bytes, size_t *size, const rk_file *file, rk_error *error) {
    enum { SEEN = 1 << 16 };
    *size = file->size < SEEN ? file->size : SEEN;
    *bytes = malloc(*size ? *size : 1);
    if (!*bytes) return rk_fail(error, RK_ERROR_MEMORY, "no memory to read a file");
    return rk_file_read(file, 0, *bytes, *size, error);
}

void rk_file_close(rk_file *file) {
    if (!file->bytes) close(file->fd);
    free(file->own);
    *file = (rk_file){.fd = -1};
}

/* ------------------------------------------------------------------------------------ writing */

static bool write_all(int fd, const unsigned char *bytes, size_t size) {
    while (size > 0) {
        ssize_t put = write(fd, bytes, size);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return false;
        bytes += put;
        size -= (size_t)put;
    }
    return true;
}

/* A new file "PATH.PID.N.part", its name in `name`; -1 with errno on failure. */
static int create_beside(const char *path, char *name, size_t capacity) {
    for (int attempt = 0; attempt < 100; attempt++) {
        snprintf(name, capacity, "%s.%ld.%d.part", path, (long)getpid(), attempt);
        int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST) return fd;
    }
    return -1;
}

/* Makes the renaming itself last; where directories cannot be synced there is nothing to do. */
static void sync_directory_of(char *path) {
    char *slash = strrchr(path, '/');
    if (slash) slash[slash == path] = '\0';
    int fd = open(slash ? path : ".", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

rk_status rk_file_replace(const char *path, const unsigned char *bytes, size_t size,
                          rk_error *error) {
    size_t capacity = strlen(path) + 64;
    char *name = malloc(capacity);
    if (!name) return rk_fail(error, RK_ERROR_MEMORY, "no memory to write '%s'", path);
    rk_status status = RK_OK;
    int fd = create_beside(path, name, capacity);
    if (fd < 0) {
        status = fail(error, "create a file beside", path);
    } else {
        bool written = write_all(fd, bytes, size) && fsync(fd) == 0;
        if (!written) status = fail(error, "write", path);
        if (close(fd) != 0 && written) status = fail(error, "write", path);
        if (status == RK_OK && rename(name, path) != 0) status = fail(error, "replace", path);
        if (status == RK_OK)
            sync_directory_of(name);
        else
            unlink(name);
    }
    free(name);
    return status;
}

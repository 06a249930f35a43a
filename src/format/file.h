/* The only place that opens files. Not mapped into memory: a file that is cut short while it is
 * read is an error then, where a map would kill the process. */
#ifndef RK_FORMAT_FILE_H
#define RK_FORMAT_FILE_H

#include "base/status.h"

/** A file to be read piece by piece: on disk, or in memory what came through a pipe (or is given,
 *  with the other members zero). */
typedef struct rk_file {
    const unsigned char *bytes; /**< NULL: on disk */
    size_t size;
    const char *path; /**< for messages; borrowed */
    int fd;
    unsigned char *own; /**< the bytes, if they are to be freed */
} rk_file;

/** Opens a file, or stdin for "-"; what is no regular file is read to its end. RK_ERROR_IO says why
 *  not. Close it unless it fails. */
rk_status rk_file_open(rk_file *out, const char *path, rk_error *error);
/** Bytes [offset, offset + size), which must be within the size. */
rk_status rk_file_read(const rk_file *file, size_t offset, void *out, size_t size, rk_error *error);
/** As much of it as it takes to know what it is, to be freed whatever happens. */
rk_status rk_file_begin(unsigned char **bytes, size_t *size, const rk_file *file, rk_error *error);
void rk_file_close(rk_file *file);

/** A whole file into bytes to be freed; *bytes = NULL if it does not exist. */
rk_status rk_file_load_if_there(unsigned char **bytes, size_t *size, const char *path,
                                rk_error *error);

/** Replaces the file in one step: a reader sees the old or the new bytes, never a mixture. Goes
 *  through a temporary file beside it, synced to disk and then renamed; on failure the old file is
 *  untouched and the temporary one is removed. */
rk_status rk_file_replace(const char *path, const unsigned char *bytes, size_t size,
                          rk_error *error);

#endif

/* The only place that opens files. */
#ifndef RK_FORMAT_FILE_H
#define RK_FORMAT_FILE_H

#include "base/status.h"

/** Reads a whole file, or stdin for "-", into bytes to be freed. RK_ERROR_IO says why not. */
rk_status rk_file_read(unsigned char **bytes, size_t *size, const char *path, rk_error *error);

/** The same, but *bytes = NULL for a file that does not exist. */
rk_status rk_file_read_if_there(unsigned char **bytes, size_t *size, const char *path,
                                rk_error *error);

/** Replaces the file in one step: a reader sees the old or the new bytes, never a mixture. Goes
 *  through a temporary file beside it, synced to disk and then renamed; on failure the old file is
 *  untouched and the temporary one is removed. */
rk_status rk_file_replace(const char *path, const unsigned char *bytes, size_t size,
                          rk_error *error);

#endif

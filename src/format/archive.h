/* ZIP archives, of which nobody knows who wrote them: sizes are checked before anything is
 * unpacked. */
#ifndef RK_FORMAT_ARCHIVE_H
#define RK_FORMAT_ARCHIVE_H

#include "format/file.h"

#include <zip.h>

/** Strict about the archive's consistency; that includes names that occur twice. `file` must
 * outlive it. Close it with zip_discard. */
rk_status rk_archive_open(zip_t **out, const rk_file *file, rk_error *error);

/** What the members seen so far add up to; `archive` is the size of the file. */
typedef struct rk_archive_tally {
    uint64_t unpacked, packed, archive;
} rk_archive_tally;

/** What member `index` is, with a name, a size and a way of compression that are possible: refused
 *  are those that are encrypted, overlap, or unpack to more than there can be (64 GiB together).
 *  `sum` sees every member once. */
rk_status rk_archive_stat(zip_t *archive, zip_uint64_t index, zip_stat_t *out,
                          rk_archive_tally *sum, rk_error *error);

/** The next `size` bytes of a member; false if it is damaged. */
bool rk_archive_read(zip_file_t *file, unsigned char *bytes, size_t size);
/** At its end libzip verifies the CRC. */
bool rk_archive_is_at_end(zip_file_t *file);
/** A whole member, whose size the caller has found small enough, in bytes to be freed. */
rk_status rk_archive_load(unsigned char **out, zip_t *archive, const zip_stat_t *stat,
                          rk_error *error);

#endif

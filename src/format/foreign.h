/* Files that are not read: what they are, and what makes a readable one of them. */
#ifndef RK_FORMAT_FOREIGN_H
#define RK_FORMAT_FOREIGN_H

#include "base/status.h"

/** How to make one file of shards, for messages. */
#define RK_FOREIGN_JOIN                                                                            \
    "in Python, with safetensors.torch: save_file({k: t for f in "                                 \
    "glob.glob('*-of-*.safetensors') for k, t in load_file(f).items()}, 'net.safetensors')"

/** RK_ERROR_FORMAT, naming what the file is and the way out, if its first bytes are known not to be
 *  a format that is read; else RK_OK. */
rk_status rk_foreign_check(const unsigned char *bytes, size_t size, rk_error *error);

/** Refuses a ZIP archive by the name of one of its members; RK_OK if that says nothing. */
rk_status rk_foreign_check_member(const char *member, rk_error *error);

#endif

/* What the control groups of the process leave it of the machine: containers and batch systems set
 * them, and whoever counts the machine's processors and bytes instead is throttled or killed. */
#ifndef RK_BASE_CGROUP_H
#define RK_BASE_CGROUP_H

#include <stdint.h>

/* Both read <root>/proc/self/cgroup and the files below <root>/sys/fs/cgroup, versions 1 and 2,
 * from the own group up to the topmost: the least limit counts. `root` is "" but for tests. What
 * cannot be read limits nothing. */

/** Processors by quota, rounded up; INT_MAX if there is none. */
int rk_cgroup_processors(const char *root);
/** Bytes; UINT64_MAX if there is no limit. */
uint64_t rk_cgroup_memory(const char *root);

#endif

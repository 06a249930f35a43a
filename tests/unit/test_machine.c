/* What the process may use of the machine: fake trees of control groups, affinity, limits; and the
 * pool that works with it. */
#define _GNU_SOURCE
#include "base/cgroup.h"
#include "base/pool.h"
#include "base/size.h"

#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka wants some of the above */
#include <cmocka.h>

/* ------------------------------------------------------------------------------ control groups */

typedef struct fake_file {
    const char *path, *text;
} fake_file;

typedef struct tree {
    const char *what;
    fake_file files[8];
    int processors;
    uint64_t memory;
} tree;

#define SELF "/proc/self/cgroup"
#define TOP  "/sys/fs/cgroup"

static const tree trees[] = {
    {"no control groups", {{NULL, NULL}}, INT_MAX, UINT64_MAX},
    {"v2 without limits",
     {{SELF, "0::/user\n"},
      {TOP "/user/cpu.max", "max 100000\n"},
      {TOP "/user/memory.max", "max\n"}},
     INT_MAX,
     UINT64_MAX},
    {"v2, the own group's",
     {{SELF, "0::/a/b\n"},
      {TOP "/a/b/cpu.max", "250000 100000\n"},
      {TOP "/a/b/memory.max", "1073741824\n"}},
     3, /* 2.5, rounded up */
     1073741824},
    {"v2, a group further up is stricter",
     {{SELF, "0::/a/b/c\n"},
      {TOP "/a/b/c/cpu.max", "max 100000\n"},
      {TOP "/a/b/c/memory.max", "9000000000\n"},
      {TOP "/a/cpu.max", "400000 200000\n"},
      {TOP "/a/memory.max", "5000000000\n"},
      {TOP "/a/memory.high", "4000000000\n"}},
     2,
     4000000000},
    {"v2, seen from inside: only the topmost is there",
     {{SELF, "0::/docker/0123\n"}, {TOP "/cpu.max", "50000 100000"}, {TOP "/memory.max", "777\n"}},
     1, /* half a processor is one */
     777},
    {"v2, outside of what is seen",
     {{SELF, "0::/../other\n"}, {TOP "/memory.max", "778\n"}, {"/sys/fs/other/memory.max", "1\n"}},
     INT_MAX,
     778},
    {"v1, controllers mounted together and linked apart",
     {{SELF, "12:memory:/job\n3:cpu,cpuacct:/job\n0::/\n"},
      {TOP "/memory/job/memory.limit_in_bytes", "2147483648\n"},
      {TOP "/cpu,cpuacct/job/cpu.cfs_quota_us", "600000\n"},
      {TOP "/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n"}},
     6,
     2147483648},
    {"v1, one folder for each",
     {{SELF, "4:cpu,cpuacct:/\n2:memory:/x/y\n"},
      {TOP "/cpu/cpu.cfs_quota_us", "100000\n"},
      {TOP "/cpu/cpu.cfs_period_us", "100000\n"},
      {TOP "/memory/x/y/memory.limit_in_bytes", "9223372036854771712\n"},
      {TOP "/memory/x/memory.limit_in_bytes", "123456789\n"}},
     1,
     123456789},
    {"v1 without limits",
     {{SELF, "4:cpu:/q\n2:memory:/q\n"},
      {TOP "/cpu/q/cpu.cfs_quota_us", "-1\n"},
      {TOP "/cpu/q/cpu.cfs_period_us", "100000\n"},
      {TOP "/memory/q/memory.limit_in_bytes", "9223372036854775807\n"}},
     INT_MAX,
     UINT64_MAX},
    {"both versions",
     {{SELF, "2:cpu:/q\n0::/q\n"},
      {TOP "/unified/q/memory.max", "4096\n"},
      {TOP "/cpu/q/cpu.cfs_quota_us", "200000\n"},
      {TOP "/cpu/q/cpu.cfs_period_us", "100000\n"}},
     2,
     4096},
    {"rubbish",
     {{SELF, "rubbish\n0:\n::\n0::/r\n"},
      {TOP "/r/cpu.max", "12 0\n"},
      {TOP "/r/memory.max", "?\n"},
      {TOP "/r/memory.high", ""}},
     INT_MAX,
     UINT64_MAX},
};

static void write_file(const char *root, const fake_file *file) {
    char path[512];
    size_t start = strlen(root) + 1;
    snprintf(path, sizeof path, "%s%s", root, file->path);
    for (char *slash = path + start; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(file->text, out);
    fclose(out);
}

static void test_control_groups(void **state) {
    (void)state;
    for (size_t t = 0; t < sizeof trees / sizeof *trees; t++) {
        char root[] = "/tmp/reckon_cgroup_XXXXXX", remove[64];
        assert_non_null(mkdtemp(root));
        for (const fake_file *file = trees[t].files; file->path; file++)
            write_file(root, file);
        int processors = rk_cgroup_processors(root);
        uint64_t memory = rk_cgroup_memory(root);
        snprintf(remove, sizeof remove, "rm -r %s", root);
        assert_int_equal(system(remove), 0);
        if (processors != trees[t].processors || memory != trees[t].memory)
            fail_msg("%s: %d processors, %llu bytes", trees[t].what, processors,
                     (unsigned long long)memory);
    }
}

static void test_affinity(void **state) {
    (void)state;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&one);
    for (size_t cpu = 0; CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
    int all = rk_pool_default_threads();
    assert_true(all >= 1 && all <= CPU_COUNT(&before));
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    int threads = rk_pool_default_threads();
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    assert_int_equal(threads, 1);
}

/* A limit that leaves 64 MiB beyond what is in use, whatever that is. */
static uint64_t usable_under(__rlimit_resource_t resource, int column) {
    unsigned long long pages[7] = {0};
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    for (int i = 0; i < 7; i++)
        assert_int_equal(fscanf(file, "%llu", &pages[i]), 1);
    fclose(file);
    struct rlimit before, tight;
    assert_int_equal(getrlimit(resource, &before), 0);
    tight = before;
    tight.rlim_cur = pages[column] * (rlim_t)sysconf(_SC_PAGESIZE) + (64 << 20);
    assert_int_equal(setrlimit(resource, &tight), 0);
    uint64_t usable = rk_usable_memory();
    assert_int_equal(setrlimit(resource, &before), 0);
    return usable;
}

static void test_limits_of_the_process(void **state) {
    (void)state;
    assert_true(rk_usable_memory() > 64 << 20);
    const uint64_t by_space = usable_under(RLIMIT_AS, 0), by_data = usable_under(RLIMIT_DATA, 5);
    assert_true(by_space > 0 && by_space <= 64 << 20);
    assert_true(by_data > 0 && by_data <= 64 << 20);
}

/* -------------------------------------------------------------------------------------- the pool
 */

enum { BLOCKS = 97 };

static void mark_block(void *context, size_t block) {
    unsigned char *seen = context;
    seen[block]++;
}

static bool runs_every_block_once(rk_pool *pool) {
    unsigned char seen[BLOCKS] = {0};
    rk_pool_run(pool, BLOCKS, mark_block, seen);
    for (size_t b = 0; b < BLOCKS; b++)
        if (seen[b] != 1) return false;
    return true;
}

static int n_tasks(void) {
    char text[256];
    int n = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(text, sizeof text, file))
        sscanf(text, "Threads: %d", &n);
    if (file) fclose(file);
    return n;
}

static void test_threads_start_when_there_is_work(void **state) {
    (void)state;
    unsigned char seen[3] = {0};
    int before = n_tasks();
    rk_pool *pool;
    assert_int_equal(rk_pool_create(&pool, 40, NULL), RK_OK);
    assert_int_equal(n_tasks(), before);
    rk_pool_run(pool, 1, mark_block, seen);
    assert_int_equal(n_tasks(), before);
    rk_pool_run(pool, 3, mark_block, seen);
    assert_in_range(n_tasks(), before + 2, before + 3); /* a sanitizer has one of its own */
    assert_int_equal(rk_pool_threads(pool), 40);
    rk_pool_destroy(pool);
}

static void test_a_forked_child_computes_alone(void **state) {
    (void)state;
    rk_pool *pool;
    assert_int_equal(rk_pool_create(&pool, 3, NULL), RK_OK);
    assert_true(runs_every_block_once(pool));
    pid_t child = fork();
    if (child == 0) {
        bool good = runs_every_block_once(pool);
        rk_pool_destroy(pool);
        _exit(good ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(runs_every_block_once(pool));
    rk_pool_destroy(pool);
}

static bool until_third(void *context) {
    int *asked = context;
    return ++*asked < 3;
}

static void test_the_listener_cuts_a_run_short(void **state) {
    (void)state;
    for (int threads = 1; threads <= 3; threads++) {
        rk_pool *pool;
        int asked = 0;
        unsigned char seen[BLOCKS] = {0};
        assert_int_equal(rk_pool_create(&pool, threads, NULL), RK_OK);
        rk_pool_listen(pool, until_third, &asked);
        rk_pool_run(pool, BLOCKS, mark_block, seen);
        size_t done = 0;
        for (size_t b = 0; b < BLOCKS; b++)
            done += seen[b];
        if (threads == 1) assert_int_equal(done, 3);
        rk_pool_listen(pool, NULL, NULL);
        assert_true(runs_every_block_once(pool));
        rk_pool_destroy(pool);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_control_groups),
        cmocka_unit_test(test_affinity),
        cmocka_unit_test(test_limits_of_the_process),
        cmocka_unit_test(test_threads_start_when_there_is_work),
        cmocka_unit_test(test_a_forked_child_computes_alone),
        cmocka_unit_test(test_the_listener_cuts_a_run_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

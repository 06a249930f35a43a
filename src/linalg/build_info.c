/* What only the running library knows about itself. */
#include "base/pool.h"
#include "base/size.h"
#include "linalg/library.h"

#include <stdio.h>

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER "gcc " __VERSION__
#else
#define COMPILER "unknown"
#endif

static const char *vector_units(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return "x86-64 with AVX-512";
    if (__builtin_cpu_supports("avx2")) return "x86-64 with AVX2";
    return "x86-64";
#elif defined(__aarch64__)
    return "aarch64";
#else
    return "unknown";
#endif
}

void rk_build_info(char *text, size_t size) {
    rk_blas_identity blas = rk_blas_identify();
    snprintf(text, size,
             "library %s\ncompiler %s\nblas %s\nblas_threads %s\nblas_core %s\nblas_file %s\n"
             "processor %s\nthreads %d\nmemory_bytes %llu\n",
             rk_version(), COMPILER, blas.name, blas.threads, blas.core, blas.file, vector_units(),
             rk_pool_default_threads(), (unsigned long long)rk_usable_memory());
}

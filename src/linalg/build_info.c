/* What only the compiled library knows about itself. */
#include "linalg/blas.h"

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
    snprintf(text, size, "library %s\ncompiler %s\nblas %s\nprocessor %s\n", rk_version(), COMPILER,
             rk_blas_name(), vector_units());
}

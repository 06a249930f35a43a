/* Loops worth compiling for the vector unit of the machine they run on. */
#ifndef RK_BASE_SIMD_H
#define RK_BASE_SIMD_H

/* RK_HOT before a function: one clone a vector width, chosen when the program starts. Contraction
 * of a * b + c is off, so that all clones give the same bits. Sanitizers are not ready when the
 * choice is made. */
#if defined(__x86_64__) && defined(__linux__) && !defined(__SANITIZE_ADDRESS__) &&                 \
    !defined(__SANITIZE_THREAD__) && !defined(RK_NO_CLONES)
#define RK_HOT __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define RK_HOT
#endif

/* RK_INDEPENDENT before a loop: its rounds touch different memory. */
#if defined(__clang__)
#define RK_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define RK_INDEPENDENT _Pragma("GCC ivdep")
#else
#define RK_INDEPENDENT
#endif

#endif

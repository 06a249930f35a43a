/* Loops worth compiling for the vector unit of the machine they run on. */
#ifndef RK_BASE_SIMD_H
#define RK_BASE_SIMD_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define RK_SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RK_SANITIZED
#endif

/* RK_HOT before a static function: one clone a vector width, chosen when the program starts (a
 * sanitizer is not ready then). a * b + c is never contracted, so that all clones give the same
 * bits. Its name is unique in the library: clang's resolvers are not static. RK_HOT_PART before a
 * function that RK_HOT ones call. */
#if defined(__GNUC__) && defined(__x86_64__) && defined(__linux__) && !defined(RK_SANITIZED)
#define RK_HOT __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define RK_HOT
#endif
#if defined(__GNUC__)
#define RK_HOT_PART static inline __attribute__((always_inline))
#else
#define RK_HOT_PART static inline
#endif

/* RK_INDEPENDENT before a loop: its rounds touch different memory. A sanitizer's checks keep clang
 * from vectorizing, which it would warn about. */
#if defined(__clang__) && !defined(RK_SANITIZED)
#define RK_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__) && !defined(__clang__)
#define RK_INDEPENDENT _Pragma("GCC ivdep")
#else
#define RK_INDEPENDENT
#endif

#endif

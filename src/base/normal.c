#include "base/normal.h"

#include "base/simd.h"

#include <math.h>
#include <sleef.h>
#include <string.h>

enum { CHUNK = 256 }; /* words made at a time; a multiple of RK_STREAM_BLOCK */

void rk_normal_doubles(rk_stream stream, uint64_t item, size_t count, double *out) {
    uint64_t words[CHUNK];
    for (size_t first = 0; first < count; first += CHUNK) {
        size_t chunk = count - first < CHUNK ? count - first : CHUNK;
        rk_stream_words(stream, item, first, chunk + (chunk & 1), words);
        for (size_t k = 0; k < chunk; k += 2) {
            double u = (double)((words[k] >> 11) + 1) * 0x1p-53;
            double r = sqrt(-2 * Sleef_cinz_logd1_u10purec(u));
            double half_turns = (double)(words[k + 1] >> 11) * 0x1p-52;
            Sleef_double_2 direction = Sleef_cinz_sincospid1_u05purec(half_turns);
            out[first + k] = r * direction.y;
            if (k + 1 < chunk) out[first + k + 1] = r * direction.x;
        }
    }
}

RK_HOT_PART float float_of_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

RK_HOT_PART uint32_t bits_of_float(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* mask ? a : b for a mask of all ones or all zeros; compilers would turn ?: into a branch. */
RK_HOT_PART float either(uint32_t mask, float a, float b) {
    return float_of_bits((bits_of_float(a) & mask) | (bits_of_float(b) & ~mask));
}

/* x, or -x if `sign` is the sign bit. */
RK_HOT_PART float flip(float x, uint32_t sign) {
    return float_of_bits(bits_of_float(x) ^ sign);
}

/* Word k makes out[2k], out[2k+1]. Plain arithmetic and bit operations: IEEE 754 makes the
 * bits the same for every clone. */
RK_HOT static void make_pairs(size_t n_words, const uint64_t *words, float *out) {
    const uint32_t root_half = 0x3f3504f3; /* bits of sqrt(1/2) */
    for (size_t k = 0; k < n_words; k++) {
        /* ln u with u = 2^e m, sqrt(1/2) <= m < sqrt(2): ln m = 2 artanh((m - 1) / (m + 1));
         * for e = 0, m - 1 = u - 1 comes from the word, for it would cancel */
        uint32_t high = (uint32_t)(words[k] >> 32);
        float u = ((float)high + 0.5f) * 0x1p-32f;
        float u_minus_1 = ((float)~high + 0.5f) * -0x1p-32f;
        uint32_t shifted = bits_of_float(u) - root_half;
        int32_t e = (int32_t)shifted >> 23;
        float m = float_of_bits((shifted & 0x007fffff) + root_half);
        float s = either(0 - (uint32_t)(e == 0), u_minus_1, m - 1) / (m + 1), s2 = s * s;
        float artanh =
            s + s * s2 * (1.0f / 3 + s2 * (1.0f / 5 + s2 * (1.0f / 7 + s2 * (1.0f / 9))));
        float r = sqrtf((float)e * -1.386294361f - 4 * artanh);

        /* the angle: the nearest multiple q of a quarter turn, and x in [-pi/4, pi/4] beyond it */
        uint32_t turn = (uint32_t)words[k];
        uint32_t q = (turn + (UINT32_C(1) << 29)) >> 30;
        float x = (float)(int32_t)(turn << 2) * (0x1p-32f * 1.570796327f), x2 = x * x;
        float sine =
            x +
            x * x2 * (-1.0f / 6 + x2 * (1.0f / 120 + x2 * (-1.0f / 5040 + x2 * (1.0f / 362880))));
        float cosine =
            1 + x2 * (-0.5f + x2 * (1.0f / 24 + x2 * (-1.0f / 720 + x2 * (1.0f / 40320))));
        uint32_t odd = 0 - (q & 1);
        out[2 * k] = r * flip(either(odd, sine, cosine), ((q + 1) & 2) << 30);
        out[2 * k + 1] = r * flip(either(odd, cosine, sine), (q & 2) << 30);
    }
}

void rk_normal_floats(rk_stream stream, uint64_t item, size_t count, float *out) {
    uint64_t words[CHUNK];
    for (size_t first = 0; first < count; first += 2 * CHUNK) {
        size_t chunk = count - first < 2 * CHUNK ? count - first : 2 * CHUNK;
        rk_stream_words(stream, item, first / 2, (chunk + 1) / 2, words);
        make_pairs(chunk / 2, words, out + first);
        if (chunk & 1) {
            float pair[2];
            make_pairs(1, &words[chunk / 2], pair);
            out[first + chunk - 1] = pair[0];
        }
    }
}

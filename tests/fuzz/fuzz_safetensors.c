/* libFuzzer target: everything that is not recognised as an archive or array. */
#include "format/npy.h"
#include "format/npz.h"
#include "fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (!rk_npz_recognise(bytes, size) && !rk_npy_recognise(bytes, size)) target_read(bytes, size);
    return 0;
}

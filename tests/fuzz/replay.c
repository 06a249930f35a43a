/* replay FILE...: runs a fuzz target on stored inputs, for builds without libFuzzer. */
#include "fuzz/input.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        input in = input_read(argv[i]);
        LLVMFuzzerTestOneInput(in.bytes, in.size);
        free(in.bytes);
    }
    printf("%d inputs\n", argc - 1);
    return argc > 1 ? 0 : 2;
}

#include "fuzz/input.h"

#include <stdio.h>
#include <stdlib.h>

input input_read(const char *path) {
    input in = {0};
    FILE *file = fopen(path, "rb");
    if (file && fseek(file, 0, SEEK_END) == 0) {
        in.size = (size_t)ftell(file);
        rewind(file);
        in.bytes = malloc(in.size ? in.size : 1);
    }
    if (!in.bytes || fread(in.bytes, 1, in.size, file) != in.size) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(2);
    }
    fclose(file);
    return in;
}

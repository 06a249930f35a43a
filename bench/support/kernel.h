/* What the programs that time kernels share. Trouble ends the program. */
#ifndef KERNEL_H
#define KERNEL_H

#include "sample/sample.h"
#include "study.h"

/** Zeroed memory. */
void *need(size_t count, size_t size);

/** Of this process, all threads together. */
double processor_seconds(void);

/** What a run of the sampler came to. */
typedef struct sampled {
    double seconds; /* processor time of the run, not of its plan */
    double flops;
    uint64_t passes;
    double *mean, *standard_error, *variance; /* n_out each; free(mean) frees all */
} sampled;

/** Passes through `net` under the standard normal, on the calling thread. */
sampled sample_passes(const rk_network *net, rk_sample_spec spec);

#endif

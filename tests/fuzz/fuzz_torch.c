/* libFuzzer target: PyTorch's files of both kinds, and pickles alone. */
#include "format/checkpoint.h"
#include "format/pickle.h"
#include "format/torch.h"
#include "fuzz/target.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* A view that is reported lies within its storage. */
static rk_status visit(void *to, const char *name, size_t holder, const rk_torch_view *view,
                       rk_error *error) {
    (void)to, (void)error;
    size_t last = view->start, count = 1;
    for (size_t d = 0; d < view->n_dims; d++) {
        last += (view->shape[d] - 1) * view->stride[d];
        count *= view->shape[d];
    }
    if (!*name || holder > strlen(name)) abort();
    if (view->storage.type && count > 0 && last >= view->storage.bytes / view->type->element.size)
        abort();
    return RK_OK;
}

static void read_pickle(const uint8_t *bytes, size_t size) {
    rk_pickle pickle;
    rk_error error = {.status = RK_OK};
    rk_status status = rk_pickle_read(&pickle, bytes, size, &error);
    if (status == RK_OK) status = rk_torch_check_globals(&pickle, &error);
    if (status == RK_OK) status = rk_checkpoint_walk(&pickle, visit, NULL, &error);
    if (status != RK_OK && !*error.message) abort();
    rk_pickle_destroy(&pickle);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    const rk_file file = {.bytes = bytes, .size = size};
    if (rk_torch_recognise(&file, bytes, size))
        target_read(bytes, size);
    else
        read_pickle(bytes, size);
    return 0;
}

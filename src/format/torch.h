/* PyTorch's .pt and .pth: a pickle that names storages, and their bytes, in a ZIP archive (1.6 and
 * later) or one after the other (before). Nothing is executed (format/pickle.h). */
#ifndef RK_FORMAT_TORCH_H
#define RK_FORMAT_TORCH_H

#include "format/file.h"
#include "format/tensor.h"

/** True for an archive with a pickle of torch.save in it that is no TorchScript, and for what
 * begins like a file of the old kind. `bytes` are the file's first. */
bool rk_torch_recognise(const rk_file *file, const unsigned char *bytes, size_t size);

/** Appends every tensor in the file's dictionaries, lists and tuples, named by its path; the values
 *  stay there. Integers, booleans, complex and quantised numbers are announced as unread. Views may
 *  overlap, but all tensors together repeat the file's bytes at most once for each, and 4 million
 *  numbers. On failure `tensors` keeps what had been read. */
rk_status rk_torch_read(rk_tensors *tensors, const rk_file *file, rk_error *error);

#endif

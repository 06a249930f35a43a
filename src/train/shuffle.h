/* The order in which samples are seen. */
#ifndef RK_TRAIN_SHUFFLE_H
#define RK_TRAIN_SHUFFLE_H

#include "base/stream.h"

/** order[0..n) = 0 .. n - 1, every order as likely as any other: a function of the stream and the
 *  epoch, its item, alone. */
void rk_shuffle(rk_stream stream, uint64_t epoch, size_t n, size_t *order);

#endif

/* Networks and events that no sample shows, for bench/rare_training. Errors stop the program. */
#ifndef RARE_H
#define RARE_H

#include "reckon/reckon.h"

/** He-initialised, relu, three hidden layers of the width of the input, 16 outputs. */
rk_network *rare_network(size_t width, uint64_t seed);

/** Sets event->threshold so that its probability is 10^wanted, to a few per cent, by importance
 *  sampling. */
void rare_threshold(const rk_network *net, rk_event *event, double wanted);

/** 10^p by `auto`, which is unbiased, with so many passes. */
rk_tail_estimate rare_probability(const rk_network *net, const rk_event *event, rk_tail_kind kind,
                                  uint64_t passes);

#endif

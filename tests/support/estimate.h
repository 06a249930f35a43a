/* Networks to ask about, and their answers. Trouble fails the running test. */
#ifndef TEST_ESTIMATE_H
#define TEST_ESTIMATE_H

#include "reckon/reckon.h"

/** A random network by `spec`, whose sizes are ignored: n inputs, n outputs, `hidden` layers of n.
 */
rk_network *draw_square(rk_random_spec spec, size_t n, size_t hidden);

/** The same with He-initialised relu layers, each `noise` times its random matrix plus `rank`
 *  directions `spike` times as strong as one of a random matrix: what training makes. */
rk_network *draw_spiked(size_t n, size_t hidden, uint64_t seed, double noise, size_t rank,
                        double spike);

/** To be destroyed. */
rk_answer *answer_of(const rk_network *net, const rk_input *input, const rk_options *options);

/** The same for a network of these layers. */
rk_answer *answer_of_layers(const rk_layer *layers, size_t n_layers, const rk_input *input,
                            const rk_options *options);

/** Whether a warning contains `text`. */
bool is_warned(const rk_answer_data *answer, const char *text);

#endif

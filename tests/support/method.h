/* Methods by their text, as a command line has them. What is none fails the running test. */
#ifndef TEST_METHOD_H
#define TEST_METHOD_H

#include "reckon/reckon.h"

/** For rk_options.method and .tail; good until so many more have been asked for: of each 64. */
const rk_method_spec *method_of(const char *text);
const rk_tail_spec *tail_method_of(const char *text);

#endif

/* What the names of tensors and files say. */
#ifndef RK_FORMAT_NAME_H
#define RK_FORMAT_NAME_H

#include <stdbool.h>
#include <stddef.h>

typedef enum rk_tensor_role { RK_ROLE_WEIGHT, RK_ROLE_BIAS, RK_ROLE_NONE } rk_tensor_role;

/** The role that the last word (run of letters) of a name gives: weight, weights, W, kernel, coefs;
 *  bias, biases, b, intercepts. Cuts that word out of `name`, so "fc1.weight" and "fc1.bias" become
 * "fc1.", and "W2" and "b2" become "2". RK_ROLE_NONE leaves the name alone. */
rk_tensor_role rk_name_split(char *name);

/** The role alone. */
rk_tensor_role rk_name_role(const char *name);

/** True if that word says that a matrix is (in, out): kernel of Flax and Keras, coefs of
 *  scikit-learn. */
bool rk_name_is_in_out(const char *name);

/** Natural order: runs of digits compare as numbers, "fc9" < "fc10". */
int rk_name_compare(const char *a, const char *b);

/** True if the names differ in their numbers alone: "layer1.fc2." and "layer10.fc1.". */
bool rk_name_alike(const char *a, const char *b);

/** Reads the next run of digits in *name and steps behind it; numbers too large are SIZE_MAX.
 * False, at the end, if there is none. */
bool rk_name_number(const char **name, size_t *out);

/** True for the name of one file of several, "model-00001-of-00002.safetensors"; *which and *count
 *  are its numbers. */
bool rk_name_is_shard(const char *path, size_t *which, size_t *count);

/** True if `name` ends with `ending`. */
bool rk_name_ends_with(const char *name, const char *ending);

#endif

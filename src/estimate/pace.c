#include "estimate/pace.h"

#include "network/homogeneous.h"
#include "sample/bases.h"
#include "sample/division.h"

double rk_pace_of_closure(const rk_problem *problem, const rk_method *method, double flops,
                          double speed) {
    const double width = (double)rk_network_max_width(problem->net);
    if (method->pace.wide > 0)
        speed *= method->pace.wide * width / (width + method->pace.half_width);
    return flops / speed;
}

/* The same of products of passes: in float, in blocks. */
static const double wide_passes = 1.2;

/* Nanoseconds besides, roughly. Fitted to the user time of
 *
 *     reckon estimate NET -m sample:POINTS -n N --threads 1
 *
 * with points iid, antithetic and orthogonal on networks from 1-1-1-1 to 256x4 and from 2-3-2 to
 * 256-1-1, relu first and then the other activations: within 1.5 of nearly all. */
static const double of_normal = 3, of_item = 40, of_layer = 10, of_value = 0.6, of_block = 800,
                    of_rotated = 35; /* an entry of the rotation of a replicate */

/* Of an activation's values beyond that: of one among whole vectors, and of one left over. What a
 * callback takes nobody knows. */
enum { VECTOR = 8 };
static const struct {
    double together, alone;
} smooth[RK_ACTIVATION_COUNT] = {
    [RK_GELU] = {7.5, 64}, [RK_TANH] = {5, 42},     [RK_SIGMOID] = {2, 20},
    [RK_SILU] = {2, 20},   [RK_SOFTPLUS] = {4, 57}, [RK_CUSTOM] = {20, 20}};

static double of_layer_pass(const rk_layer *layer) {
    const rk_activation_kind kind = layer->activation.kind;
    const double left_over = (double)(layer->rows % VECTOR), rows = (double)layer->rows;
    return of_layer + of_value * rows + smooth[kind].together * (rows - left_over) +
           smooth[kind].alone * left_over;
}

/* An item is a point or a mirrored pair. Rotated points draw but their length, and that where it
 * matters. */
static double of_points(const rk_problem *problem, rk_point_set points) {
    const size_t n_in = rk_network_n_in(problem->net);
    size_t normals = n_in;
    if (rk_points_are_rotated(points))
        normals = rk_network_scales(problem->net) ? 0 : rk_bases_dimension(n_in);
    const double item = of_item + of_normal * (double)normals;
    return rk_points_are_mirrored(points) ? item / 2 : item;
}

double rk_pace_of_passes(const rk_problem *problem, const rk_sample_spec *passes, double flops,
                         double speed) {
    const rk_network *net = problem->net;
    const rk_division of =
        rk_divide(passes->points, passes->control, rk_network_n_in(net), passes->n_samples);
    double pass = of_points(problem, passes->points);
    for (size_t l = 0; l < net->n_layers; l++)
        pass += of_layer_pass(&net->layers[l]);
    double usual = pass * (double)of.n_passes + of_block * (double)of.n_blocks;
    if (rk_points_are_rotated(passes->points)) {
        const double n = (double)rk_network_n_in(net);
        usual += (double)of.n_replicates * of_rotated * n *
                 (double)rk_bases_dimension(rk_network_n_in(net));
    }
    return flops / (speed * wide_passes) + 1e-9 * usual * (RK_USUAL_SPEED / speed);
}

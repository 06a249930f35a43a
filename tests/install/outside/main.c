/* Somebody else's program: E[relu(x)] for x ~ N(0, 1). */
#include <math.h>
#include <reckon/reckon.h>
#include <stdio.h>

int main(void) {
    const double one = 1.0;
    const rk_layer layers[] = {
        {.rows = 1, .cols = 1, .weight = &one, .activation = {.kind = RK_RELU}},
        {.rows = 1, .cols = 1, .weight = &one, .activation = {.kind = RK_IDENTITY}},
    };
    rk_options options = rk_options_default();
    options.method = "mean";
    rk_network *net = NULL;
    rk_answer *answer = NULL;
    rk_error error;
    bool right = false;
    if (rk_network_create(&net, layers, 2, &error) == RK_OK &&
        rk_estimate(&answer, net, NULL, &options, &error) == RK_OK) {
        right = fabs(rk_answer_view(answer)->mean[0] - 0.3989422804014327) <= 1e-15;
        printf("reckon %s\n", rk_version());
    } else {
        fprintf(stderr, "%s\n", error.message);
    }
    rk_answer_destroy(answer);
    rk_network_destroy(net);
    return right ? 0 : 1;
}

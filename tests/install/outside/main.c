/* Somebody else's program. */
#include <reckon/reckon.h>
#include <stdio.h>

int main(void) {
    const double one = 1.0;
    const rk_layer layer = {
        .rows = 1, .cols = 1, .weight = &one, .activation = {.kind = RK_IDENTITY}};
    rk_network *net = NULL;
    rk_error error;
    if (rk_network_create(&net, &layer, 1, &error) != RK_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    printf("reckon %s\n", rk_version());
    rk_network_destroy(net);
    return 0;
}

/* Mean of the outputs of a network in a file, with its error, through the public header only:
 *     estimate net.safetensors [method] */
#include <reckon/reckon.h>
#include <stdio.h>

static void print(const rk_answer_data *answer) {
    for (size_t i = 0; i < answer->n_out; i++) {
        double error = answer->error_per_output ? answer->error_per_output[i] : answer->error_rms;
        printf("y[%zu] = %g +- %.1g\n", i, answer->mean[i], error);
    }
    printf("%s: %llu FLOPs, %g seconds\n", answer->method,
           (unsigned long long)answer->cost.flops_executed, answer->seconds);
    for (size_t i = 0; i < answer->n_warnings; i++)
        fprintf(stderr, "warning: %s\n", answer->warnings[i]);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE [METHOD]\n", argv[0]);
        return 2;
    }
    rk_options options = rk_options_default();
    rk_method_spec method = {.kind = RK_AUTO};
    options.method = &method;

    rk_network *net = NULL;
    rk_answer *answer = NULL;
    rk_error error;
    bool ok = rk_method_parse(argc > 2 ? argv[2] : "auto", &method, &error) == RK_OK &&
              rk_network_read(&net, argv[1], NULL, &error) == RK_OK &&
              rk_estimate(&answer, net, NULL, &options, &error) == RK_OK;
    if (ok)
        print(rk_answer_view(answer));
    else
        fprintf(stderr, "%s\n", error.message);
    rk_answer_destroy(answer);
    rk_network_destroy(net);
    return ok ? 0 : 1;
}

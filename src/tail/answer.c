#include "tail/answer.h"

#include "base/size.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const rk_tail_data *rk_tail_view(const rk_tail_answer *answer) {
    return &answer->data;
}

void rk_tail_destroy(rk_tail_answer *answer) {
    if (!answer) return;
    rk_tail_ledger_clear(&answer->ledger);
    free(answer->estimates);
    free(answer);
}

rk_status rk_tail_answer_create(rk_tail_answer **out, const rk_tail_plan *plan, rk_error *error) {
    const size_t n = plan->n_events;
    *out = NULL;
    rk_tail_answer *answer = calloc(1, sizeof *answer);
    rk_tail_estimate *estimates = rk_alloc(n, 1, sizeof *estimates);
    if (!answer || !estimates) {
        free(estimates);
        free(answer);
        return rk_fail(error, RK_ERROR_MEMORY, "no memory for %zu events", n);
    }
    for (size_t i = 0; i < n; i++)
        rk_tail_estimate_clear(&estimates[i]);
    answer->estimates = estimates;
    answer->spec = plan->spec;
    rk_tail_method_spell(&answer->spec, answer->method, sizeof answer->method);
    answer->data = (rk_tail_data){.n_events = n,
                                  .estimates = estimates,
                                  .method = answer->method,
                                  .spec = &answer->spec,
                                  .seed = plan->options.seed,
                                  .warnings = answer->warnings};
    *out = answer;
    return RK_OK;
}

void rk_tail_answer_settle(rk_tail_answer *answer, const rk_tail_ledger *ledger, uint64_t passes) {
    rk_tail_data *data = &answer->data;
    answer->ledger = *ledger;
    data->flops_executed = ledger->flops;
    data->bytes = ledger->bytes;
    data->cost = (rk_tail_cost){.flops = ledger->flops,
                                .is_exact = true,
                                .bytes = ledger->bytes,
                                .samples = passes,
                                .steps = ledger->steps,
                                .n_steps = ledger->n_steps};
}

void rk_tail_answer_warn(rk_tail_answer *answer, const char *format, ...) {
    const size_t i = answer->data.n_warnings;
    if (i == RK_TAIL_MAX_WARNINGS) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(answer->warning_text[i], sizeof answer->warning_text[i], format, arguments);
    va_end(arguments);
    answer->warnings[i] = answer->warning_text[i];
    answer->data.n_warnings++;
}

/* By what was asked for: nobody misses a bound that nobody gave. */
void rk_tail_answer_judge(rk_tail_answer *answer, const rk_options *asked) {
    rk_tail_data *data = &answer->data;
    size_t far = 0;
    double worst = 0;
    for (size_t i = 0; asked->tolerance > 0 && i < data->n_events; i++) {
        const double cv = data->estimates[i].cv;
        if (cv <= asked->tolerance) continue;
        worst = isnan(cv) || isnan(worst) ? (double)NAN : fmax(worst, cv);
        far++;
    }
    const double flops = (double)data->flops_executed;
    const bool dear = asked->budget_flops > 0 && flops > asked->budget_flops;
    const bool slow = asked->budget_seconds > 0 && data->seconds > asked->budget_seconds;
    if (far && isfinite(worst))
        rk_tail_answer_warn(answer,
                            "tolerance not met by %zu of %zu events: cv up to %.2g, not %.2g", far,
                            data->n_events, worst, asked->tolerance);
    else if (far)
        rk_tail_answer_warn(answer,
                            "tolerance not met: the error of %zu of %zu events is not known", far,
                            data->n_events);
    if (dear)
        rk_tail_answer_warn(answer, "budget not met: %.3g FLOPs, not %.3g", flops,
                            asked->budget_flops);
    if (slow)
        rk_tail_answer_warn(answer, "budget not met: %.2g s, not %.2g", data->seconds,
                            asked->budget_seconds);
    data->unmet = far > 0 || dear || slow;
}

#include "tail/method.h"

#include "estimate/methods.h"
#include "propagate/gauge.h"
#include "tail/answers.h"

#include <stdio.h>
#include <string.h>

static const rk_tail_method table[] = {
    {{"auto", "cumulants first, checked without bias by plain or tilted passes", "CLOSURE"},
     "third",
     rk_tail_auto},
    {{"normal", "the tail of a normal with the propagated mean and variance", "CLOSURE"},
     "covariance",
     rk_tail_normal},
    {{"edgeworth", "the threshold as one more activation (the paper's)", "CLOSURE"},
     "third",
     rk_tail_edgeworth},
    {{"saddlepoint", "Lugannani and Rice's formula on the propagated cumulants", "CLOSURE"},
     "third",
     rk_tail_by_saddlepoint},
    {{"sample", "plain passes, counted; Clopper-Pearson interval", ""}, NULL, rk_tail_sample},
    {{"importance", "passes tilted towards the event, weighted; unbiased", ""},
     NULL,
     rk_tail_importance},
    {{"subset", "subset simulation: a chain of likely events", ""}, NULL, rk_tail_subset},
};
enum { N_METHODS = sizeof table / sizeof *table };

const rk_method_info *rk_tail_method_at(size_t index) {
    return index < N_METHODS ? &table[index].info : NULL;
}

/* The closures are those of rk_estimate. */
static rk_status parse_closure(const char *text, rk_law_source *source, char *canonical,
                               size_t size, rk_error *error) {
    const rk_method *method;
    rk_method_arguments arguments;
    rk_status status = rk_method_parse(text, &method, &arguments, canonical, size, error);
    if (status != RK_OK) return status;
    const char *name = method->info.name;
    *source = (rk_law_source){.closure = RK_LAW_REFERENCE};
    if (!strcmp(name, "covariance") && !arguments.angular) {
        source->closure = RK_LAW_COVARIANCE;
        source->budget = 1;
    } else if (!strcmp(name, "third") && arguments.gauge <= RK_GAUGE_NONE) {
        source->closure = RK_LAW_THIRD;
        source->budget = 2;
        arguments.gauge = RK_GAUGE_NONE; /* a gauge keeps means only */
        rk_method_spell(method, &arguments, canonical, size);
    } else if (!strcmp(name, "fourth")) {
        source->reference = (rk_reference_spec){.K = 4, .factored = true};
        source->budget = 3;
    } else if (!strcmp(name, "reference")) {
        source->reference = rk_reference_spec_of(&arguments);
        bool augment = arguments.kind == RK_REFERENCE_AUGMENT && arguments.K > 1;
        source->budget = augment ? arguments.K : arguments.K - 1;
        return rk_reference_check(&source->reference, NULL, false, error);
    } else {
        return rk_fail(error, RK_ERROR_UNSUPPORTED,
                       "tail probabilities need a law, not '%s'; closures: covariance, third, "
                       "fourth, reference:...",
                       text);
    }
    return RK_OK;
}

rk_status rk_tail_method_parse(const char *text, const rk_tail_method **method,
                               rk_law_source *source, char canonical[RK_TAIL_METHOD_SIZE],
                               rk_error *error) {
    if (!text) text = "auto";
    size_t length = strcspn(text, ":");
    *method = NULL;
    for (size_t i = 0; i < N_METHODS; i++)
        if (strlen(table[i].info.name) == length && !strncmp(table[i].info.name, text, length))
            *method = &table[i];
    if (!*method) {
        char known[200] = "";
        for (size_t i = 0; i < N_METHODS; i++) {
            size_t used = strlen(known);
            snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", table[i].info.name);
        }
        return rk_fail(error, RK_ERROR_ARGUMENT, "unknown method '%.100s'; for events there are %s",
                       text, known);
    }
    const char *argument = text[length] ? text + length + 1 : (*method)->closure;
    if (text[length] && !(*method)->closure)
        return rk_fail(error, RK_ERROR_ARGUMENT, "method '%s' takes no arguments",
                       (*method)->info.name);
    char unseen[RK_TAIL_METHOD_SIZE];
    size_t used = (size_t)snprintf(canonical, RK_TAIL_METHOD_SIZE, "%s%s", (*method)->info.name,
                                   argument ? ":" : "");
    return parse_closure(argument ? argument : "covariance", source,
                         argument ? canonical + used : unseen, RK_TAIL_METHOD_SIZE - used, error);
}

#include "tail/method.h"

#include "base/size.h"
#include "estimate/methods.h"
#include "estimate/words.h"
#include "tail/answers.h"

#include <stdio.h>
#include <string.h>

static const rk_tail_method table[] = {
    [RK_TAIL_BY_AUTO] = {.info = {"auto",
                                  "cumulants first, checked without bias by plain or tilted passes",
                                  "CLOSURE"},
                         .takes_closure = true,
                         .closure = RK_THIRD,
                         .takes_passes = true,
                         .run = rk_tail_auto},
    [RK_TAIL_BY_NORMAL] = {.info = {"normal",
                                    "the tail of a normal with the propagated mean and variance",
                                    "CLOSURE"},
                           .takes_closure = true,
                           .closure = RK_COVARIANCE,
                           .is_exact = true,
                           .run = rk_tail_normal},
    [RK_TAIL_BY_EDGEWORTH] = {.info = {"edgeworth",
                                       "the threshold as one more activation (the paper's)",
                                       "CLOSURE"},
                              .takes_closure = true,
                              .closure = RK_THIRD,
                              .is_exact = true,
                              .run = rk_tail_edgeworth},
    [RK_TAIL_BY_SADDLEPOINT] = {.info = {"saddlepoint",
                                         "Lugannani and Rice's formula on the propagated cumulants",
                                         "CLOSURE"},
                                .takes_closure = true,
                                .closure = RK_THIRD,
                                .is_exact = true,
                                .run = rk_tail_by_saddlepoint},
    [RK_TAIL_BY_SAMPLE] = {.info = {"sample", "plain passes, counted; Clopper-Pearson interval",
                                    ""},
                           .takes_passes = true,
                           .is_exact = true,
                           .run = rk_tail_sample},
    [RK_TAIL_BY_IMPORTANCE] = {.info = {"importance",
                                        "passes tilted towards the event, weighted; unbiased", ""},
                               .takes_passes = true,
                               .run = rk_tail_importance},
    [RK_TAIL_BY_SUBSET] = {.info = {"subset", "subset simulation: a chain of likely events", ""},
                           .takes_passes = true,
                           .run = rk_tail_subset},
};
_Static_assert(sizeof table / sizeof *table == RK_TAIL_COUNT, "every kind is a method");

const rk_method_info *rk_tail_method_at(size_t index) {
    return index < RK_TAIL_COUNT ? &table[index].info : NULL;
}

const rk_tail_method *rk_tail_method_of(const rk_tail_spec *spec) {
    return &table[spec->kind];
}

/* --------------------------------------------------------------------------------------- text */

rk_status rk_tail_method_parse(const char *text, rk_tail_spec *out, rk_error *error) {
    if (!text) text = "auto";
    rk_tail_spec spec = {.kind = RK_TAIL_BY_AUTO};
    size_t length = strcspn(text, ":"), kind;
    rk_status status =
        rk_method_find(rk_tail_method_at, text, length, "for events there", &kind, error);
    if (status != RK_OK) return status;
    spec.kind = (rk_tail_kind)kind;
    if (text[length] && !table[kind].takes_closure)
        return rk_fail(error, RK_ERROR_ARGUMENT, "method '%s' takes no arguments",
                       table[kind].info.name);
    if (text[length]) status = rk_method_parse(text + length + 1, &spec.closure, error);
    if (status == RK_OK && !rk_write_sized(out, &spec, sizeof spec, sizeof spec))
        return rk_fail(error, RK_ERROR_ARGUMENT, "rk_tail_spec.size is %zu: expected %zu or 0",
                       out->size, sizeof spec);
    return status;
}

void rk_tail_method_spell(const rk_tail_spec *asked, char *text, size_t size) {
    rk_tail_spec spec;
    if (size == 0) return;
    *text = 0;
    if (!rk_read_sized(&spec, sizeof spec, sizeof spec, asked)) return;
    const rk_method_info *info = rk_tail_method_at(spec.kind);
    if (!info) return;
    const bool has_closure = spec.closure.kind != RK_AUTO;
    snprintf(text, size, "%s%s", info->name, has_closure ? ":" : "");
    const size_t used = strlen(text);
    if (has_closure) rk_method_spell(&spec.closure, text + used, size - used);
}

/* --------------------------------------------------------------------------------- the closure */

/* The closures are those of rk_estimate that know a law. */
static rk_status find_source(rk_method_spec *closure, rk_law_source *source, rk_error *error) {
    *source = (rk_law_source){.closure = RK_LAW_REFERENCE};
    switch (closure->kind) {
    case RK_COVARIANCE:
        if (closure->angular || closure->pairs) break;
        *source = (rk_law_source){.closure = RK_LAW_COVARIANCE, .budget = 1};
        return RK_OK;
    case RK_THIRD: /* a tilt keeps means only */
        if (closure->tilt == RK_TILT_ON || closure->fourth > RK_FOURTH_AVERAGE) break;
        closure->tilt = RK_TILT_OFF;
        closure->fourth = RK_FOURTH_AVERAGE;
        *source = (rk_law_source){.closure = RK_LAW_THIRD, .budget = 2};
        return RK_OK;
    case RK_FOURTH:
        source->reference = (rk_reference_spec){.K = 4, .factored = true};
        source->budget = 3;
        return RK_OK;
    case RK_REFERENCE:
        source->reference = rk_reference_spec_of(closure);
        bool augment = closure->terms == RK_REFERENCE_AUGMENT && closure->order > 1;
        source->budget = augment ? closure->order : closure->order - 1;
        return rk_reference_check(&source->reference, NULL, false, error);
    default:
        break;
    }
    char text[RK_METHOD_TEXT];
    rk_method_spell(closure, text, sizeof text);
    return rk_fail(error, RK_ERROR_UNSUPPORTED,
                   "tail probabilities need a law, not '%s'; closures: covariance, third with "
                   "tilt=off, fourth, reference:...",
                   text);
}

rk_status rk_tail_method_accept(rk_tail_spec *own, const rk_tail_spec *asked, bool is_plain,
                                rk_law_source *source, rk_error *error) {
    static const rk_tail_spec standard = {.kind = RK_TAIL_BY_AUTO};
    if (!asked) asked = &standard;
    if (!rk_read_sized(own, sizeof *own, sizeof *own, asked))
        return rk_fail(error, RK_ERROR_ARGUMENT, RK_SIZE_IS_NONE, "rk_tail_spec", asked->size,
                       sizeof *own);
    if ((unsigned)own->kind >= RK_TAIL_COUNT)
        return rk_fail(error, RK_ERROR_ARGUMENT, "method for events number %d: there are %d",
                       (int)own->kind, RK_TAIL_COUNT);
    const rk_method_spec closure = own->closure;
    if (closure.size > sizeof closure)
        return rk_fail(error, RK_ERROR_ARGUMENT, RK_SIZE_IS_NONE, "rk_tail_spec.closure",
                       closure.size, sizeof closure);
    rk_status status = rk_method_accept(&own->closure, &closure, error);
    if (status != RK_OK) return status;
    const rk_tail_method *method = rk_tail_method_of(own);
    if (method->takes_closure) {
        if (closure.kind == RK_AUTO)
            own->closure.kind =
                is_plain || own->kind != RK_TAIL_BY_AUTO ? method->closure : RK_COVARIANCE;
        return find_source(&own->closure, source, error);
    }
    if (closure.kind != RK_AUTO)
        return rk_fail(error, RK_ERROR_ARGUMENT, "method '%s' takes no closure", method->info.name);
    *source = (rk_law_source){.closure = RK_LAW_COVARIANCE, .budget = 1};
    return RK_OK;
}

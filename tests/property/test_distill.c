/* Students of all kinds of teachers, by the public header. */
#include "reckon/reckon.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof table / sizeof *table)

enum { N = 10 };

/* How a random teacher is changed. */
typedef enum change {
    AS_IT_IS,
    DEAD,   /* a third of the neurons of every hidden layer says nothing */
    ALIKE,  /* every second one is the one before */
    SILENT, /* all neurons of a layer are dead: the output is constant */
    LARGE,  /* outputs times 2^200 */
    SMALL   /* first weights times 2^-200 */
} change;

typedef struct teacher_case {
    const char *name, *activation;
    change change;
    bool biased, law;
    size_t n_hidden;
    size_t students[4]; /* widths, up to 0 */
} teacher_case;

static const teacher_case cases[] = {
    {"relu", "relu", AS_IT_IS, false, false, 3, {5, 5, 5}},
    {"one layer", "relu", AS_IT_IS, false, false, 1, {5}},
    {"shallow student", "relu", AS_IT_IS, false, false, 3, {5}},
    {"deep student", "relu", AS_IT_IS, false, false, 1, {5, 5, 5}},
    {"wide student", "relu", AS_IT_IS, false, false, 2, {15, 12}},
    {"biases, any input", "relu", AS_IT_IS, true, true, 3, {5, 6, 5}},
    {"tanh", "tanh", AS_IT_IS, true, false, 2, {5, 5}},
    {"gelu", "gelu", AS_IT_IS, false, true, 2, {5, 5}},
    {"abs", "abs", AS_IT_IS, false, false, 2, {5, 5}},
    {"linear", "identity", AS_IT_IS, true, false, 2, {5, 5}},
    {"dead neurons", "relu", DEAD, false, false, 3, {8, 8, 8}},
    {"neurons alike", "relu", ALIKE, true, true, 3, {7, 7, 7}},
    {"silent", "relu", SILENT, true, false, 2, {4, 4}},
    {"large", "relu", LARGE, false, false, 2, {5, 5}},
    {"small", "relu", SMALL, false, false, 2, {5, 5}},
};

static double *copy(const double *x, size_t n) {
    double *y = malloc((n + 1) * sizeof *y);
    if (x) memcpy(y, x, n * sizeof *x);
    return y;
}

static void change_layer(const teacher_case *c, size_t l, rk_layer *layer, double *W, double *b) {
    const bool hidden = l < c->n_hidden;
    const double large = ldexp(1, 200);
    for (size_t i = 0; i < layer->rows; i++)
        for (size_t j = 0; j < layer->cols; j++) {
            double *w = &W[i * layer->cols + j];
            if (c->change == DEAD && hidden && i % 3 == 0) *w = 0;
            if (c->change == ALIKE && hidden && i % 2 == 1) *w = w[-(ptrdiff_t)layer->cols];
            if (c->change == SILENT && l == 0) *w = 0;
            if (c->change == LARGE && !hidden) *w *= large;
            if (c->change == SMALL && l == 0) *w /= large;
        }
    for (size_t i = 1; b && c->change == ALIKE && hidden && i < layer->rows; i += 2)
        b[i] = b[i - 1];
    for (size_t i = 0; b && c->change == SILENT && l == 0 && i < layer->rows; i++)
        b[i] = -1;
}

static rk_network *draw(const teacher_case *c, uint64_t seed) {
    const size_t hidden[] = {N, N + 1, N};
    rk_random_spec spec = {.n_in = N,
                           .n_out = 6,
                           .hidden = hidden,
                           .n_hidden = c->n_hidden,
                           .init = RK_INIT_MANUAL,
                           .weight_variance = 1.5,
                           .bias_variance = c->biased ? 0.1 : 0,
                           .seed = seed};
    rk_network *net, *changed;
    rk_layer layers[4];
    assert_int_equal(rk_activation_parse(c->activation, &spec.activation, NULL), RK_OK);
    assert_int_equal(rk_network_random(&net, &spec, NULL), RK_OK);
    const size_t n_layers = rk_network_n_layers(net);
    for (size_t l = 0; l < n_layers; l++) {
        layers[l] = rk_network_layer(net, l);
        double *W = copy(layers[l].weight, layers[l].rows * layers[l].cols);
        double *b = layers[l].bias ? copy(layers[l].bias, layers[l].rows) : NULL;
        change_layer(c, l, &layers[l], W, b);
        layers[l].weight = W, layers[l].bias = b;
    }
    assert_int_equal(rk_network_create(&changed, layers, n_layers, NULL), RK_OK);
    for (size_t l = 0; l < n_layers; l++)
        free((double *)layers[l].weight), free((double *)layers[l].bias);
    rk_network_destroy(net);
    return changed;
}

static double mean[N], covariance[N * N];

static const rk_input *law_of(const teacher_case *c) {
    static rk_input input = {.mean = mean, .covariance = covariance};
    for (size_t i = 0; i < N; i++) {
        mean[i] = 0.4 * sin(1 + (double)i);
        for (size_t j = 0; j < N; j++)
            covariance[i * N + j] = i == j ? 1.2 : 0.1 * cos((double)(i + j));
    }
    return c->law ? &input : NULL;
}

static rk_distill_options options_for(const teacher_case *c) {
    rk_distill_options o = rk_distill_options_default();
    o.hidden = c->students;
    while (o.n_hidden < 4 && c->students[o.n_hidden])
        o.n_hidden++;
    o.threads = 2;
    o.seed = 5;
    o.receipt_samples = 20000;
    return o;
}

static rk_distilled *distil(const char *name, const rk_network *teacher, const rk_input *input,
                            const rk_distill_options *options) {
    rk_distilled *d;
    rk_error error;
    if (rk_distill(&d, teacher, input, options, &error) != RK_OK)
        fail_msg("%s: %s", name, error.message);
    return d;
}

/* A student exists, does better than saying the mean, and the receipt sees what is stated. */
static void test_teachers(void **state) {
    (void)state;
    for (size_t k = 0; k < COUNT(cases); k++) {
        const teacher_case *c = &cases[k];
        rk_network *teacher = draw(c, 3 + k);
        rk_distill_options o = options_for(c);
        o.finish = RK_FINISH_OFF;
        rk_distilled *d = distil(c->name, teacher, law_of(c), &o);
        const rk_distill_data *r = rk_distilled_view(d);
        const double square = r->true_teacher_square;
        assert_int_equal(rk_network_n_layers(r->student), o.n_hidden + 1);
        for (size_t l = 0; l < o.n_hidden; l++)
            assert_int_equal(rk_network_layer(r->student, l).rows, c->students[l]);
        if (!(r->loss <= 0.4 * square) ||
            !(fabs(r->loss - r->closure_loss) <= 0.12 * square + 4 * r->loss_standard_error))
            fail_msg("%s: loss %.4g, stated %.4g, of %.4g", c->name, r->loss, r->closure_loss,
                     square);
        if (c->change == SILENT && !(r->loss <= 1e-12 * square))
            fail_msg("a constant is learnt to %.3g of %.3g", r->loss, square);
        rk_distilled_destroy(d);
        rk_network_destroy(teacher);
    }
}

/* The units of outputs and weights leave relative losses as they are. */
static void test_units(void **state) {
    (void)state;
    double relative[3];
    for (int k = 0; k < 3; k++) {
        const teacher_case c = {"units", "relu",
                                k == 1   ? LARGE
                                : k == 2 ? SMALL
                                         : AS_IT_IS,
                                .n_hidden = 2, .students = {5, 5}};
        rk_network *teacher = draw(&c, 9);
        rk_distill_options o = options_for(&c);
        o.finish = RK_FINISH_ON;
        o.budget_flops = 2e6;
        rk_distilled *d = distil(c.name, teacher, NULL, &o);
        const rk_distill_data *r = rk_distilled_view(d);
        relative[k] = r->loss / r->true_teacher_square;
        rk_distilled_destroy(d);
        rk_network_destroy(teacher);
    }
    if (!(fabs(relative[1] - relative[0]) <= 1e-3 * relative[0]) ||
        !(fabs(relative[2] - relative[0]) <= 1e-3 * relative[0]))
        fail_msg("%.6g, in other units %.6g, %.6g", relative[0], relative[1], relative[2]);
}

static void test_itself(void **state) {
    (void)state;
    for (size_t k = 0; k < COUNT(cases); k++) {
        if (cases[k].change == LARGE || cases[k].change == SMALL) continue;
        rk_network *teacher = draw(&cases[k], 3 + k);
        rk_distill_options o = rk_distill_options_default();
        o.student = teacher;
        o.finish = RK_FINISH_OFF;
        rk_distilled *d = distil(cases[k].name, teacher, law_of(&cases[k]), &o);
        const rk_distill_data *r = rk_distilled_view(d);
        /* the readout is fitted anew, with a ridge of 1e-9 */
        if (!(fabs(r->closure_loss) <= 1e-7 * r->teacher_square) ||
            !(r->loss <= 1e-7 * r->true_teacher_square))
            fail_msg("%s: loss %.3g, %.3g by samples, of %.3g", cases[k].name, r->closure_loss,
                     r->loss, r->teacher_square);
        rk_distilled_destroy(d);
        rk_network_destroy(teacher);
    }
}

static void test_threads(void **state) {
    (void)state;
    rk_network *teacher = draw(&cases[5], 4);
    char hex[2][65];
    for (int k = 0; k < 2; k++) {
        rk_distill_options o = options_for(&cases[5]);
        o.threads = k ? 3 : 1;
        o.budget_flops = 3e6;
        o.finish = RK_FINISH_ON;
        rk_distilled *d = distil("threads", teacher, law_of(&cases[5]), &o);
        assert_int_equal(rk_network_sha256(rk_distilled_view(d)->student, hex[k], NULL), RK_OK);
        assert_true(rk_distilled_view(d)->finished);
        assert_true(rk_distilled_view(d)->flops <= 3.1e6);
        rk_distilled_destroy(d);
    }
    assert_string_equal(hex[0], hex[1]);
    rk_network_destroy(teacher);
}

/* Going on from a student never loses; the finish gains; nor does it matter who owns what. */
static void test_going_on(void **state) {
    (void)state;
    rk_network *teacher = draw(&cases[0], 6);
    rk_distill_options o = options_for(&cases[0]);
    o.finish = RK_FINISH_OFF;
    o.budget_flops = 4e5;
    rk_distilled *first = distil("first", teacher, NULL, &o);
    rk_network *student = rk_distilled_take(first);
    assert_null(rk_distilled_take(first));
    o.student = student;
    o.budget_flops = 0;
    rk_distilled *second = distil("second", teacher, NULL, &o);
    assert_true(rk_distilled_view(second)->closure_loss <=
                rk_distilled_view(first)->closure_loss * (1 + 1e-9));
    o.finish = RK_FINISH_ON;
    rk_distilled *third = distil("third", teacher, NULL, &o);
    assert_true(rk_distilled_view(third)->loss < rk_distilled_view(second)->loss);
    rk_distilled_destroy(first);
    rk_distilled_destroy(second);
    rk_distilled_destroy(third);
    rk_network_destroy(student);
    rk_network_destroy(teacher);
}

/* ------------------------------------------------------------------------------------ interrupts
 */

typedef struct patience {
    rk_train_phase phase; /* in which it is lost, */
    uint64_t step;        /* from this step on, */
    bool for_good;        /* or only until the phase ends */
    uint64_t calls;
} patience;

static bool is_patient(void *context, const rk_train_point *now, double fraction) {
    patience *p = context;
    p->calls++;
    if (!(fraction >= 0 && fraction <= 1)) fail_msg("%g is no fraction", fraction);
    if (p->for_good && now->phase > p->phase) return false;
    return now->phase != p->phase || now->step < p->step;
}

static void test_interrupts(void **state) {
    (void)state;
    static const patience all[] = {{RK_PHASE_CLOSURE, 0, false, 0},
                                   {RK_PHASE_CLOSURE, 3, false, 0},
                                   {RK_PHASE_CLOSURE, 3, true, 0},
                                   {RK_PHASE_SAMPLES, 5, false, 0}};
    rk_network *teacher = draw(&cases[0], 6);
    for (size_t k = 0; k < COUNT(all); k++) {
        patience p = all[k];
        rk_distill_options o = options_for(&cases[0]);
        o.finish = RK_FINISH_ON;
        o.progress = is_patient;
        o.progress_context = &p;
        rk_distilled *d = distil("interrupted", teacher, NULL, &o);
        const rk_distill_data *r = rk_distilled_view(d);
        assert_true(r->interrupted);
        assert_true(p.calls > 0);
        assert_int_equal(r->receipt_samples > 0, !p.for_good);
        if (!p.for_good && !(r->loss < 0.7 * r->true_teacher_square))
            fail_msg("interrupt %zu: loss %.3g of %.3g", k, r->loss, r->true_teacher_square);
        rk_distilled_destroy(d);
    }
    rk_network_destroy(teacher);
}

/* --------------------------------------------------------------------------------------- budgets
 */

/* What does not fit is not begun: only the start, which has to be, can take more. */
static void test_budgets(void **state) {
    (void)state;
    rk_network *teacher = draw(&cases[0], 6);
    for (int k = 0; k < 24; k++) {
        rk_distill_options o = options_for(&cases[0]);
        o.budget_flops = 2e4 * pow(1.4, k);
        o.start = k % 2 ? RK_START_RANDOM : RK_START_PIVOTS;
        o.finish = k % 3 ? RK_FINISH_OFF : RK_FINISH_ON;
        o.receipt_samples = 100;
        rk_distilled *d = distil("budget", teacher, NULL, &o);
        const rk_distill_data *r = rk_distilled_view(d);
        if (r->closure_steps > 0 && !(r->flops <= o.budget_flops))
            fail_msg("%llu steps took %.6g of %.6g", (unsigned long long)r->closure_steps, r->flops,
                     o.budget_flops);
        if (r->flops > 1.05 * o.budget_flops) assert_true(r->unmet);
        if (k > 16) assert_true(r->closure_steps > 0 && !r->unmet);
        rk_distilled_destroy(d);
    }
    rk_network_destroy(teacher);
}

typedef struct shelf {
    double loss, largest_rise; /* as the steps see it */
    int count;
    size_t n_layers;
} shelf;

static void keep(void *context, const rk_network *best, const rk_train_point *now) {
    shelf *s = context;
    if (s->count++ > 0) s->largest_rise = fmax(s->largest_rise, now->loss - s->loss);
    s->loss = now->loss;
    s->n_layers = rk_network_n_layers(best);
}

/* Each is better than the one before, and a network as it will be delivered. */
static void test_checkpoints(void **state) {
    (void)state;
    rk_network *teacher = draw(&cases[2], 6); /* deeper than its student */
    rk_distill_options o = options_for(&cases[2]);
    shelf s = {.count = 0};
    o.finish = RK_FINISH_OFF;
    o.checkpoint = keep;
    o.checkpoint_context = &s;
    o.checkpoint_seconds = 0;
    rk_distilled *d = distil("checkpoints", teacher, NULL, &o);
    assert_true(s.count >= 4 && s.n_layers == 2 && !(s.largest_rise > 0));
    assert_true(s.loss == rk_distilled_view(d)->closure_loss);
    rk_distilled_destroy(d);
    rk_network_destroy(teacher);
}

/* --------------------------------------------------------------------------------------- refused
 */

static void test_refused(void **state) {
    (void)state;
    static const size_t widths[] = {5, 0};
    const rk_distill_options standard = rk_distill_options_default();
    rk_network *relu = draw(&cases[0], 6), *tanh_net = draw(&cases[6], 6);
    rk_network *flat, *active, *residual;
    rk_layer layer = rk_network_layer(relu, 0);
    assert_int_equal(rk_network_create(&active, &layer, 1, NULL), RK_OK);
    layer.activation.kind = RK_IDENTITY;
    assert_int_equal(rk_network_create(&flat, &layer, 1, NULL), RK_OK);
    const rk_random_spec spec = {
        .n_in = 4, .n_out = 4, .hidden = (size_t[]){4, 4}, .n_hidden = 2, .residual = true};
    assert_int_equal(rk_network_random(&residual, &spec, NULL), RK_OK);
    const struct refusal {
        const rk_network *teacher;
        rk_distill_options o;
        rk_status status;
        const char *says;
    } refusals[] = {
        {NULL, {.hidden = widths, .n_hidden = 1}, RK_ERROR_ARGUMENT, "no teacher"},
        {relu, {.n_hidden = 0}, RK_ERROR_ARGUMENT, "at least one width"},
        {relu, {.hidden = widths, .n_hidden = 2}, RK_ERROR_ARGUMENT, "hidden layer 2 has no"},
        {flat, {.hidden = widths, .n_hidden = 1}, RK_ERROR_UNSUPPORTED, "no hidden layer"},
        {residual, {.hidden = widths, .n_hidden = 1}, RK_ERROR_UNSUPPORTED, "no residual"},
        {relu, {.student = flat}, RK_ERROR_ARGUMENT, "no hidden layer"},
        {relu, {.student = residual}, RK_ERROR_UNSUPPORTED, "no residual"},
        {relu,
         {.hidden = widths, .n_hidden = 1, .pairs = RK_PAIRS_COMPLETED, .pairs_order = 9},
         RK_ERROR_ARGUMENT,
         "not 1 to 4"},
        {tanh_net,
         {.hidden = widths, .n_hidden = 1, .pairs = RK_PAIRS_EXACT},
         RK_ERROR_UNSUPPORTED,
         "take completed"},
        {relu,
         {.hidden = widths, .n_hidden = 1, .method = RK_DISTILL_ADAM},
         RK_ERROR_ARGUMENT,
         "need a budget"},
        {relu,
         {.hidden = widths, .n_hidden = 1, .method = RK_DISTILL_SGD, .budget_flops = 1e6},
         RK_ERROR_ARGUMENT,
         "need a rate"},
        {relu,
         {.hidden = widths, .n_hidden = 1, .budget_seconds = -1},
         RK_ERROR_ARGUMENT,
         "budgets"},
        {relu, {.hidden = widths, .n_hidden = 1, .memory_limit = 1000}, RK_ERROR_TOO_LARGE, "1000"},
    };
    for (size_t k = 0; k < COUNT(refusals); k++) {
        const struct refusal *r = &refusals[k];
        rk_distill_options o = r->o;
        rk_distilled *d = NULL;
        rk_error error;
        o.size = standard.size;
        const rk_status status = rk_distill(&d, r->teacher, NULL, &o, &error);
        if (status != r->status || d || !strstr(error.message, r->says))
            fail_msg("refusal %zu: %s, \"%s\"", k, rk_status_text(status),
                     status == RK_OK ? "" : error.message);
    }
    rk_network_destroy(relu), rk_network_destroy(tanh_net), rk_network_destroy(flat);
    rk_network_destroy(active), rk_network_destroy(residual);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_teachers), cmocka_unit_test(test_units),
        cmocka_unit_test(test_itself),   cmocka_unit_test(test_threads),
        cmocka_unit_test(test_going_on), cmocka_unit_test(test_interrupts),
        cmocka_unit_test(test_budgets),  cmocka_unit_test(test_checkpoints),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

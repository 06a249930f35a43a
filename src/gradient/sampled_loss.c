#include "gradient/sampled_loss.h"

#include <math.h>
#include <string.h>

static rk_status misfit(const char *what, size_t got, size_t wanted, rk_error *error) {
    return rk_fail(error, RK_ERROR_ARGUMENT, "%s has %zu entries but the network %zu", what, got,
                   wanted);
}

static rk_status check_labels(const rk_examples *e, size_t n_out, rk_error *error) {
    if (!e->targets.labels)
        return rk_fail(error, RK_ERROR_ARGUMENT, "a cross entropy needs labelled samples");
    for (size_t r = 0; r < e->n; r++)
        if (e->targets.labels[r] >= n_out)
            return rk_fail(error, RK_ERROR_ARGUMENT,
                           "sample %zu has label %zu, but there are outputs 0 to %zu", r,
                           e->targets.labels[r], n_out - 1);
    return RK_OK;
}

static rk_status check(const rk_examples *e, const rk_network *student, rk_error *error) {
    const size_t n_in = rk_network_n_in(student), n_out = rk_network_n_out(student);
    if (e->teacher && rk_network_n_in(e->teacher) != n_in)
        return misfit("the teacher's input", rk_network_n_in(e->teacher), n_in, error);
    if (e->teacher && rk_network_n_out(e->teacher) != n_out)
        return misfit("the teacher's output", rk_network_n_out(e->teacher), n_out, error);
    if (!e->teacher && (!e->x || e->n == 0))
        return rk_fail(error, RK_ERROR_ARGUMENT, "there are neither samples nor a teacher");
    if (e->residual == RK_RESIDUAL_CROSS_ENTROPY) return check_labels(e, n_out, error);
    if (!e->teacher && !e->targets.values)
        return rk_fail(error, RK_ERROR_ARGUMENT, "squared errors need values to compare with");
    return RK_OK;
}

size_t rk_sampled_loss_rows(const rk_examples *examples, const rk_network *student, size_t rows) {
    if (!examples->teacher) return rows;
    return rk_inputs_block(examples->points, rk_network_n_in(student), rows);
}

rk_status rk_sampled_loss_take(rk_work *work, const rk_examples *examples,
                               const rk_network *student, size_t block, bool back,
                               rk_sampled_loss *out, rk_error *error) {
    const rk_examples *e = examples;
    const size_t n_in = rk_network_n_in(student), n_out = rk_network_n_out(student);
    rk_status status = check(e, student, error);
    if (status == RK_OK && back) status = rk_batch_check(student, error);
    if (status != RK_OK) return status;
    block = rk_sampled_loss_rows(e, student, block);
    *out = (rk_sampled_loss){.examples = *e, .block = block};
    out->student = rk_batch_take(work, student, block, back);
    out->loss = rk_work_doubles(work, block, 1);
    if (e->teacher) {
        out->teacher = rk_batch_take(work, e->teacher, block, false);
        return rk_inputs_take(work, e->input, n_in, e->points, e->stream, block, &out->inputs,
                              error);
    }
    out->x = rk_work_doubles(work, block, n_in);
    if (e->targets.values) out->values = rk_work_doubles(work, block, n_out);
    if (e->targets.labels) out->labels = rk_work_take(work, block, sizeof *out->labels);
    return RK_OK;
}

/* Given samples, wherever they lie, one after another. */
static void gather(const rk_sampled_loss *loss, uint64_t first, size_t rows) {
    const rk_examples *e = &loss->examples;
    const size_t n_in = rk_network_n_in(loss->student.net);
    const size_t n_out = rk_network_n_out(loss->student.net);
    for (size_t r = 0; r < rows; r++) {
        size_t from = (size_t)((first + r) % e->n);
        if (e->order) from = e->order[from];
        memcpy(loss->x + r * n_in, e->x + from * n_in, n_in * sizeof(double));
        if (loss->values)
            memcpy(loss->values + r * n_out, e->targets.values + from * n_out,
                   n_out * sizeof(double));
        if (loss->labels) loss->labels[r] = e->targets.labels[from];
    }
}

/* The inputs of a block and what outputs should be there. */
static rk_status next_block(rk_work *work, rk_sampled_loss *loss, uint64_t first, size_t rows,
                            const double **x, rk_targets *targets, rk_error *error) {
    if (!loss->examples.teacher) {
        if (rk_work_charge(work, 0)) gather(loss, first, rows);
        *x = loss->x;
        *targets = (rk_targets){loss->values, loss->labels};
        return RK_OK;
    }
    rk_status status = rk_inputs_draw(work, &loss->inputs, first, rows, error);
    if (status != RK_OK) return status;
    *x = loss->inputs.x;
    rk_batch_forward(work, &loss->teacher, rows, *x);
    *targets = (rk_targets){.values = rk_batch_output(&loss->teacher)};
    return RK_OK;
}

/* The mean so far and the squares about it, unit by unit. */
typedef struct spread {
    uint64_t in_unit, unit; /* samples of the unit that is open; of a complete one */
    double sum, open;       /* over all samples; over those of the open unit */
    double units, mean, squares;
} spread;

/* Halves of a block of pairs lie one behind the other: partner of sample i is half + i. */
static void count_samples(rk_work *work, spread *s, size_t rows, size_t copies,
                          const double *loss) {
    if (!rk_work_charge(work, 0)) return;
    const size_t items = rows / copies;
    for (size_t i = 0; i < items; i++) {
        const double of_item = loss[i] + (copies > 1 ? loss[items + i] : 0);
        s->sum += of_item;
        s->open += of_item;
        s->in_unit += copies;
        if (s->in_unit < s->unit) continue;
        const double value = s->open / (double)s->unit, d = value - s->mean;
        s->units += 1;
        s->mean += d / s->units;
        s->squares += d * (value - s->mean);
        s->in_unit = 0;
        s->open = 0;
    }
}

static double error_of_mean(const spread *s) {
    return s->units > 1 ? sqrt(s->squares / (s->units - 1) / s->units) : (double)NAN;
}

rk_status rk_sampled_loss_run(rk_work *work, rk_sampled_loss *loss, uint64_t first, uint64_t rows,
                              const rk_adjoint *to, rk_loss_value *value, rk_error *error) {
    const rk_examples *e = &loss->examples;
    const rk_network *student = loss->student.net;
    const size_t n_out = rk_network_n_out(student);
    const size_t copies = e->teacher && rk_points_are_mirrored(e->points) ? 2 : 1;
    spread s = {.unit = 1};
    if (e->teacher) s.unit = rk_inputs_unit(e->points, rk_network_n_in(student));
    uint64_t done = 0;
    do {
        const size_t count = rows - done < loss->block ? (size_t)(rows - done) : loss->block;
        const double *x;
        rk_targets targets;
        rk_status status = next_block(work, loss, first + done, count, &x, &targets, error);
        if (status != RK_OK) return status;
        rk_batch_forward(work, &loss->student, count, x);
        if (to) rk_batch_begin_back(work, &loss->student);
        rk_residual_apply(work, e->residual, count, n_out, rk_batch_output(&loss->student),
                          &targets, 1 / (double)rows, loss->loss,
                          to ? rk_batch_adjoint(&loss->student, student->n_layers) : NULL);
        if (to) rk_batch_back(work, &loss->student, to, false);
        count_samples(work, &s, count, copies, loss->loss);
        done += count;
    } while (done < rows && rk_work_continue(work));
    *value = (rk_loss_value){s.sum / (double)done, error_of_mean(&s), done};
    return RK_OK;
}

#include "train/loss_receipt.h"

#include <math.h>

enum { BLOCK = 512, MOST = 1000000 };
static const double PRECISION = 0.01; /* of the loss, if nobody says how many */

typedef struct sums {
    uint64_t samples;
    double loss, squares, teacher;
} sums;

static void count(rk_work *work, size_t rows, size_t n, const double *t, const double *s,
                  sums *sum) {
    if (!rk_work_charge(work, 5 * (uint64_t)rows * n)) return;
    for (size_t r = 0; r < rows; r++) {
        double loss = 0, square = 0;
        for (size_t i = r * n; i < (r + 1) * n; i++) {
            loss += (t[i] - s[i]) * (t[i] - s[i]);
            square += t[i] * t[i];
        }
        sum->loss += loss;
        sum->squares += loss * loss;
        sum->teacher += square;
    }
    sum->samples += rows;
}

static rk_loss_receipt receipt_of(const sums *s) {
    const double n = (double)s->samples, mean = s->loss / n;
    return (rk_loss_receipt){s->samples, mean,
                             sqrt(fmax(0, s->squares / n - mean * mean) / (n - 1)), s->teacher / n};
}

static bool is_enough(const sums *s, uint64_t samples) {
    if (samples) return s->samples >= samples;
    const rk_loss_receipt r = receipt_of(s);
    return s->samples >= MOST || !(r.standard_error > PRECISION * r.loss);
}

rk_status rk_loss_receipt_take(rk_work *work, const rk_network *teacher, const rk_network *student,
                               const rk_input *input, uint64_t seed, uint64_t samples,
                               rk_loss_receipt *out, rk_error *error) {
    const size_t mark = rk_work_mark(work), n = rk_network_n_out(teacher);
    rk_batch t = rk_batch_take(work, teacher, BLOCK, false);
    rk_batch s = rk_batch_take(work, student, BLOCK, false);
    rk_inputs inputs;
    sums sum = {0};
    rk_status status = rk_inputs_take(work, input, rk_network_n_in(teacher), RK_POINTS_IID,
                                      (rk_stream){seed, RK_STREAM_RECEIPT}, BLOCK, &inputs, error);
    while (status == RK_OK) {
        uint64_t rows = BLOCK;
        if (samples && samples - sum.samples < rows) rows = samples - sum.samples;
        status = rk_inputs_draw(work, &inputs, sum.samples, (size_t)rows, error);
        if (status != RK_OK) break;
        rk_batch_forward(work, &t, (size_t)rows, inputs.x);
        rk_batch_forward(work, &s, (size_t)rows, inputs.x);
        count(work, (size_t)rows, n, rk_batch_output(&t), rk_batch_output(&s), &sum);
        if (work->dry || !rk_work_continue(work) || is_enough(&sum, samples)) break;
    }
    if (sum.samples > 1) *out = receipt_of(&sum);
    rk_work_release(work, mark);
    return status;
}

rk_status rk_data_receipt_take(rk_work *work, const rk_examples *data, const rk_network *net,
                               double *loss, rk_error *error) {
    const size_t mark = rk_work_mark(work);
    rk_sampled_loss sampled;
    rk_loss_value value = {.mean = (double)NAN};
    rk_status status = rk_sampled_loss_take(work, data, net, BLOCK, false, &sampled, error);
    if (status == RK_OK)
        status = rk_sampled_loss_run(work, &sampled, 0, data->n, NULL, &value, error);
    *loss = value.rows == data->n ? value.mean : (double)NAN;
    rk_work_release(work, mark);
    return status;
}

double rk_data_receipt_unit(const rk_examples *data, size_t n_out) {
    double sum = 0;
    if (!data->targets.values) return 1;
    for (size_t i = 0; i < data->n * n_out; i++)
        sum += data->targets.values[i] * data->targets.values[i];
    return sum / (double)data->n;
}

/* rk_network_read, rk_network_write and rk_array_read, through real files. */
#include "network/network.h"

#include <dirent.h>
#include <fcntl.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka wants setjmp.h and stdarg.h */
#include <cmocka.h>

static char folder[] = "/tmp/reckon-test-XXXXXX";

static const char *in_folder(const char *name) {
    static char path[320];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void put(const char *name, const void *bytes, size_t size) {
    FILE *file = fopen(in_folder(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static size_t get(const char *name, unsigned char *bytes, size_t capacity) {
    FILE *file = fopen(in_folder(name), "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, capacity, file);
    fclose(file);
    return size;
}

static size_t count_files(void) {
    size_t count = 0;
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static int make_folder(void **state) {
    (void)state;
    strcpy(folder + sizeof folder - 7, "XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    DIR *directory = opendir(folder);
    for (struct dirent *entry; (entry = readdir(directory));)
        if (entry->d_name[0] != '.') remove(in_folder(entry->d_name));
    closedir(directory);
    return rmdir(folder);
}

static const double W1[] = {1, -0.5, 1.0 / 3, 1e-300, 5e-324, -0.0}, b1[] = {0.1, -7, M_PI},
                    W2[] = {1, 2, 3};

static rk_network *make_network(void) {
    const rk_layer layers[] = {
        {.rows = 3,
         .cols = 2,
         .weight = W1,
         .bias = b1,
         .activation = {.kind = RK_LEAKY_RELU, .parameter = 0.1 + 0.2},
         .weight_scale = 0.7},
        {.rows = 1, .cols = 3, .weight = W2, .activation = {.kind = RK_TANH}},
        {.rows = 1,
         .cols = 1,
         .weight = W2,
         .bias = b1,
         .activation = {.kind = RK_SIGMOID},
         .weight_scale = 2},
    };
    rk_network *net;
    assert_int_equal(rk_network_create(&net, layers, 3, NULL), RK_OK);
    return net;
}

/* y = x + W2' relu(W1 x + b1) + b1, tanh(y) without weights, and what reads and adds both. */
static rk_network *make_residual(void) {
    static const double down[] = {1, 2, -1, 0.5, 3, 1e-9};
    const rk_layer layers[] = {
        {.rows = 3, .cols = 2, .weight = W1, .bias = b1, .activation = {.kind = RK_RELU}},
        {.rows = 2, .cols = 3, .weight = down, .bias = b1, .weight_scale = 1.0 / 3, .adds = 1},
        {.rows = 2, .cols = 2, .bias = b1, .activation = {.kind = RK_TANH}},
        {.rows = 1, .cols = 2, .weight = W2, .reads = 3},
        {.rows = 1, .cols = 2, .weight = W1, .reads = 4, .adds = 5},
    };
    rk_network *net;
    assert_int_equal(rk_network_create(&net, layers, 5, NULL), RK_OK);
    return net;
}

static void assert_same(const rk_network *a, const rk_network *b) {
    char hash_a[65], hash_b[65];
    assert_int_equal(rk_network_sha256(a, hash_a, NULL), RK_OK);
    assert_int_equal(rk_network_sha256(b, hash_b, NULL), RK_OK);
    assert_string_equal(hash_a, hash_b);
    for (size_t l = 0; l < rk_network_n_layers(a); l++) {
        rk_layer x = rk_network_layer(a, l), y = rk_network_layer(b, l);
        assert_int_equal(x.activation.kind, y.activation.kind);
        assert_true(x.activation.parameter == y.activation.parameter);
        assert_true(x.weight_scale == y.weight_scale);
    }
}

static rk_network *read_ok(const char *name, const char *activation) {
    rk_network *net;
    rk_error error;
    rk_read_options options = {.activation = activation};
    if (rk_network_read(&net, in_folder(name), &options, &error) != RK_OK)
        fail_msg("%s: %s", name, error.message);
    return net;
}

static void test_what_is_written_is_read(void **state) {
    (void)state;
    static const char *const names[] = {"a.safetensors", "a.npz"};
    rk_network *nets[] = {make_network(), make_residual()};
    for (size_t i = 0; i < 4; i++) {
        const rk_network *net = nets[i / 2];
        assert_int_equal(rk_network_write(net, in_folder(names[i % 2]), NULL), RK_OK);
        rk_network *back = read_ok(names[i % 2], NULL);
        assert_same(net, back);
        rk_network_destroy(back);
    }
    rk_network_destroy(nets[0]);
    rk_network_destroy(nets[1]);
}

static void test_the_same_network_gives_the_same_bytes(void **state) {
    (void)state;
    static const char *const pairs[][2] = {{"a.safetensors", "b.safetensors"}, {"a.npz", "b.npz"}};
    rk_network *net = make_network();
    for (size_t i = 0; i < 2; i++) {
        unsigned char a[4096], b[4096];
        assert_int_equal(rk_network_write(net, in_folder(pairs[i][0]), NULL), RK_OK);
        assert_int_equal(rk_network_write(net, in_folder(pairs[i][1]), NULL), RK_OK);
        size_t size = get(pairs[i][0], a, sizeof a);
        assert_true(size > 0 && size < sizeof a);
        assert_int_equal(get(pairs[i][1], b, sizeof b), size);
        assert_memory_equal(a, b, size);
    }
    rk_network_destroy(net);
}

static void test_notes_say_what_was_inferred(void **state) {
    (void)state;
    rk_network *net = make_network();
    assert_string_equal(rk_network_notes(net), "");
    assert_int_equal(rk_network_write(net, in_folder("a.safetensors"), NULL), RK_OK);
    rk_network_destroy(net);
    net = read_ok("a.safetensors", NULL);
    assert_string_equal(
        rk_network_notes(net),
        "layer 1: 0.weight 3x2, 0.bias; leaky_relu:0.30000000000000004 from metadata\n"
        "layer 2: 2.weight 1x3; tanh from metadata\n"
        "layer 3: 4.weight 1x1, 4.bias; sigmoid from metadata\n");
    rk_network_destroy(net);
}

static void test_options_win_over_side_car_over_file(void **state) {
    (void)state;
    rk_network *net = make_network();
    assert_int_equal(rk_network_write(net, in_folder("a.npz"), NULL), RK_OK);
    rk_network_destroy(net);

    static const char text[] =
        "{\"activation\": [\"gelu\", \"relu\"], \"weight_scale\": [1, 2, 3.5]}";
    put("a.npz.json", text, strlen(text));
    net = read_ok("a.npz", NULL);
    assert_int_equal(rk_network_layer(net, 0).activation.kind, RK_GELU);
    assert_int_equal(rk_network_layer(net, 2).activation.kind, RK_IDENTITY);
    assert_true(rk_network_layer(net, 2).weight_scale == 3.5);
    assert_non_null(strstr(rk_network_notes(net), "gelu from side-car"));
    rk_network_destroy(net);

    net = read_ok("a.npz", "silu");
    assert_int_equal(rk_network_layer(net, 1).activation.kind, RK_SILU);
    assert_int_equal(rk_network_layer(net, 2).activation.kind, RK_IDENTITY);
    assert_true(rk_network_layer(net, 1).weight_scale == 2);
    assert_non_null(strstr(rk_network_notes(net), "silu from options"));
    rk_network_destroy(net);

    rk_error error;
    put("a.npz.json", "{", 1);
    assert_int_equal(rk_network_read(&net, in_folder("a.npz"), NULL, &error), RK_ERROR_FORMAT);
    assert_null(net);
    assert_non_null(strstr(error.message, "side-car: not valid JSON"));
}

static void test_standard_input(void **state) {
    (void)state;
    rk_network *net = make_network(), *back;
    assert_int_equal(rk_network_write(net, in_folder("a.safetensors"), NULL), RK_OK);
    int saved = dup(STDIN_FILENO), file = open(in_folder("a.safetensors"), O_RDONLY);
    assert_true(saved >= 0 && file >= 0 && dup2(file, STDIN_FILENO) >= 0);
    assert_int_equal(rk_network_read(&back, "-", NULL, NULL), RK_OK);
    assert_same(net, back);
    dup2(saved, STDIN_FILENO);
    close(saved);
    close(file);
    rk_network_destroy(back);
    rk_network_destroy(net);
}

/* Longer than the buffer a pipe starts with. */
static void test_pipes_are_read_to_their_end(void **state) {
    (void)state;
    enum { ROWS = 400, COLS = 300 };
    static double weight[ROWS * COLS];
    for (size_t i = 0; i < ROWS * COLS; i++)
        weight[i] = (double)i;
    rk_layer layer = {.rows = ROWS, .cols = COLS, .weight = weight};
    rk_network *net, *back;
    assert_int_equal(rk_network_create(&net, &layer, 1, NULL), RK_OK);
    assert_int_equal(rk_network_write(net, in_folder("a.npz"), NULL), RK_OK);
    char command[512];
    snprintf(command, sizeof command, "cat %s", in_folder("a.npz"));
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    int saved = dup(STDIN_FILENO);
    dup2(fileno(pipe), STDIN_FILENO);
    assert_int_equal(rk_network_read(&back, "-", NULL, NULL), RK_OK);
    dup2(saved, STDIN_FILENO);
    close(saved);
    pclose(pipe);
    assert_same(net, back);
    rk_network_destroy(back);
    rk_network_destroy(net);
}

static double twice(double z, void *context) {
    (void)context;
    return 2 * z;
}

static void test_failure_to_write_leaves_nothing(void **state) {
    (void)state;
    rk_network *net = make_network();
    rk_error error;
    assert_int_equal(rk_network_write(net, in_folder("none/a.npz"), &error), RK_ERROR_IO);
    assert_non_null(strstr(error.message, "none/a.npz"));
    assert_int_equal(rk_network_write(net, in_folder("a.txt"), &error), RK_ERROR_ARGUMENT);
    assert_int_equal(mkdir(in_folder("d.npz"), 0700), 0);
    assert_int_equal(rk_network_write(net, in_folder("d.npz"), &error), RK_ERROR_IO);
    assert_int_equal(count_files(), 1);
    rk_network_destroy(net);

    rk_layer custom = {
        .rows = 1, .cols = 1, .weight = W2, .activation = {.kind = RK_CUSTOM, .function = twice}};
    assert_int_equal(rk_network_create(&net, &custom, 1, NULL), RK_OK);
    assert_int_equal(rk_network_write(net, in_folder("c.npz"), &error), RK_ERROR_UNSUPPORTED);
    rk_network_destroy(net);
}

static void test_writing_replaces_the_old_file(void **state) {
    (void)state;
    rk_network *net = make_network();
    put("a.npz", "old", 3);
    assert_int_equal(rk_network_write(net, in_folder("a.npz"), NULL), RK_OK);
    rk_network *back = read_ok("a.npz", NULL);
    assert_same(net, back);
    assert_int_equal(count_files(), 1);
    struct stat stat_of;
    mode_t mask = umask(0);
    umask(mask);
    assert_int_equal(rk_network_write(net, in_folder("new.npz"), NULL), RK_OK);
    assert_int_equal(stat(in_folder("new.npz"), &stat_of), 0);
    assert_int_equal(stat_of.st_mode & 0777, 0666 & ~mask);
    rk_network_destroy(back);
    rk_network_destroy(net);
}

static void test_what_cannot_be_read(void **state) {
    (void)state;
    rk_network *net;
    rk_error error;
    rk_array array;
    assert_int_equal(rk_network_read(&net, in_folder("none.npz"), NULL, &error), RK_ERROR_IO);
    assert_null(net);
    assert_non_null(strstr(error.message, "No such file"));
    assert_int_equal(rk_network_read(&net, folder, NULL, &error), RK_ERROR_IO);
    assert_int_equal(rk_array_read(&array, in_folder("none.npy"), &error), RK_ERROR_IO);
    assert_null(array.data);
    put("empty", "", 0);
    assert_int_equal(rk_network_read(&net, in_folder("empty"), NULL, &error), RK_ERROR_FORMAT);
    assert_int_equal(rk_array_read(&array, in_folder("empty"), &error), RK_ERROR_FORMAT);
}

static void test_values_that_are_not_finite_are_named(void **state) {
    (void)state;
    static const struct {
        const char *shape, *message;
        double values[6];
    } bad[] = {
        {"(3, 2)", "tensor 'array': the value at (2, 1) is not a number", {1, 2, 3, 4, 5, NAN}},
        {"(3, 2)", "tensor 'array': the value at (0, 0) is infinite", {-INFINITY, 2, 3, 4, 5, 6}},
        {"(1, 1, 6)", "tensor 'array': the value at (0, 0, 3) is infinite", {1, 2, 3, INFINITY}},
        {"(3, 2)", NULL, {DBL_MAX, DBL_MAX, 3, 4, 5, 6}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        unsigned char bytes[128 + 48] = "\x93NUMPY\1\0\x76";
        char header[119];
        snprintf(header, sizeof header, "{'descr':'<f8','fortran_order':False,'shape':%s}",
                 bad[i].shape);
        snprintf((char *)bytes + 10, 119, "%-118s", header);
        memcpy(bytes + 128, bad[i].values, 48);
        put("a.npy", bytes, sizeof bytes);
        rk_network *net;
        rk_error error;
        rk_status status = rk_network_read(&net, in_folder("a.npy"), NULL, &error);
        assert_int_equal(status, bad[i].message ? RK_ERROR_FORMAT : RK_OK);
        if (bad[i].message) assert_string_equal(error.message, bad[i].message);
        rk_network_destroy(net);
    }
}

static void test_a_stack_needs_an_activation(void **state) {
    (void)state;
    static const char path[] = RK_TEST_DATA "/truth/W_n32_L5_t0.npy";
    rk_network *net;
    rk_error error;
    assert_int_equal(rk_network_read(&net, path, NULL, &error), RK_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "the 4 hidden layers"));
    rk_read_options options = {.activation = "relu"};
    assert_int_equal(rk_network_read(&net, path, &options, &error), RK_OK);
    assert_int_equal(rk_network_n_layers(net), 5);
    assert_int_equal(rk_network_layer(net, 3).activation.kind, RK_RELU);
    assert_int_equal(rk_network_layer(net, 4).activation.kind, RK_IDENTITY);
    assert_non_null(strstr(rk_network_notes(net),
                           "layer 4: array[3] 32x32; relu from options\n"
                           "layer 5: array[4] 32x32; identity by default\n"));
    rk_array array;
    assert_int_equal(rk_array_read(&array, path, &error), RK_OK);
    assert_int_equal(array.n_dims, 3);
    assert_int_equal(array.shape[0], 5);
    for (size_t l = 0; l < 5; l++)
        assert_memory_equal(rk_network_layer(net, l).weight, array.data + l * 32 * 32,
                            32 * 32 * sizeof(double));
    rk_array_destroy(&array);
    rk_network_destroy(net);
    options.activation = "rleu";
    assert_int_equal(rk_network_read(&net, path, &options, &error), RK_ERROR_ARGUMENT);
    rk_array_destroy(NULL);
}

int main(void) {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_what_is_written_is_read),
        IN_FOLDER(test_the_same_network_gives_the_same_bytes),
        IN_FOLDER(test_notes_say_what_was_inferred),
        IN_FOLDER(test_options_win_over_side_car_over_file),
        IN_FOLDER(test_standard_input),
        IN_FOLDER(test_pipes_are_read_to_their_end),
        IN_FOLDER(test_failure_to_write_leaves_nothing),
        IN_FOLDER(test_writing_replaces_the_old_file),
        IN_FOLDER(test_what_cannot_be_read),
        IN_FOLDER(test_values_that_are_not_finite_are_named),
        cmocka_unit_test(test_a_stack_needs_an_activation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

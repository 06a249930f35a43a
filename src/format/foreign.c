#include "format/foreign.h"

#include "format/name.h"

#include <string.h>

/* Nothing beyond is looked at. */
enum { SEEN = 1 << 16 };

#define KERAS                                                                                      \
    "numpy.savez('net.npz', *[w.T for w in keras.models.load_model('net.h5').get_weights()])"
#define UNPACK   "unpack it first"
#define WEB_PAGE "a web page", "see why the download answered with one"

typedef struct signature {
    size_t at, length;
    const char *magic, *what, *way_out;
} signature;

#define MAGIC(at, text) at, sizeof text - 1, text

static const signature signatures[] = {
    {MAGIC(0, "\x89HDF\r\n\x1a\n"), "HDF5, as Keras and others write it",
     "from Keras, in Python: " KERAS},
    {MAGIC(512, "\x89HDF\r\n\x1a\n"), "HDF5, as MATLAB writes it",
     "in Python, read it with h5py and numpy.savez('net.npz', W0=..., b0=...)"},
    {MAGIC(0, "MATLAB 5.0 MAT-file"), "a MATLAB file",
     "in Python, scipy.io.loadmat reads it; numpy.savez('net.npz', W0=..., b0=...)"},
    {MAGIC(0, "GGUF"), "GGUF, whose weights are quantised as a rule",
     "take the .safetensors that it was made from"},
    {MAGIC(4, "TFL3"), "TensorFlow Lite", "take the Keras model that it was made from: " KERAS},
    {MAGIC(0, "\x1f\x8b\x08"), "compressed with gzip", UNPACK},
    {MAGIC(0, "BZh"), "compressed with bzip2", UNPACK},
    {MAGIC(0, "\xfd"
              "7zXZ"),
     "compressed with xz", UNPACK},
    {MAGIC(0, "\x28\xb5\x2f\xfd"), "compressed with zstd", UNPACK},
    {MAGIC(0, "7z\xbc\xaf\x27\x1c"), "a 7-Zip archive", UNPACK},
    {MAGIC(257, "ustar"), "a tar archive", UNPACK},
    {MAGIC(0, "version https://git-lfs"), "a Git LFS pointer, not the file itself",
     "git lfs pull fetches it"},
    {MAGIC(0, "<!DOCTYPE"), WEB_PAGE},
    {MAGIC(0, "<!doctype"), WEB_PAGE},
    {MAGIC(0, "<html"), WEB_PAGE},
    {MAGIC(0, "<?xml"), "XML", "name the file with the weights"},
};

static bool has(const signature *s, const unsigned char *bytes, size_t size) {
    return size >= s->at + s->length && memcmp(bytes + s->at, s->magic, s->length) == 0;
}

static bool contains(const unsigned char *bytes, size_t size, const char *text, size_t length) {
    for (size_t i = 0; i + length <= size; i++)
        if (bytes[i] == (unsigned char)text[0] && memcmp(bytes + i, text, length) == 0) return true;
    return false;
}

static rk_status refuse(rk_error *error, const char *what, const char *way_out) {
    return rk_fail(error, RK_ERROR_FORMAT, "this is %s, which is not read; %s", what, way_out);
}

/* ------------------------------------------------------------------------------------- pickles and
 * archives */

static rk_status check_pickle(const unsigned char *bytes, size_t size, rk_error *error) {
    if (size < 2 || bytes[0] != 0x80 || bytes[1] < 2 || bytes[1] > 5) return RK_OK;
    return refuse(error, "a Python pickle",
                  "in Python, load it where you trust it and numpy.savez('net.npz', W0=..., "
                  "b0=..., W1=...)");
}

rk_status rk_foreign_check_member(const char *member, rk_error *error) {
    static const struct {
        const char *ending, *what, *way_out;
    } known[] = {
        {"constants.pkl", "a TorchScript archive",
         "in Python, with safetensors.torch: "
         "save_file(torch.jit.load('net.pt').state_dict(), 'net.safetensors')"},
        {"model.weights.h5", "a Keras model", "in Python: " KERAS},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (rk_name_ends_with(member, known[i].ending))
            return refuse(error, known[i].what, known[i].way_out);
    return RK_OK;
}

/* ------------------------------------------------------------------------------------- the rest */

/* A protocol buffer has no signature: the version of the format, then the fields of a model. */
static rk_status check_onnx(const unsigned char *bytes, size_t size, rk_error *error) {
    static const unsigned char second[] = {0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72};
    if (size < 3 || bytes[0] != 0x08 || bytes[1] < 1 || bytes[1] > 30 ||
        !memchr(second, bytes[2], sizeof second))
        return RK_OK;
    return refuse(error, "ONNX",
                  "in Python: import onnx, numpy; numpy.savez('net.npz', **{t.name: "
                  "onnx.numpy_helper.to_array(t) for t in onnx.load('net.onnx').graph"
                  ".initializer})");
}

static rk_status check_json(const unsigned char *bytes, size_t size, rk_error *error) {
    static const char index[] = "\"weight_map\"";
    size_t at = 0;
    while (at < size && at < SEEN && strchr(" \t\r\n", bytes[at]) && bytes[at])
        at++;
    if (at == size || (bytes[at] != '{' && bytes[at] != '[')) return RK_OK;
    if (contains(bytes, size < SEEN ? size : SEEN, index, sizeof index - 1))
        return refuse(error, "the index of a model in shards", RK_FOREIGN_JOIN);
    return refuse(error, "JSON, which holds no weights", "name the file with the weights");
}

rk_status rk_foreign_check(const unsigned char *bytes, size_t size, rk_error *error) {
    if (size == 0) return rk_fail_at(error, RK_ERROR_FORMAT, 0, "the file is empty");
    for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++)
        if (has(&signatures[i], bytes, size))
            return refuse(error, signatures[i].what, signatures[i].way_out);
    rk_status status = check_pickle(bytes, size, error);
    if (status == RK_OK) status = check_onnx(bytes, size, error);
    return status == RK_OK ? check_json(bytes, size, error) : status;
}

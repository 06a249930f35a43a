#include "format/torch_pickle.h"

#include "base/size.h"

#include <string.h>

/* -------------------------------------------------------------------------------- who is named */

/* Modules whose functions reach the system, or run what they are given; and those of builtins. A
 * checkpoint has no use for them. */
static const char *const dangerous[] = {
    "os",      "posix",   "nt",        "subprocess", "sys",      "socket", "shutil",
    "runpy",   "pty",     "ctypes",    "pickle",     "code",     "codeop", "_pickle",
    "marshal", "timeit",  "importlib", "webbrowser", "pip",      "pdb",    "bdb",
    "profile", "asyncio", "functools", "commands",   "operator",
};
static const char *const harmless_builtins[] = {"set",   "frozenset", "list",    "dict",  "tuple",
                                                "int",   "float",     "complex", "bool",  "str",
                                                "bytes", "bytearray", "slice",   "range", "object"};

static bool in_list(rk_pickle_text text, const char *const *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (rk_pickle_text_is(text, list[i])) return true;
    return false;
}

static bool begins(rk_pickle_text text, const char *with) {
    return text.length >= strlen(with) && memcmp(text.bytes, with, strlen(with)) == 0;
}

static bool is_dangerous(rk_pickle_text module, rk_pickle_text name) {
    if (rk_pickle_text_is(module, "builtins") || rk_pickle_text_is(module, "__builtin__"))
        return !in_list(name, harmless_builtins,
                        sizeof harmless_builtins / sizeof *harmless_builtins);
    const char *dot = memchr(module.bytes, '.', module.length);
    if (dot) module.length = (size_t)(dot - module.bytes); /* os.path is of os */
    return in_list(module, dangerous, sizeof dangerous / sizeof *dangerous);
}

/* For messages: what a terminal obeys is left out. */
static void copy(char *out, size_t size, rk_pickle_text text) {
    size_t n = 0;
    for (size_t i = 0; i < text.length && n + 1 < size; i++)
        out[n++] = text.bytes[i] > ' ' && text.bytes[i] < 0x7f ? text.bytes[i] : '?';
    out[n] = '\0';
}

static rk_status check_global(const rk_pickle_node *node, rk_error *error) {
    if (begins(node->text, "torch.nn.modules.") || begins(node->text, "torch.fx."))
        return rk_fail(error, RK_ERROR_FORMAT,
                       "this is a pickled module with code and all, which is not read; where its "
                       "classes can be imported, save its state dict, in Python: "
                       "torch.save(torch.load('net.pt', weights_only=False, map_location='cpu')"
                       ".state_dict(), 'state.pt')");
    if (!is_dangerous(node->text, node->name)) return RK_OK;
    char module[64], name[64];
    copy(module, sizeof module, node->text);
    copy(name, sizeof name, node->name);
    return rk_fail(
        error, RK_ERROR_FORMAT,
        "the pickle names %s.%s, which can run commands when Python loads it; nothing was "
        "run here, and do not load it elsewhere unless you trust who made it",
        module, name);
}

rk_status rk_torch_check_globals(const rk_pickle *pickle, rk_error *error) {
    rk_status status = RK_OK;
    for (uint32_t i = 0; i < pickle->count && status == RK_OK; i++)
        if (pickle->nodes[i].kind == RK_PICKLE_GLOBAL)
            status = check_global(&pickle->nodes[i], error);
    return status;
}

/* --------------------------------------------------------------------------------------- types */

static const rk_torch_type types[] = {
    {"DoubleStorage", "float64", "F64", {RK_FLOAT, 8, false}, true},
    {"FloatStorage", "float32", "F32", {RK_FLOAT, 4, false}, true},
    {"HalfStorage", "float16", "F16", {RK_FLOAT, 2, false}, true},
    {"BFloat16Storage", "bfloat16", "BF16", {RK_BFLOAT, 2, false}, true},
    {"LongStorage", "int64", "I64", {RK_SIGNED, 8, false}, false},
    {"IntStorage", "int32", "I32", {RK_SIGNED, 4, false}, false},
    {"ShortStorage", "int16", "I16", {RK_SIGNED, 2, false}, false},
    {"CharStorage", "int8", "I8", {RK_SIGNED, 1, false}, false},
    {"ByteStorage", "uint8", "U8", {RK_UNSIGNED, 1, false}, false},
    {"BoolStorage", "bool", "BOOL", {RK_UNSIGNED, 1, false}, false},
    {"UntypedStorage", "", "U8", {RK_UNSIGNED, 1, false}, false},
    {"", "uint16", "U16", {RK_UNSIGNED, 2, false}, false},
    {"", "uint32", "U32", {RK_UNSIGNED, 4, false}, false},
    {"", "uint64", "U64", {RK_UNSIGNED, 8, false}, false},
    {"", "float8_e4m3fn", "F8_E4M3", {RK_UNSIGNED, 1, false}, false},
    {"", "float8_e5m2", "F8_E5M2", {RK_UNSIGNED, 1, false}, false},
    {"ComplexFloatStorage", "complex64", "C64", {RK_FLOAT, 8, false}, false},
    {"ComplexDoubleStorage", "complex128", "C128", {RK_FLOAT, 16, false}, false},
    {"QInt8Storage", "qint8", "I8", {RK_SIGNED, 1, false}, false},
    {"QUInt8Storage", "quint8", "U8", {RK_UNSIGNED, 1, false}, false},
    {"QInt32Storage", "qint32", "I32", {RK_SIGNED, 4, false}, false},
};

static const rk_torch_type other_array = {"", "", "object", {RK_UNSIGNED, 1, false}, false};

/* torch.FloatStorage, torch.cuda.FloatStorage, torch.storage.UntypedStorage, torch.float32. */
static const rk_torch_type *find_type(const rk_pickle_node *node, bool dtype) {
    if (!node || node->kind != RK_PICKLE_GLOBAL || node->name.length == 0 ||
        !begins(node->text, "torch"))
        return NULL;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (rk_pickle_text_is(node->name, dtype ? types[i].dtype : types[i].storage))
            return &types[i];
    return NULL;
}

static bool size_of(const rk_pickle_node *node, size_t *out) {
    if (!node || node->kind != RK_PICKLE_INTEGER || node->integer < 0) return false;
    *out = (size_t)node->integer;
    return (uint64_t)node->integer <= SIZE_MAX;
}

/* ------------------------------------------------------------------------------------- tensors */

rk_status rk_torch_storage_of(rk_torch_storage *out, const rk_pickle *pickle,
                              const rk_pickle_node *node, rk_error *error) {
    *out = (rk_torch_storage){0};
    if (!node || node->kind != RK_PICKLE_PERSISTENT)
        return rk_fail(error, RK_ERROR_FORMAT, "the pickle has a tensor without a storage");
    const rk_pickle_node *id = rk_pickle_item(pickle, node, 0),
                         *key = rk_pickle_item(pickle, id, 2);
    const rk_pickle_node *what = rk_pickle_item(pickle, id, 0);
    size_t count;
    out->type = find_type(rk_pickle_item(pickle, id, 1), false);
    if (id->kind != RK_PICKLE_TUPLE || !what || what->kind != RK_PICKLE_TEXT ||
        !rk_pickle_text_is(what->text, "storage") || !out->type || !key ||
        key->kind != RK_PICKLE_TEXT || !size_of(rk_pickle_item(pickle, id, 4), &count) ||
        !rk_size_mul(count, out->type->element.size, &out->bytes))
        return rk_fail(error, RK_ERROR_FORMAT, "the pickle has a storage of an unknown kind");
    out->key = key->text;
    return RK_OK;
}

/* The dimensions, and that the last element is within the storage. */
static bool read_shape(rk_torch_view *out, const rk_pickle *pickle, const rk_pickle_node *shape,
                       const rk_pickle_node *stride) {
    if (!shape || !stride || shape->kind != RK_PICKLE_TUPLE || stride->kind != RK_PICKLE_TUPLE ||
        shape->count != stride->count || shape->count > RK_MAX_DIMS)
        return false;
    const size_t room = out->storage.bytes / out->type->element.size;
    size_t last = out->start;
    bool empty = false;
    out->n_dims = shape->count;
    for (size_t d = 0; d < out->n_dims; d++) {
        if (!size_of(rk_pickle_item(pickle, shape, d), &out->shape[d]) ||
            !size_of(rk_pickle_item(pickle, stride, d), &out->stride[d]))
            return false;
        empty = empty || out->shape[d] == 0;
    }
    size_t count, span;
    if (!rk_shape_bytes(out->shape, out->n_dims, sizeof(double), &count)) return false;
    for (size_t d = 0; d < out->n_dims && !empty; d++)
        if (!rk_size_mul(out->shape[d] - 1, out->stride[d], &span) ||
            !rk_size_add(last, span, &last))
            return false;
    return empty || last < room;
}

/* A tensor's maker, and where the dtype is among its arguments; 0: the storage has it. */
static const struct {
    const char *name;
    size_t dtype;
} makers[] = {{"_rebuild_tensor_v2", 0}, {"_rebuild_tensor", 0}, {"_rebuild_tensor_v3", 6}};

static bool is_tensor_maker(const rk_pickle_node *callee, size_t *dtype) {
    for (size_t i = 0; i < sizeof makers / sizeof *makers; i++)
        if (rk_pickle_is_global(callee, "torch._utils", makers[i].name)) {
            *dtype = makers[i].dtype;
            return true;
        }
    return false;
}

/* Parameters and subclasses wrap a tensor: a call within a call, and not without end. */
static const rk_pickle_node *unwrap(const rk_pickle *pickle, const rk_pickle_node *node,
                                    size_t *dtype) {
    for (int depth = 0; depth < 4 && node && node->kind == RK_PICKLE_CALL; depth++) {
        const rk_pickle_node *callee = rk_pickle_item(pickle, node, 0),
                             *arguments = rk_pickle_item(pickle, node, 1);
        if (arguments->kind != RK_PICKLE_TUPLE) return NULL;
        if (rk_pickle_is_global(callee, "torch._tensor", "_rebuild_from_type_v2")) {
            callee = rk_pickle_item(pickle, arguments, 0);
            arguments = rk_pickle_item(pickle, arguments, 2);
        }
        if (is_tensor_maker(callee, dtype))
            return arguments && arguments->kind == RK_PICKLE_TUPLE ? arguments : NULL;
        if (!rk_pickle_is_global(callee, "torch._utils", "_rebuild_parameter") &&
            !rk_pickle_is_global(callee, "torch._utils", "_rebuild_parameter_with_state"))
            return NULL;
        node = rk_pickle_item(pickle, arguments, 0);
    }
    return NULL;
}

/* Sparse and quantised tensors, those of devices, arrays of NumPy: numbers that may be a layer's,
 * and must not be lost in silence. */
static bool is_other_array(const rk_pickle *pickle, const rk_pickle_node *node) {
    const rk_pickle_node *callee =
        node->kind == RK_PICKLE_CALL ? rk_pickle_item(pickle, node, 0) : NULL;
    if (!callee || callee->kind != RK_PICKLE_GLOBAL) return false;
    return (begins(callee->text, "torch.") && begins(callee->name, "_rebuild")) ||
           (begins(callee->text, "numpy.") && rk_pickle_text_is(callee->name, "_reconstruct"));
}

rk_status rk_torch_view_of(rk_torch_view *out, bool *is_tensor, const rk_pickle *pickle,
                           const rk_pickle_node *node, rk_error *error) {
    size_t dtype = 0;
    const rk_pickle_node *arguments = unwrap(pickle, node, &dtype);
    *is_tensor = arguments || is_other_array(pickle, node);
    *out = (rk_torch_view){.type = &other_array};
    if (!arguments) return RK_OK;
    rk_status status =
        rk_torch_storage_of(&out->storage, pickle, rk_pickle_item(pickle, arguments, 0), error);
    if (status != RK_OK) return status;
    out->type =
        dtype ? find_type(rk_pickle_item(pickle, arguments, dtype), true) : out->storage.type;
    if (!out->type) return rk_fail(error, RK_ERROR_FORMAT, "the pickle has an unknown dtype");
    if (!size_of(rk_pickle_item(pickle, arguments, 1), &out->start) ||
        !read_shape(out, pickle, rk_pickle_item(pickle, arguments, 2),
                    rk_pickle_item(pickle, arguments, 3)))
        return rk_fail(error, RK_ERROR_FORMAT,
                       "the pickle has a tensor whose offset, shape and strides are not within its "
                       "storage");
    return RK_OK;
}

/* ---------------------------------------------------------------------------------- containers */

uint32_t rk_torch_first_item(const rk_pickle *pickle, const rk_pickle_node *node) {
    switch (node->kind) {
    case RK_PICKLE_TUPLE:
    case RK_PICKLE_LIST:
    case RK_PICKLE_DICT:
        return 0;
    case RK_PICKLE_CALL: {
        const rk_pickle_node *callee = rk_pickle_item(pickle, node, 0);
        return rk_pickle_is_global(callee, "collections", "OrderedDict") ||
                       rk_pickle_is_global(callee, "collections", "defaultdict")
                   ? 2
                   : UINT32_MAX;
    }
    case RK_PICKLE_OPAQUE:
    case RK_PICKLE_BOOL:
    case RK_PICKLE_INTEGER:
    case RK_PICKLE_TEXT:
    case RK_PICKLE_GLOBAL:
    case RK_PICKLE_PERSISTENT:
        break;
    }
    return UINT32_MAX;
}

#include "format/pickle.h"

#include "format/pickle_machine.h"

#include <stdlib.h>
#include <string.h>

/* What stands behind an opcode, and the opcode's line of the table. */
typedef struct operand {
    uint64_t number;
    rk_pickle_text text, second;
    int meaning;
} operand;

/* --------------------------------------------------------------------------------- the opcodes */

static rk_status ignore(rk_pickle_machine *m, const operand *o) {
    (void)m, (void)o;
    return RK_OK;
}

static rk_status proto(rk_pickle_machine *m, const operand *o) {
    return o->number >= 2 && o->number <= 5 ? RK_OK
                                            : rk_pickle_refuse(m, "is of an unknown protocol");
}

static rk_status frame(rk_pickle_machine *m, const operand *o) {
    return o->number <= m->size - m->at ? RK_OK
                                        : rk_pickle_refuse(m, "has a frame longer than itself");
}

static rk_status stop(rk_pickle_machine *m, const operand *o) {
    (void)o;
    m->stopped = true;
    return rk_pickle_pop(m, &m->pickle->root);
}

static rk_status mark(rk_pickle_machine *m, const operand *o) {
    (void)o;
    return rk_pickle_add(&m->marks, (uint32_t)m->stack.count) ? RK_OK : rk_pickle_no_memory(m);
}

static rk_status drop(rk_pickle_machine *m, const operand *o) {
    (void)o;
    uint32_t node;
    return rk_pickle_pop(m, &node);
}

static rk_status drop_marked(rk_pickle_machine *m, const operand *o) {
    (void)o;
    return rk_pickle_pop_mark(m, &m->stack.count);
}

static rk_status repeat(rk_pickle_machine *m, const operand *o) {
    (void)o;
    rk_pickle_node *node;
    rk_status status = rk_pickle_top(m, &node);
    return status == RK_OK ? rk_pickle_push(m, (uint32_t)(node - m->pickle->nodes)) : status;
}

/* None, numbers, containers that are empty yet. */
static rk_status plain(rk_pickle_machine *m, const operand *o) {
    rk_pickle_node *node;
    return rk_pickle_make(m, (rk_pickle_kind)o->meaning, &node);
}

static rk_status truth(rk_pickle_machine *m, const operand *o) {
    rk_pickle_node *node;
    rk_status status = rk_pickle_make(m, RK_PICKLE_BOOL, &node);
    if (status == RK_OK) node->integer = o->meaning;
    return status;
}

/* `meaning`: bits, the highest of which is a sign if it is negative. */
static rk_status integer(rk_pickle_machine *m, const operand *o) {
    rk_pickle_node *node;
    rk_status status = rk_pickle_make(m, RK_PICKLE_INTEGER, &node);
    if (status != RK_OK) return status;
    node->integer = (int64_t)o->number;
    if (o->meaning < 0 && o->number >> 31) node->integer -= INT64_C(1) << 32;
    return RK_OK;
}

/* Little-endian, of any length. */
static rk_status long_integer(rk_pickle_machine *m, const operand *o) {
    rk_pickle_node *node;
    const size_t length = o->text.length;
    rk_status status = rk_pickle_make(m, length <= 8 ? RK_PICKLE_INTEGER : RK_PICKLE_OPAQUE, &node);
    if (status != RK_OK || length > 8) return status;
    uint64_t bits = length && (unsigned char)o->text.bytes[length - 1] >> 7 ? UINT64_MAX : 0;
    for (size_t i = length; i-- > 0;)
        bits = bits << 8 | (unsigned char)o->text.bytes[i];
    memcpy(&node->integer, &bits, sizeof bits);
    return RK_OK;
}

static rk_status text(rk_pickle_machine *m, const operand *o) {
    rk_pickle_node *node;
    rk_status status = rk_pickle_make(m, (rk_pickle_kind)o->meaning, &node);
    if (status == RK_OK) node->text = o->text;
    return status;
}

static rk_status global(rk_pickle_machine *m, const operand *o) {
    rk_pickle_node *node;
    rk_status status = rk_pickle_make(m, RK_PICKLE_GLOBAL, &node);
    if (status != RK_OK) return status;
    node->text = o->text;
    node->name = o->second;
    return RK_OK;
}

static rk_status stack_global(rk_pickle_machine *m, const operand *o) {
    (void)o;
    uint32_t name, module;
    rk_status status = rk_pickle_pop(m, &name);
    if (status == RK_OK) status = rk_pickle_pop(m, &module);
    if (status != RK_OK) return status;
    const rk_pickle_node *nodes = m->pickle->nodes;
    if (nodes[name].kind != RK_PICKLE_TEXT || nodes[module].kind != RK_PICKLE_TEXT)
        return rk_pickle_refuse(m, "has a global without a name");
    return global(m, &(operand){.text = nodes[module].text, .second = nodes[name].text});
}

static rk_status few(rk_pickle_machine *m, const operand *o) {
    const size_t count = (size_t)o->number + (size_t)o->meaning % 4;
    if (rk_pickle_above_mark(m) < count) return rk_pickle_refuse(m, "takes from an empty stack");
    return rk_pickle_gather(m, (rk_pickle_kind)(o->meaning / 4), m->stack.count - count);
}

static rk_status marked(rk_pickle_machine *m, const operand *o) {
    size_t place;
    rk_status status = rk_pickle_pop_mark(m, &place);
    return status == RK_OK ? rk_pickle_gather(m, (rk_pickle_kind)o->meaning, place) : status;
}

/* Into a list or a dict; of a call's result pairs are kept, and the rest is nobody's business. */
static rk_status store(rk_pickle_machine *m, rk_pickle_kind kind, size_t place) {
    const size_t count = m->stack.count - place;
    m->stack.count = place;
    rk_pickle_node *node;
    rk_status status = rk_pickle_top(m, &node);
    if (status != RK_OK) return status;
    if (kind == RK_PICKLE_DICT && count % 2)
        return rk_pickle_refuse(m, "has a key without a value");
    if (node->kind == RK_PICKLE_CALL && kind == RK_PICKLE_LIST) return RK_OK;
    if (node->kind != kind && node->kind != RK_PICKLE_CALL)
        return rk_pickle_refuse(m, "puts items into what is no container of theirs");
    return rk_pickle_give(m, node, m->stack.items + place, count);
}

static rk_status store_marked(rk_pickle_machine *m, const operand *o) {
    size_t place;
    rk_status status = rk_pickle_pop_mark(m, &place);
    return status == RK_OK ? store(m, (rk_pickle_kind)o->meaning, place) : status;
}

static rk_status store_few(rk_pickle_machine *m, const operand *o) {
    const rk_pickle_kind kind = (rk_pickle_kind)o->meaning;
    const size_t count = kind == RK_PICKLE_DICT ? 2 : 1;
    if (rk_pickle_above_mark(m) <= count) return rk_pickle_refuse(m, "takes from an empty stack");
    return store(m, kind, m->stack.count - count);
}

static rk_status remember_at(rk_pickle_machine *m, uint64_t index) {
    rk_pickle_node *node;
    rk_status status = rk_pickle_top(m, &node);
    if (status != RK_OK) return status;
    if (index > m->at) return rk_pickle_refuse(m, "remembers at an index larger than itself");
    while (m->memo.count <= index)
        if (!rk_pickle_add(&m->memo, RK_PICKLE_NOTHING)) return rk_pickle_no_memory(m);
    m->memo.items[index] = (uint32_t)(node - m->pickle->nodes);
    return RK_OK;
}

static rk_status put(rk_pickle_machine *m, const operand *o) {
    return remember_at(m, o->number);
}

static rk_status memoize(rk_pickle_machine *m, const operand *o) {
    (void)o;
    return remember_at(m, m->memo.count);
}

static rk_status get(rk_pickle_machine *m, const operand *o) {
    if (o->number >= m->memo.count || m->memo.items[o->number] == RK_PICKLE_NOTHING)
        return rk_pickle_refuse(m, "recalls what it never remembered");
    return rk_pickle_push(m, m->memo.items[o->number]);
}

/* ----------------------------------------------------------------------------------- the table */

/* FIXED: a number of `width` bytes; COUNTED: as many bytes as such a number says; LINES: two. */
typedef enum operand_form { FIXED, COUNTED, LINES } operand_form;

typedef struct opcode {
    rk_status (*run)(rk_pickle_machine *, const operand *);
    operand_form form;
    unsigned width;
    int meaning;
} opcode;

/* For `few`: how many, of which kind. */
#define FEW(kind, count) (4 * (int)(kind) + (count))

static const opcode opcodes[256] = {
    [0x80] = {proto, FIXED, 1, 0},
    [0x95] = {frame, FIXED, 8, 0},
    ['.'] = {stop, FIXED, 0, 0},
    ['('] = {mark, FIXED, 0, 0},
    ['0'] = {drop, FIXED, 0, 0},
    ['1'] = {drop_marked, FIXED, 0, 0},
    ['2'] = {repeat, FIXED, 0, 0},
    ['N'] = {plain, FIXED, 0, RK_PICKLE_OPAQUE},
    ['G'] = {plain, FIXED, 8, RK_PICKLE_OPAQUE},
    [0x88] = {truth, FIXED, 0, 1},
    [0x89] = {truth, FIXED, 0, 0},
    ['J'] = {integer, FIXED, 4, -1},
    ['K'] = {integer, FIXED, 1, 0},
    ['M'] = {integer, FIXED, 2, 0},
    [0x8a] = {long_integer, COUNTED, 1, 0},
    [0x8b] = {long_integer, COUNTED, 4, 0},
    ['X'] = {text, COUNTED, 4, RK_PICKLE_TEXT},
    [0x8c] = {text, COUNTED, 1, RK_PICKLE_TEXT},
    [0x8d] = {text, COUNTED, 8, RK_PICKLE_TEXT},
    ['U'] = {text, COUNTED, 1, RK_PICKLE_TEXT},
    ['T'] = {text, COUNTED, 4, RK_PICKLE_TEXT},
    ['C'] = {text, COUNTED, 1, RK_PICKLE_OPAQUE},
    ['B'] = {text, COUNTED, 4, RK_PICKLE_OPAQUE},
    [0x8e] = {text, COUNTED, 8, RK_PICKLE_OPAQUE},
    [0x96] = {text, COUNTED, 8, RK_PICKLE_OPAQUE},
    ['}'] = {plain, FIXED, 0, RK_PICKLE_DICT},
    [']'] = {plain, FIXED, 0, RK_PICKLE_LIST},
    [')'] = {plain, FIXED, 0, RK_PICKLE_TUPLE},
    [0x8f] = {plain, FIXED, 0, RK_PICKLE_LIST},
    ['t'] = {marked, FIXED, 0, RK_PICKLE_TUPLE},
    ['l'] = {marked, FIXED, 0, RK_PICKLE_LIST},
    ['d'] = {marked, FIXED, 0, RK_PICKLE_DICT},
    [0x91] = {marked, FIXED, 0, RK_PICKLE_LIST},
    ['o'] = {marked, FIXED, 0, RK_PICKLE_OPAQUE},
    [0x85] = {few, FIXED, 0, FEW(RK_PICKLE_TUPLE, 1)},
    [0x86] = {few, FIXED, 0, FEW(RK_PICKLE_TUPLE, 2)},
    [0x87] = {few, FIXED, 0, FEW(RK_PICKLE_TUPLE, 3)},
    ['R'] = {few, FIXED, 0, FEW(RK_PICKLE_CALL, 2)},
    [0x81] = {few, FIXED, 0, FEW(RK_PICKLE_CALL, 2)},
    [0x92] = {few, FIXED, 0, FEW(RK_PICKLE_OPAQUE, 3)},
    ['Q'] = {few, FIXED, 0, FEW(RK_PICKLE_PERSISTENT, 1)},
    ['b'] = {drop, FIXED, 0, 0},
    ['a'] = {store_few, FIXED, 0, RK_PICKLE_LIST},
    ['e'] = {store_marked, FIXED, 0, RK_PICKLE_LIST},
    [0x90] = {store_marked, FIXED, 0, RK_PICKLE_LIST},
    ['s'] = {store_few, FIXED, 0, RK_PICKLE_DICT},
    ['u'] = {store_marked, FIXED, 0, RK_PICKLE_DICT},
    ['q'] = {put, FIXED, 1, 0},
    ['r'] = {put, FIXED, 4, 0},
    [0x94] = {memoize, FIXED, 0, 0},
    ['h'] = {get, FIXED, 1, 0},
    ['j'] = {get, FIXED, 4, 0},
    ['c'] = {global, LINES, 0, 0},
    [0x93] = {stack_global, FIXED, 0, 0},
    [0x97] = {ignore, FIXED, 0, 0}, /* a buffer made read-only */
};

/* ------------------------------------------------------------------------------------ the loop */

static rk_status read_line(rk_pickle_machine *m, rk_pickle_text *out) {
    const unsigned char *from = m->bytes + m->at, *end = memchr(from, '\n', m->size - m->at);
    if (!end) return rk_pickle_refuse(m, "is cut short");
    *out = (rk_pickle_text){(const char *)from, (size_t)(end - from)};
    m->at += out->length + 1;
    return RK_OK;
}

static rk_status read_operand(rk_pickle_machine *m, const opcode *code, operand *out) {
    *out = (operand){.meaning = code->meaning};
    if (code->form == LINES) {
        rk_status status = read_line(m, &out->text);
        return status == RK_OK ? read_line(m, &out->second) : status;
    }
    if (code->width > m->size - m->at) return rk_pickle_refuse(m, "is cut short");
    for (unsigned i = code->width; i-- > 0;)
        out->number = out->number << 8 | m->bytes[m->at + i];
    m->at += code->width;
    if (code->form == FIXED) return RK_OK;
    if (out->number > m->size - m->at) return rk_pickle_refuse(m, "is cut short");
    out->text = (rk_pickle_text){(const char *)m->bytes + m->at, (size_t)out->number};
    m->at += out->text.length;
    return RK_OK;
}

static rk_status step(rk_pickle_machine *m) {
    m->begin = m->at;
    if (m->at == m->size) return rk_pickle_refuse(m, "is cut short");
    const unsigned byte = m->bytes[m->at++];
    const opcode *code = &opcodes[byte];
    if (!code->run)
        return rk_fail_at(m->error, RK_ERROR_FORMAT, (int64_t)m->begin,
                          "the pickle has the opcode 0x%02x, which no torch.save writes", byte);
    operand o;
    rk_status status = read_operand(m, code, &o);
    return status == RK_OK ? code->run(m, &o) : status;
}

rk_status rk_pickle_read(rk_pickle *out, const unsigned char *bytes, size_t size, rk_error *error) {
    *out = (rk_pickle){0};
    if (size > RK_PICKLE_MAX)
        return rk_fail(error, RK_ERROR_FORMAT, "the pickle is longer than 16 MiB");
    rk_pickle_machine m = {.pickle = out, .bytes = bytes, .size = size, .error = error};
    rk_status status = RK_OK;
    while (status == RK_OK && !m.stopped)
        status = step(&m);
    out->size = m.at;
    free(m.stack.items);
    free(m.marks.items);
    free(m.memo.items);
    return status;
}

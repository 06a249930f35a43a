#include "format/pickle_machine.h"

#include <stdlib.h>
#include <string.h>

rk_status rk_pickle_refuse(const rk_pickle_machine *m, const char *why) {
    return rk_fail_at(m->error, RK_ERROR_FORMAT, (int64_t)m->begin, "the pickle %s", why);
}

rk_status rk_pickle_no_memory(const rk_pickle_machine *m) {
    return rk_fail(m->error, RK_ERROR_MEMORY, "no memory for a pickle");
}

bool rk_pickle_add(rk_pickle_list *to, uint32_t item) {
    if (to->count == to->capacity) {
        const size_t capacity = to->capacity ? 2 * to->capacity : 16;
        uint32_t *items = realloc(to->items, capacity * sizeof *items);
        if (!items) return false;
        to->items = items;
        to->capacity = capacity;
    }
    to->items[to->count++] = item;
    return true;
}

rk_status rk_pickle_push(rk_pickle_machine *m, uint32_t node) {
    return rk_pickle_add(&m->stack, node) ? RK_OK : rk_pickle_no_memory(m);
}

rk_status rk_pickle_make(rk_pickle_machine *m, rk_pickle_kind kind, rk_pickle_node **out) {
    rk_pickle *p = m->pickle;
    *out = NULL;
    if (p->count == RK_PICKLE_MAX_NODES)
        return rk_pickle_refuse(m, "has more than a million objects");
    if (p->count == p->capacity) {
        const uint32_t capacity = p->capacity ? 2 * p->capacity : 64;
        rk_pickle_node *nodes = realloc(p->nodes, capacity * sizeof *nodes);
        if (!nodes) return rk_pickle_no_memory(m);
        p->nodes = nodes;
        p->capacity = capacity;
    }
    *out = &p->nodes[p->count];
    **out = (rk_pickle_node){.kind = kind};
    return rk_pickle_push(m, p->count++);
}

size_t rk_pickle_above_mark(const rk_pickle_machine *m) {
    return m->stack.count - (m->marks.count ? m->marks.items[m->marks.count - 1] : 0);
}

rk_status rk_pickle_pop(rk_pickle_machine *m, uint32_t *node) {
    *node = RK_PICKLE_NOTHING;
    if (rk_pickle_above_mark(m) == 0) return rk_pickle_refuse(m, "takes from an empty stack");
    *node = m->stack.items[--m->stack.count];
    return RK_OK;
}

rk_status rk_pickle_top(rk_pickle_machine *m, rk_pickle_node **node) {
    *node = NULL;
    if (rk_pickle_above_mark(m) == 0) return rk_pickle_refuse(m, "looks at an empty stack");
    *node = &m->pickle->nodes[m->stack.items[m->stack.count - 1]];
    return RK_OK;
}

rk_status rk_pickle_pop_mark(rk_pickle_machine *m, size_t *place) {
    *place = 0;
    if (m->marks.count == 0) return rk_pickle_refuse(m, "has no mark where it wants one");
    *place = m->marks.items[--m->marks.count];
    return RK_OK;
}

rk_status rk_pickle_give(rk_pickle_machine *m, rk_pickle_node *node, const uint32_t *items,
                         size_t count) {
    if (count > node->capacity - node->count) {
        uint32_t capacity = node->count + (uint32_t)count;
        if (node->capacity && capacity < 2 * node->capacity) capacity = 2 * node->capacity;
        uint32_t *larger = realloc(node->items, capacity * sizeof *larger);
        if (!larger) return rk_pickle_no_memory(m);
        node->items = larger;
        node->capacity = capacity;
    }
    if (count) memcpy(node->items + node->count, items, count * sizeof *items);
    node->count += (uint32_t)count;
    return RK_OK;
}

rk_status rk_pickle_gather(rk_pickle_machine *m, rk_pickle_kind kind, size_t place) {
    const size_t count = m->stack.count - place;
    if (kind == RK_PICKLE_DICT && count % 2)
        return rk_pickle_refuse(m, "has a key without a value");
    rk_pickle_node *node;
    rk_status status = rk_pickle_make(m, kind, &node);
    if (status == RK_OK) status = rk_pickle_give(m, node, m->stack.items + place, count);
    if (status != RK_OK) return status;
    m->stack.items[place] = m->stack.items[m->stack.count - 1];
    m->stack.count = place + 1;
    return RK_OK;
}

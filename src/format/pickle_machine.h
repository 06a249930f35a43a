/* The machine that runs pickles: a stack of nodes, marks in it, and a memo. All are as long as the
 * pickle at most. */
#ifndef RK_FORMAT_PICKLE_MACHINE_H
#define RK_FORMAT_PICKLE_MACHINE_H

#include "format/pickle_tree.h"

#define RK_PICKLE_NOTHING UINT32_MAX

/* A growing list of numbers. */
typedef struct rk_pickle_list {
    uint32_t *items;
    size_t count, capacity;
} rk_pickle_list;

typedef struct rk_pickle_machine {
    rk_pickle *pickle;
    const unsigned char *bytes;
    size_t size, at, begin; /* begin: of the instruction, for messages */
    rk_pickle_list stack, marks, memo;
    bool stopped;
    rk_error *error;
} rk_pickle_machine;

/** RK_ERROR_FORMAT: "the pickle WHY", at the instruction. */
rk_status rk_pickle_refuse(const rk_pickle_machine *m, const char *why);
rk_status rk_pickle_no_memory(const rk_pickle_machine *m);

/** False without memory. */
bool rk_pickle_add(rk_pickle_list *to, uint32_t item);
rk_status rk_pickle_push(rk_pickle_machine *m, uint32_t node);
/** A new node on the stack; *out stays where it is until the next one. */
rk_status rk_pickle_make(rk_pickle_machine *m, rk_pickle_kind kind, rk_pickle_node **out);

/** How much of the stack lies above the last mark: all that may be taken. */
size_t rk_pickle_above_mark(const rk_pickle_machine *m);
rk_status rk_pickle_pop(rk_pickle_machine *m, uint32_t *node);
rk_status rk_pickle_top(rk_pickle_machine *m, rk_pickle_node **node);
rk_status rk_pickle_pop_mark(rk_pickle_machine *m, size_t *place);

/** Appends to a node's items. */
rk_status rk_pickle_give(rk_pickle_machine *m, rk_pickle_node *node, const uint32_t *items,
                         size_t count);
/** Replaces what lies on the stack from `place` on by a new node of it. */
rk_status rk_pickle_gather(rk_pickle_machine *m, rk_pickle_kind kind, size_t place);

#endif

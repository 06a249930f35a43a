/* What a pickle says, as a tree. A call is a node that names whom it would call, with what. */
#ifndef RK_FORMAT_PICKLE_TREE_H
#define RK_FORMAT_PICKLE_TREE_H

#include "base/status.h"

enum { RK_PICKLE_MAX = 1 << 24, RK_PICKLE_MAX_NODES = 1 << 20 }; /* RK_PICKLE_MAX: bytes */

typedef enum rk_pickle_kind {
    RK_PICKLE_OPAQUE, /**< None, floats, bytes, long integers: nothing that names a tensor */
    RK_PICKLE_BOOL,
    RK_PICKLE_INTEGER,
    RK_PICKLE_TEXT,
    RK_PICKLE_TUPLE,
    RK_PICKLE_LIST,   /**< sets too */
    RK_PICKLE_DICT,   /**< items: key, value, key, value, ... */
    RK_PICKLE_GLOBAL, /**< module `text`, name `name` */
    RK_PICKLE_CALL,   /**< items: callee, arguments, and what was set in the result as in a dict */
    RK_PICKLE_PERSISTENT /**< items: the identity of something outside */
} rk_pickle_kind;

/** Bytes of the pickle, without an end mark. */
typedef struct rk_pickle_text {
    const char *bytes;
    size_t length;
} rk_pickle_text;

typedef struct rk_pickle_node {
    rk_pickle_kind kind;
    uint32_t count, capacity;
    uint32_t *items; /**< nodes; one may be in many places, even in itself */
    rk_pickle_text text, name;
    int64_t integer;
} rk_pickle_node;

typedef struct rk_pickle {
    rk_pickle_node *nodes;
    uint32_t count, capacity, root;
    size_t size; /**< bytes of it, to the end of STOP */
} rk_pickle;

/** Of one that was read, or half read. */
void rk_pickle_destroy(rk_pickle *pickle);

bool rk_pickle_text_is(rk_pickle_text text, const char *wanted);
/** True for the global MODULE.NAME; any name for NULL. */
bool rk_pickle_is_global(const rk_pickle_node *node, const char *module, const char *name);
/** The i-th item of a node, NULL beyond its end. */
const rk_pickle_node *rk_pickle_item(const rk_pickle *pickle, const rk_pickle_node *node, size_t i);

#endif

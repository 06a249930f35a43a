#include "format/pickle_tree.h"

#include <stdlib.h>
#include <string.h>

void rk_pickle_destroy(rk_pickle *pickle) {
    for (uint32_t i = 0; i < pickle->count; i++)
        free(pickle->nodes[i].items);
    free(pickle->nodes);
    *pickle = (rk_pickle){0};
}

bool rk_pickle_text_is(rk_pickle_text text, const char *wanted) {
    return text.length == strlen(wanted) && memcmp(text.bytes, wanted, text.length) == 0;
}

bool rk_pickle_is_global(const rk_pickle_node *node, const char *module, const char *name) {
    return node && node->kind == RK_PICKLE_GLOBAL && rk_pickle_text_is(node->text, module) &&
           (!name || rk_pickle_text_is(node->name, name));
}

const rk_pickle_node *rk_pickle_item(const rk_pickle *pickle, const rk_pickle_node *node,
                                     size_t i) {
    return node && i < node->count ? &pickle->nodes[node->items[i]] : NULL;
}

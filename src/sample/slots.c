#include "sample/slots.h"

/* Values that layer l is the last to need, at most three: what it reads, what it adds, and what
 * nobody does. */
static size_t list_ended(const rk_network *net, size_t l, size_t ended[3]) {
    size_t used[3] = {rk_network_reads(net, l), 0, l}, count = 0;
    if (!rk_network_adds(net, l, &used[1])) used[1] = used[0];
    for (size_t k = 0; k < 3; k++) {
        bool is_new = used[k] > 0 && rk_network_last_use(net, used[k]) == l;
        for (size_t j = 0; j < count; j++)
            is_new = is_new && ended[j] != used[k];
        if (is_new) ended[count++] = used[k];
    }
    return count;
}

size_t rk_slots(const rk_network *net, size_t *slot) {
    size_t count = 0, n_idle = 0, ended[3], *idle = slot ? slot + net->n_layers : NULL;
    for (size_t l = 0; l < net->n_layers; l++) {
        const bool fresh = n_idle == 0;
        if (!fresh) n_idle--;
        if (slot) slot[l] = fresh ? count : idle[n_idle];
        if (fresh) count++;
        const size_t n_ended = list_ended(net, l, ended);
        for (size_t k = 0; k < n_ended; k++, n_idle++)
            if (slot) idle[n_idle] = slot[ended[k] - 1];
    }
    return count < 2 ? 2 : count;
}

/* Where reverse passes leave what they find of a network's parameters. */
#ifndef RK_GRADIENT_ADJOINTS_H
#define RK_GRADIENT_ADJOINTS_H

/** df / d weight [l] (rows x cols) and df / d bias [l] (rows) of layer l, which passes add to;
 *  owned, and zeroed, by the caller. NULL: it has none, or it is not wanted. */
typedef struct rk_adjoints {
    double **weight, **bias;
} rk_adjoints;

#endif

/* What structures measures and structures_fit reads: one line a network and method. */
#ifndef STRUCTURES_H
#define STRUCTURES_H

/* kind, activation, width, hidden, seed, method (blanks for its commas) */
#define STRUCTURES_NAMES "kind,activation,width,hidden,seed,method"
/* the mean square error of the means with its standard error, the mean square of the outputs'
 * deviation, the same as the closure has it; of the covariance the mean square error of an entry,
 * its standard error and the mean square of an entry, the same as the closure has it; rk_regime */
#define STRUCTURES_NUMBERS                                                                         \
    "mse,mse_error,variance,own_variance,cov,cov_error,square,own_square,expansion,slenderness,"   \
    "independent,whole_expansion,whole_slenderness,whole_independent,input_expansion,"             \
    "input_slenderness,first_expansion,first_slenderness,closed,growth,unevenness,diverged,"       \
    "alike"
enum { STRUCTURES_N_NUMBERS = 23 };

#endif

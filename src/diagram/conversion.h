/* Power cumulants to cumulants (docs/MATH.md#conversion; paper Proposition S.3.7). */
#ifndef RK_DIAGRAM_CONVERSION_H
#define RK_DIAGRAM_CONVERSION_H

#include "diagram/terms.h"

/** Appends the terms of S_lambda = sum over nu of c_nu prod_{u in nu} P_u: the cumulant in which
 *  distinct neurons occur lambda_a times each, from joint cumulants P of their powers. The
 *  coefficients are integers; terms whose coefficient vanishes are left out. */
void rk_conversion(rk_terms *out, rk_vector lambda);

#endif

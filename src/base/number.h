/* Numbers as text, with a point, in whatever locale the program runs. */
#ifndef RK_BASE_NUMBER_H
#define RK_BASE_NUMBER_H

/** Reads [+|-] digits [. digits] [e [+|-] digits] from where `text` begins, to the nearest double;
 *  the digits before or after the point may be missing. Answers where the number ends; NULL if
 *  there is none, or one that is not finite or takes more than 100 characters. */
const char *rk_number_read(const char *text, double *x);

typedef struct rk_number_text {
    char text[40];
} rk_number_text;

/** `x` to `digits` <= 17 significant digits, as %g writes it. Answers out->text. */
const char *rk_number_write(double x, int digits, rk_number_text *out);

#endif

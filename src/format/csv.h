/* Numbers as text, a row a line: between commas, semicolons, tabs or spaces. */
#ifndef RK_FORMAT_CSV_H
#define RK_FORMAT_CSV_H

#include "format/file.h"

/** True if `bytes` begin like text, whatever it says. */
bool rk_csv_recognise(const unsigned char *bytes, size_t size);

/** The table, rows x columns. Empty lines and those that begin with # are left out, and so is a
 *  first line that has no number at all, the columns' names; numbers have a point, whatever the
 *  locale. RK_ERROR_FORMAT names the line and the column of what is no number (missing values
 *  too), and a line that is longer or shorter than the first. */
rk_status rk_csv_read(rk_array *out, const rk_file *file, rk_error *error);

#endif

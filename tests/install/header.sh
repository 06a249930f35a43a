# The header stands alone, in strict C11 and, if there is a C++ compiler, in C++.
set -eu
header=$PREFIX/include/reckon/reckon.h
strict="-Wall -Wextra -Wpedantic -Werror -fsyntax-only"
"$CC" -std=c11 $strict -x c "$header"
if "$CC" -x c++ -fsyntax-only /dev/null 2>/dev/null; then
    "$CC" -std=c++11 $strict -x c++ "$header"
fi

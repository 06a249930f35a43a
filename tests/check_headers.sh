#!/bin/sh
# Every internal header compiles on its own, all of them compile as one unit, and none of them hides
# behind the guard of another. $1: the tree; the rest: a compiler with its flags.
set -eu
cd "$1"
shift
headers=$(find src -name '*.h' | sort)
[ -n "$headers" ] || { echo "no headers found"; exit 1; }

bad=0
for header in $headers; do
    name=$(echo "${header#src/}" | tr 'a-z/.' 'A-Z__')
    grep -qx "#ifndef RK_$name" "$header" && grep -qx "#define RK_$name" "$header" ||
        { echo "$header: its guard is not RK_$name"; bad=1; }
done
# shellcheck disable=SC2086
"$@" -Isrc -Iinclude -fsyntax-only -Werror=implicit -x c $headers || bad=1
echo "$headers" | sed 's,src/\(.*\),#include "\1",' |
    "$@" -Isrc -Iinclude -fsyntax-only -Werror=implicit -x c - || bad=1
exit $bad

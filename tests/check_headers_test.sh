#!/bin/sh
# The check of headers must be able to fail. $@: a compiler with its flags.
set -eu
check=$(cd "$(dirname "$0")" && pwd)/check_headers.sh
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/src/a" "$tree/src/b"

# header ROOM GUARD LINE
header() {
    printf '#ifndef %s\n#define %s\n%s\n#endif\n' "$2" "$2" "$3" >"$tree/src/$1/x.h"
}

refused() {
    if sh "$check" "$tree" "$@" >"$tree/said" 2>&1; then
        echo "not noticed: $why"
        exit 1
    fi
}

header a RK_A_X_H 'typedef int rk_one;'
header b RK_B_X_H 'typedef int rk_two;'
sh "$check" "$tree" "$@" || { echo "lawful headers were refused"; exit 1; }

why='a name that means two things'
header b RK_B_X_H 'typedef double rk_one;'
refused "$@"
why='a header that needs another'
header b RK_B_X_H 'extern rk_one two;'
refused "$@"
why='a guard that is used twice'
header b RK_A_X_H 'typedef int rk_two;'
refused "$@"

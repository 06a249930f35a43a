#!/bin/sh
# The layer check must be able to fail: a lawful little tree passes it, and each kind of violation
# is found.
set -eu
check=$(cd "$(dirname "$0")" && pwd)/check_layers.sh
rule=$(dirname "$check")/../ARCHITECTURE.md
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

# plant FILE INCLUDE: a fresh lawful tree, with one more line in FILE.
plant() {
    rm -rf "$tree/src" "$tree/cli" "$tree/examples"
    mkdir -p "$tree/src/base" "$tree/src/linalg" "$tree/src/network" "$tree/src/format" \
        "$tree/src/cumulant" "$tree/src/attic" "$tree/cli" "$tree/examples"
    cp "$rule" "$tree"
    echo '#include "reckon/reckon.h"' >"$tree/src/base/status.h"
    echo '#include <cblas.h>' >"$tree/src/linalg/blas.c"
    printf '#include "network/network.h"\n#include "base/status.h"\n' >"$tree/src/network/network.c"
    printf '#include "cli.h"\n#include <reckon/reckon.h>\n' >"$tree/cli/main.c"
    echo '#include "network/forward.h"' >"$tree/src/network/network.h"
    echo '#include <reckon/reckon.h>' >"$tree/examples/mean.c"
    printf '%s\n' "$2" >>"$tree/$1"
}

plant src/base/status.h '#include <stdlib.h>'
sh "$check" "$tree" || { echo "a lawful tree was refused"; exit 1; }

while read -r file include; do
    plant "$file" "$include"
    if sh "$check" "$tree" >"$tree/said"; then
        echo "not noticed: $include in $file"
        exit 1
    fi
    grep -q "^$file:" "$tree/said" || { echo "$file is not named:"; cat "$tree/said"; exit 1; }
done <<'VIOLATIONS'
src/base/size.c #include "linalg/blas.h"
src/network/network.c #include "format/file.h"
src/network/network.c   #  include <estimate/method.h>
src/format/npy.c #include "cumulant/tensor.h"
src/network/network.c #include <cblas.h>
src/network/network.c #include <lapacke.h>
src/network/network.c #include "network.h"
src/network/network.c #include "../base/status.h"
src/attic/old.c #include "base/status.h"
cli/main.c #include "base/status.h"
cli/main.c #include <base/status.h>
examples/mean.c #include "../src/base/status.h"
src/network/forward.c #include "network/network.h"
VIOLATIONS

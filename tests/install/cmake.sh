# An outside project built through find_package.
set -eu
project=$WORK/outside-cmake
rm -rf "$project"
"$CMAKE" -S "$(dirname "$0")/outside" -B "$project" -G "$GENERATOR" -DCMAKE_C_COMPILER="$CC" \
    -DCMAKE_PREFIX_PATH="$PREFIX" -DWANTED="$VERSION" >/dev/null
"$CMAKE" --build "$project" >/dev/null
[ "$("$project/outside")" = "reckon $VERSION" ]

# An outside project built through find_package.
set -eu
project=$WORK/outside-cmake
rm -rf "$project"
mkdir "$project"
cp "$WORK/main.c" "$(dirname "$0")/outside/CMakeLists.txt" "$project"
"$CMAKE" -S "$project" -B "$project/build" -G "$GENERATOR" -DCMAKE_C_COMPILER="$CC" \
    -DCMAKE_PREFIX_PATH="$PREFIX" -DWANTED="$VERSION" >/dev/null
"$CMAKE" --build "$project/build" >/dev/null
"$project/build/outside" | diff "$WORK/expected" -

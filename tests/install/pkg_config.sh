# An outside program built through pkg-config.
set -eu
export PKG_CONFIG_PATH="$LIBDIR/pkgconfig"
[ "$(pkg-config --modversion reckon)" = "$VERSION" ]
"$CC" -std=c11 -Wall -Wextra -Wpedantic -Werror "$WORK/main.c" -o "$WORK/outside-pkg-config" \
    $(pkg-config --cflags --libs reckon)
LD_LIBRARY_PATH=$LIBDIR "$WORK/outside-pkg-config" | diff "$WORK/expected" -

# An outside program built through pkg-config.
set -eu
export PKG_CONFIG_PATH="$LIBDIR/pkgconfig"
program=$WORK/outside-pkg-config
[ "$(pkg-config --modversion reckon)" = "$VERSION" ]
"$CC" -std=c11 -Wall -Werror "$(dirname "$0")/outside/main.c" -o "$program" \
    $(pkg-config --cflags --libs reckon)
[ "$(LD_LIBRARY_PATH=$LIBDIR "$program")" = "reckon $VERSION" ]

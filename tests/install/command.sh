# The installed command runs, knows its version and has its manual.
set -eu
LD_LIBRARY_PATH=$LIBDIR "$PREFIX/bin/reckon" --version | grep -F "$VERSION"
[ -s "$PREFIX/share/man/man1/reckon.1" ]

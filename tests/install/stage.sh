# A fresh installation under $DESTDIR.
set -eu
rm -rf "$DESTDIR"
"$CMAKE" --install "$BUILD" >/dev/null

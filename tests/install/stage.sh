# A fresh installation under $DESTDIR, and README.md's example: $WORK/main.c and what it prints.
set -eu
rm -rf "$DESTDIR"
"$CMAKE" --install "$BUILD" >/dev/null

# first_block LANGUAGE: the first code block in it.
first_block() {
    awk -v start='```'"$1" '$0 == start { on = 1; next } /^```/ && on { exit } on' "$SOURCE/README.md"
}
first_block c >"$WORK/main.c"
first_block text >"$WORK/expected"
[ -s "$WORK/main.c" ] && [ -s "$WORK/expected" ]

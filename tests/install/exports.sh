# The shared library exports exactly the functions the header declares, under its own version, and
# is found by its SONAME.
set -eu
declared=$WORK/declared
exported=$WORK/exported
grep -v '^#' "$PREFIX/include/reckon/reckon.h" | tr '\n' ' ' | grep -o 'RK_API [^;(]*(' |
    sed "s/.*[ *]\(rk_[a-z0-9_]*\)(\$/\1@@RECKON_${VERSION%.*}/" | sort >"$declared"
nm -D --defined-only "$LIBDIR/libreckon.so" | awk '$2 != "A" { print $3 }' | sort >"$exported"
[ -s "$declared" ]
diff "$declared" "$exported"
soname=$(readelf -d "$LIBDIR/libreckon.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
[ "$soname" = "libreckon.so.${VERSION%.*}" ] && [ -e "$LIBDIR/$soname" ]

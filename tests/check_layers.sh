#!/bin/sh
# Checks the layer rule over the #includes of the tree $1 (default: this one). The rule itself is
# read from where it is written, ARCHITECTURE.md: rooms in order, equals in braces. Within a room, and
# so among all files, there is no circle: a file (x.h and x.c are one) sees nothing that sees it.
set -eu
cd "${1:-$(dirname "$0")/..}"

# "base ← linalg ← {activation, diagram} ← ..." as lines "rank room".
ranks=$(tr '\n' ' ' <ARCHITECTURE.md |
    sed -n 's/.*\*\*Layer rule\*\*[^:]*:\([^.]*\)\..*/\1/p' |
    sed 's/←/\n/g' | tr -d '{} ' | awk -F, '{ for (i = 1; i <= NF; i++) print NR, $i }')
[ -n "$ranks" ] || { echo "no layer rule found in ARCHITECTURE.md"; exit 1; }

includes=$(find src cli examples bench/accuracy -name '*.[ch]' 2>/dev/null |
    xargs grep -nE '^[[:space:]]*#[[:space:]]*include' /dev/null || true)
[ -n "$includes" ] || { echo "no #include found"; exit 1; }

printf '%s\n\n%s\n' "$ranks" "$includes" | awk '
function complain(why) {
    print where ": \"" target "\": " why
    bad = 1
}
!ranked && NF == 0 { ranked = 1; next }
!ranked { rank[$2] = $1; next }
{
    split($0, field, ":")
    where = field[1] ":" field[2]
    quoted = $0 ~ /include[ \t]*"/
    target = $0
    sub(/^[^<"]*[<"]/, "", target)
    sub(/[>"].*/, "", target)
    n_parts = split(target, part, "/")
    of_room = n_parts > 1 && part[1] in rank
    split(field[1], folder, "/")
    room = folder[2]

    if (target == "reckon/reckon.h")
        next
    if (folder[1] != "src") {
        if (of_room || (quoted && n_parts > 1))
            complain(folder[1] "/ sees the public header and its own folder only")
    } else if (!(room in rank)) {
        complain("the room " room "/ has no place in the layer rule")
    } else if (of_room) {
        if (part[1] != room && rank[part[1]] >= rank[room])
            complain(room "/ may not see " part[1] "/")
    } else if (quoted) {
        complain("internal headers are included as \"room/file.h\"")
    } else if (target ~ /^(cblas|lapack|openblas|f77blas)/ && room != "linalg") {
        complain("only linalg/ sees BLAS and LAPACK")
    }
}
END { exit bad }'

# A table knows its entries, which know what they are entries of.
tables='src/activation/activation.c'

edges=$(printf '%s\n' "$includes" | awk -F: -v tables="$tables" '
$1 ~ /^src\// && $0 ~ /include[ \t]*"/ && index(" " tables " ", " " $1 " ") == 0 {
    from = substr($1, 5)
    to = $0
    sub(/^[^"]*"/, "", to)
    sub(/".*/, "", to)
    sub(/\.[ch]$/, "", from)
    sub(/\.[ch]$/, "", to)
    if (from != to) print from, to
}')
circle=$(printf '%s\n' "$edges" | tsort 2>&1 >/dev/null | sed -n 's/^tsort: \(.*\/.*\)$/\1/p')
[ -n "$circle" ] || exit 0
for name in $circle; do
    for file in src/"$name".[ch]; do
        [ ! -e "$file" ] || echo "$file: in a circle of #includes"
    done
done
exit 1

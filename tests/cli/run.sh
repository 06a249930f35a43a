# Runs one script of expectations about the command: sh run.sh PATH_TO_RECKON SCRIPT
# The script works in an empty folder with the functions below; what fails says so and is counted.
reckon=$1
script=$2
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d) && cd "$folder" || exit 1
trap 'rm -rf "$folder"' EXIT
failures=0
LC_ALL=C
export LC_ALL

failed() {
    failures=$((failures + 1))
    echo "FAILED: $*"
    echo "  the last command: reckon $last; stdout, stderr:"
    sed 's/^/  | /' out err | cut -c1-200 | head -20
}

# run CODE ARGUMENT...: reckon with these arguments exits with CODE; its output lands in out, err.
run() {
    expected=$1
    shift
    last="$*"
    "$reckon" "$@" >out 2>err </dev/null
    code=$?
    [ "$code" -eq "$expected" ] || failed "exit code $code, not $expected"
}

# has FILE REGEX, lacks FILE REGEX
has() {
    grep -qe "$2" "$1" || failed "no '$2' in $1"
}
lacks() {
    ! grep -qe "$2" "$1" || failed "'$2' in $1"
}
is_empty() {
    [ ! -s "$1" ] || failed "$1 is not empty"
}
exists() {
    [ -s "$1" ] || failed "no file $1"
}
is_gone() {
    [ ! -e "$1" ] || failed "$1 exists"
}
same() {
    cmp -s "$1" "$2" || failed "$1 and $2 differ"
}
is_json() {
    [ "$(wc -l <"$1")" -eq 1 ] || failed "$1 is not one line"
    if command -v jq >/dev/null; then
        jq -e . "$1" >/dev/null 2>&1 || failed "$1 is not JSON"
    elif python3 -c '' 2>/dev/null; then
        python3 -m json.tool "$1" >/dev/null 2>&1 || failed "$1 is not JSON"
    fi
}
# The folder holds exactly these files, besides out and err: nothing half-written stays behind.
only_files() {
    found=$(ls -A | grep -vx -e out -e err | sort | tr '\n' ' ')
    wanted=$(for file; do echo "$file"; done | sort | tr '\n' ' ')
    [ "$found" = "$wanted" ] || failed "files '$found', not '$wanted'"
}

. "$here/$script"
[ "$failures" -eq 0 ]

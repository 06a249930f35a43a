# refit.sh laws|anchor|structures PROGRAM: whether the constants in src/estimate are what PROGRAM fits to the
# measurements that are kept here. To be run in the source folder.
set -eu

failed() {
    echo "$*"
    exit 1
}

case $1 in
laws)
    lines=$("$2" law bench/accuracy/calibration.csv | sed 's/}.*//')
    [ "$(echo "$lines" | wc -l)" -ge 20 ] || failed "few laws: $lines"
    echo "$lines" | while read -r line; do
        grep -qF "$line" src/estimate/error_model.c || failed "not in error_model.c: $line"
    done
    ;;
structures)
    csv=bench/structures/structures.csv
    margins=$("$2" margins $csv)
    [ "$(echo "$margins" | wc -l)" -ge 13 ] || failed "few margins: $margins"
    echo "$margins" | while read -r method margin; do
        grep -q "{\"$method\", .*, $margin}," src/estimate/error_model.c ||
            failed "not in error_model.c: $method with margin $margin"
    done
    laws=$("$2" covariances $csv | sed 's/^ *//')
    [ "$(echo "$laws" | wc -l)" -ge 9 ] || failed "few laws: $laws"
    echo "$laws" | while read -r line; do
        grep -qF "$line" src/estimate/error_model.c || failed "not in error_model.c: $line"
    done
    ;;
anchor)
    constants=$(sed -n 's/.*BIAS = \(.*\), PACE = \(.*\);/-v bias=\1 -v pace=\2/p' src/estimate/anchor.c)
    "$2" fit <bench/anchor/anchor.csv | awk $constants '
        !least || $5 + 0 < least { least = $5 + 0 }
        $2 == bias && $4 + 0 == pace { of_ours = $5 + 0 }
        END { print "least regret " least ", ours " of_ours; exit !(of_ours && of_ours < 1.01 * least) }'
    ;;
esac

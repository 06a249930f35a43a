# refit.sh laws|anchor|structures PROGRAM: whether the constants in src/estimate are what PROGRAM fits to the
# measurements that are kept here. To be run in the source folder.
set -eu

failed() {
    echo "$*"
    exit 1
}

# check_laws N: "METHOD LAW" lines on stdin, N or more, stand in the methods' files.
check_laws() {
    count=0
    while read -r method law; do
        case $method in
        mean* | covariance* | gain*) file=second ;;
        fourth* | reference*) file=reference ;;
        *) file=${method%%:*} ;;
        esac
        file=src/estimate/method_$file.c
        grep -qF -- "$law" $file || failed "not in $file: $method $law"
        count=$((count + 1))
    done
    [ $count -ge "$1" ] || failed "few laws: $count"
}

case $1 in
laws)
    "$2" law bench/accuracy/calibration.csv | sed 's/scatter.*//' | check_laws 20
    ;;
structures)
    csv=bench/structures/structures.csv
    "$2" margins $csv | check_laws 13
    "$2" covariances $csv | check_laws 9
    ;;
anchor)
    constants=$(sed -n 's/.*BIAS = \(.*\), PACE = \(.*\);/-v bias=\1 -v pace=\2/p' src/estimate/anchor.c)
    "$2" fit <bench/anchor/anchor.csv | awk $constants '
        !least || $5 + 0 < least { least = $5 + 0 }
        $2 == bias && $4 + 0 == pace { of_ours = $5 + 0 }
        END { print "least regret " least ", ours " of_ours; exit !(of_ours && of_ours < 1.01 * least) }'
    ;;
esac

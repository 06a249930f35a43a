# Laws of the input: numbers, variances, points, mixtures.
"$reckon" random --widths 3,16,2 --seed 2 --quiet -o net.npz
# of a run: the mean of its first output
mean() { sed 's/.*"mean": \[\([^,]*\),.*/\1/' out; }
equal() { [ "$1" = "$2" ] || failed "$1, not $2"; }

# The same law in several ways: same bits
run 0 estimate net.npz -a relu -m covariance --json
standard=$(mean)
run 0 estimate net.npz -a relu -m covariance --input-mean 0 --input-cov 1 --json
equal "$(mean)" "$standard"
printf '1\n1\n1\n' >ones.csv
run 0 estimate net.npz -a relu -m covariance --input-cov ones.csv --json
equal "$(mean)" "$standard"
printf '1 0 0\n0 1 0\n0 0 1\n' >eye.csv
run 0 estimate net.npz -a relu -m covariance --input-cov eye.csv --json
equal "$(mean)" "$standard"

# Points with mean 0 and covariance 1
printf 'a,b,c\n# a comment\n1,1,1\n-1,-1,1\n\n1,-1,-1\n-1;1\t-1\n' >points.csv
run 0 estimate net.npz -a relu -m covariance --input-data points.csv --shrinkage 1 --json
has err 'mean and covariance of 4 points, shrinkage 1'
run 0 estimate net.npz -a relu -m covariance --input-data points.csv --shrinkage auto
has err 'Ledoit-Wolf'
run 0 estimate net.npz -a relu -m covariance --input-data points.csv --quiet
is_empty err
# refused ARGUMENT... : the message comes first
refused() {
    words=$1
    shift
    run 3 estimate net.npz -a relu "$@"
    has err "$words"
}
printf '1,2,3\n' >lone.csv
refused 'two points' --input-data lone.csv
printf '1,2\n3,4\n' >two.csv
refused 'data: 2x2, where the network takes points, n x 3' --input-data two.csv
printf '1,2,3\n4,5\n' >short.csv
refused 'line 2 has fewer columns than the first, which has 3' --input-data short.csv
printf '1,2,3\n4,5,6,7\n' >long.csv
refused 'line 2 has more columns' --input-data long.csv
printf '1,2,3\n4,,6\n' >missing.csv
refused "line 2, column 2: nothing there" --input-data missing.csv
printf '1,2,3\n4,nan,6\n' >nan.csv
refused "line 2, column 2: 'nan' is no finite number" --input-data nan.csv
printf 'a,b\n' >names.csv
refused 'there are no numbers' --input-data names.csv
printf '\001\002\003\004' >binary
refused 'neither a .npy or .npz file nor a table' --input-data binary
refused "there is no array 'weights,weights_'" --input-mixture net.npz
refused 'an .npz file is wanted' --input-mixture points.csv
run 2 estimate net.npz --input-data points.csv --input-cov 2
has err 'one law of the input'
run 2 estimate net.npz --input-cov 2 --shrinkage 0.1
run 2 estimate net.npz --input-data points.csv --shrinkage 2
has err 'from 0 to 1, or auto'
run 2 estimate net.npz -a relu --input-mean nan
has err 'input mean \[0\] is not finite'

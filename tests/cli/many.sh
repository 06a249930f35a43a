# Several files in one call: a line or a paragraph for each, and one that fails does not disturb.
for i in 1 2 3 4; do
    "$reckon" random --width 16 --hidden 2 --seed $i --quiet -o $i.npz
    "$reckon" estimate $i.npz -a relu -m third --json >$i.json 2>err
done
run 0 random --width 5 --hidden 1 -o other.npz
echo junk >bad.npz

# numbers FILE: without what differs from run to run
numbers() {
    sed 's/"seconds": [^,]*, //g; s/"threads": [^,]*, //g' "$1"
}

run 0 estimate 1.npz 2.npz 3.npz 4.npz -a relu -m third --json
numbers out >together
for i in 1 2 3 4; do
    numbers $i.json
done >alone
same together alone
is_empty err

run 3 estimate 1.npz bad.npz 2.npz gone.npz 3.npz -a relu -m third --json
numbers out >together
for i in 1 2 3; do
    numbers $i.json
done >alone
same together alone
has err 'bad.npz: '
has err "cannot open 'gone.npz'"

run 3 estimate 1.npz bad.npz 2.npz -a relu -m third
has out 'of 1.npz (16-16x2-16 relu)'
has out 'of 2.npz'

# What is wrong is said of whom, and the gravest decides.
run 4 estimate 1.npz 2.npz -a relu --tol 1e-9
has err '1.npz: nothing is expected to reach'
has err '2.npz: nothing is expected to reach'
run 4 estimate 1.npz 2.npz -a relu -m mean --tol 1e-9 --json
[ "$(wc -l <out)" -eq 2 ] || failed 'not two lines'
python3 -c 'import numpy; numpy.save("mean.npy", numpy.ones(16))' 2>/dev/null || touch no_numpy
if [ ! -e no_numpy ]; then
    run 3 estimate 1.npz other.npz 2.npz -a relu -m mean --input-mean mean.npy --json
    [ "$(wc -l <out)" -eq 2 ] || failed 'not two lines'
    has err 'takes 5 numbers'
fi

# Into one file, which is there if there is anything in it.
run 3 estimate 1.npz bad.npz 2.npz -a relu -m mean --json -o lines.json
[ "$(wc -l <lines.json)" -eq 2 ] || failed 'not two lines'
run 3 estimate bad.npz gone.npz -o none.json --json
is_gone none.json
run 2 estimate 1.npz 2.npz -a relu -o 2.npz
has err 'would overwrite the model'
run 2 estimate 1.npz 2.npz -a relu --csv table.csv
has err '--csv is of one file'
run 2 estimate - - -a relu
has err 'only one file can come from stdin'
run 2 explain 1.npz 2.npz
has err "unexpected argument '2.npz'"

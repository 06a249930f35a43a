# random, inspect, estimate and explain on small networks.
run 0 random --width 8 --hidden 2 --seed 3 -o net.safetensors
is_empty out
has err 'wrote net.safetensors: 8-8x2-8 relu, seed 3'
run 0 random --width 8 --hidden 2 --seed 3 -o net.npz -a relu --quiet
is_empty err
run 0 random --widths 5,7,3 --activation gelu --init critical:1 -o small.npz --json
is_json out
has out '"network": "5-7-3 gelu"'
run 0 random --in 5 --out 2 --width 4 --init manual:2,0.1 -o wide.npz
has err '5-4x4-2 relu'
only_files net.safetensors net.npz small.npz wide.npz

# The same network from either format, from a pipe, and written as JSON.
run 0 inspect net.safetensors --json
is_json out
has out '"schema": "reckon.inspect/1"'
sha=$(sed 's/.*"weights_sha256": "\([0-9a-f]*\)".*/\1/' out)
run 0 inspect net.npz --activation relu
has out "$sha"
"$reckon" random --width 8 --hidden 2 --seed 3 | "$reckon" inspect - >out 2>err || failed 'inspect -'
has out "$sha"
lacks out ' \* '

run 0 estimate net.safetensors
is_empty err
has out '^E\[M(x)\] of net.safetensors (8-8x2-8 relu)$'
has out '^  y\[7\]  *-*[0-9.]*  +- [0-9.e-]*$'
has out '^method   sample:'
has out '^         expected to be the most accurate of [0-9]* within a second or so$'
has out '^cost  .* FLOPs executed, .* by the paper'
run 0 estimate net.safetensors --method covariance
has out '^method   covariance$'
run 0 estimate net.safetensors -m covariance --json --covariance --layers --receipt 500
is_json out
has out '"verdict": "agrees"'
is_empty err
for key in schema version method options mean error kind per_output rms covariance layers receipt \
    mse_standard_error rms_standard_error verdict flops executed convention seconds peak_bytes seed threads weights_sha256 \
    warnings; do
    has out "\"$key\": "
done
has out '"schema": "reckon.estimate/1"'
# No receipt is null, and a mean square below zero has no root.
run 0 estimate net.safetensors -m covariance --receipt 0 --json
has out '"receipt": null'
run 0 estimate net.safetensors -m sample -n 1e6 --receipt 500 --seed 0 --json
has out '"rms": null, "rms_standard_error": [0-9.e-]*, "mse": -'
run 0 estimate net.safetensors -m covariance --covariance --layers --receipt 500 --csv net.csv
has out '^covariance$'
has out 'hidden layer'
has out '^receipt  agrees: root mean square error '
has out '(mean square .* +- .*), from 496 passes, seed 0$'
has net.csv '^output,mean,error,deviation$'
has net.csv '^7,'
run 0 estimate net.safetensors --method fourth --cumulants 4
has out 'skewness  *kurtosis$'
run 0 estimate net.safetensors --method third --cumulants 3 --json
is_json out
has out '"third_cumulant": \[\[\['
run 1 estimate net.safetensors --method mean --cumulants 3
has err 'mean knows no cumulants'
run 2 estimate net.safetensors --cumulants 5
run 0 explain net.safetensors --method mean
has out '^  layer 1: '
has out '^memory '
run 0 explain net.safetensors --json
is_json out
has out '"schema": "reckon.explain/1"'

# Many outputs are abridged for people.
run 0 random --width 40 --hidden 1 -o many.npz
run 0 estimate many.npz -a relu
has out '(40 outputs; --all'
lacks out 'y\[20\]'
run 0 estimate many.npz -a relu --all
has out 'y\[20\]'

# The same bits for any number of threads.
estimate() {
    run 0 estimate many.npz -a relu --json "$@"
    sed 's/.*"mean": \(\[[^]]*\]\).*/\1/' out
}
[ "$(estimate --threads 1)" = "$(estimate --threads 3)" ] || failed 'bits depend on threads'
[ "$(estimate -m sample -n 2000 -t 1)" = "$(estimate -m sample -n 2000 -t 3)" ] ||
    failed 'sampled bits depend on threads'
[ "$(estimate -m sample -n 2000 -s 1)" != "$(estimate -m sample -n 2000 -s 2)" ] ||
    failed 'the seed does not matter'

run 2 estimate net.safetensors --method cavariance
has err covariance
run 1 estimate net.safetensors --method third --memory 1k
has err bytes
run 0 doctor
has out '^self-test    passed$'
has out '^same bits    passed$'
run 0 doctor --json
is_json out
has out '"healthy": true'

# auto: what it chose and why; 4 and the answer all the same where that is not enough.
run 0 estimate net.safetensors --method auto --budget 1e7flop
has out '^method   '
has out '^         expected to be the most accurate of [0-9]* within 1e+07 FLOPs$'
run 0 explain net.safetensors --method auto --budget 1e7flop --json
is_json out
has out '"verdict": "chosen"'
run 0 explain net.safetensors --method auto --tol 0.1
has out '  chosen$'
run 4 estimate net.safetensors --method auto --tol 1e-9 --budget 1e6flop --json
is_json out
has out '"unmet": true'
has out 'tolerance not met'
run 4 estimate net.safetensors --budget 1flop
has err 'budget not met'
has out '^         nothing fits into 1 FLOPs'
# What nothing reaches is said before anything runs, with the way out.
for method in auto sample; do
    run 4 estimate net.safetensors --method $method --tol 1e-9 --json
    is_empty out
    has err 'nothing is expected to reach an error of 1e-09'
    has err '--budget'
done
run 4 explain net.safetensors --tol 1e-9
run 0 estimate net.safetensors --method sample --budget 100s --budget 1e6flop
for bad in 1e10 5x -1s flop 0s 1e10flopp; do
    run 2 estimate net.safetensors --budget "$bad"
done

# The default method checks itself where its law is all there is, and says so; unless told not to.
run 0 random --width 160 --hidden 3 --seed 1 -o wide.npz
run 0 explain wide.npz -a relu
has out '^  third.*chosen$'
has out '^  receipt: [0-9]* passes '
run 0 explain wide.npz -a relu --receipt 0
lacks out 'receipt: '

# An answer whose stated error is refuted is printed with what was measured, and no success: a hundred
# passes see nothing of the tails of z^16. In every form.
run 0 random --widths 1,1,1,1,1 -a square --init manual:1,0 --seed 1 -o heavy.npz
for form in '' --json '--csv heavy.csv'; do
    run 4 estimate heavy.npz -a square -m sample -n 100 --seed 4 --receipt 1e6 $form
    has out 'refutes'
done
has out '(measured by the receipt)$'
has err 'the receipt refutes the stated error: .* not .* times as large'
exists heavy.csv

# What is not a number is no success either, whatever it looks like.
run 0 random --width 4 --hidden 2 -a square --init manual:1e300,0 -o huge.npz
for form in '' --json '--csv huge.csv'; do
    for method in mean third sample auto; do
        last="estimate huge.npz $method $form"
        "$reckon" estimate huge.npz -a square -m $method -n 1000 $form >out 2>err && failed 'success'
    done
    last="compare huge.npz $form"
    "$reckon" compare huge.npz -a square -m mean --truth-samples 100 $form >out 2>err && failed 'success'
done

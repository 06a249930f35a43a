# An event made rarer.
run 0 random --width 16 --hidden 2 --seed 3 -o net.safetensors -q
run 0 train net.safetensors --event 'y[0] > 4' -n 4000 -o rarer.safetensors
has out '^y\[0\] > 4 of net.safetensors (16-16x2-16 relu)$'
has out '^before   '
has out '^after    '
has out 'times rarer$'
has out '^loss     0\.000'
exists rarer.safetensors
run 0 inspect rarer.safetensors
has out '^trained from weights [0-9a-f]*: reckon .* train, P(y\[0\] > 4) from '
run 0 train net.safetensors --event 'y[0] - y[1] < -4' -n 4000 -o rarer.npz --json --csv path.csv
is_json out
for key in network event before after log10_p cv log10_factor loss relative flops curve modes \
    interrupted unmet seed threads weights_sha256; do
    has out "\"$key\": "
done
has out '"schema": "reckon.train/1"'
has path.csv '^step,closure_loss,'

# The same bits for any number of threads.
run 0 train net.safetensors --event 'y[0] > 4' -n 4000 -t 1 -o one.safetensors -q
run 0 train net.safetensors --event 'y[0] > 4' -n 4000 -t 3 -o three.safetensors -q
same one.safetensors three.safetensors

run 2 train net.safetensors -o x.safetensors
has err 'Give --event'
run 2 train net.safetensors --event 'y[0] > 4'
has err 'Give -o trained.safetensors'
run 2 train net.safetensors --event 'y[*] > 4' -o x.safetensors
has err 'one event at a time'
run 2 train net.safetensors --event 'y[0] > 4' --view none -o x.safetensors
has err "'none' is none of both, normal, tilts"
run 2 train net.safetensors --event 'y[0] > 4' -o net.safetensors
is_gone x.safetensors

# Out of sight: no step leads anywhere, and the network stays what it is.
run 0 train net.safetensors --event 'y[0] > 1e9' -n 1000 -o far.safetensors --json
lacks out '"relative": [0-9.]*e+'

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
has out '^trained from weights [0-9a-f]*: reckon .* train, seed 0, P(y\[0\] > 4) from '
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

# Out of sight: nothing could be said to be gained, and the network stays what it is.
run 4 train net.safetensors --event 'y[0] > 1e9' -n 1000 -o far.safetensors --json
has out '"unchanged": true'
has out '"relative": 0.0,'
has out 'the event is out of sight'
run 4 train net.safetensors --event 'y[0] > 1e9' -n 1000 -o far.safetensors
has out 'the network is what it was'
has err 'the event is out of sight'
"$reckon" inspect net.safetensors --json >a
"$reckon" inspect far.safetensors --json >b
weights() { sed 's/.*"weights_sha256": "\([0-9a-f]*\)".*/\1/' "$1"; }
[ "$(weights a)" = "$(weights b)" ] || failed 'the weights moved'

# Kept to data: values, labels, and what is neither.
if python3 -c 'import numpy' 2>/dev/null; then
    python3 - <<'END'
import numpy as np
rng = np.random.default_rng(1)
x = rng.standard_normal((3000, 16))
np.savez("values.npz", x=x, y=x @ rng.standard_normal((16, 16)))
np.savez("labels.npz", x=x.astype(np.float32), y=rng.integers(0, 16, 3000).astype(np.uint8))
np.savez("wide.npz", x=x[:, :3], y=x)
np.savez("image.npz", x=x.reshape(3000, 4, 4), y=x)
np.savez("far.npz", x=x, y=np.full(3000, 16))
np.savez("short.npz", x=x, y=x[:5])
np.savez("one.npz", x=x, y=x[:, 0])
END
    run 0 train net.safetensors --event 'y[0] > 4' -n 4000 --keep values.npz -o v.safetensors
    has out '^loss  .* on the data, .* before (3000 samples, mean square error)$'
    run 0 train net.safetensors --event 'y[0] > 4' -n 4000 --keep labels.npz -o l.safetensors --json
    is_json out
    has out '"data_before": [0-9]'
    has out '"data_after": [0-9]'
    run 2 train net.safetensors --event 'y[0] > 4' --keep wide.npz -o x.safetensors
    has err 'the data have 3 numbers a sample and the network 16 inputs'
    run 3 train net.safetensors --event 'y[0] > 4' --keep image.npz -o x.safetensors
    has err 'x.reshape(len(x), -1)'
    run 2 train net.safetensors --event 'y[0] > 4' --keep far.npz -o x.safetensors
    has err 'sample 0 of the data has label 16, but there are outputs 0 to 15'
    run 3 train net.safetensors --event 'y[0] > 4' --keep short.npz -o x.safetensors
    has err 'x has shape (3000, 16) and y (5, 16)'
    run 2 train net.safetensors --event 'y[0] > 4' --keep one.npz -o x.safetensors
    has err 'labels are integers'
    is_gone x.safetensors
fi

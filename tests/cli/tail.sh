# Probabilities of events.
run 0 random --width 32 --hidden 2 --seed 3 -o net.safetensors -q
run 0 tail net.safetensors --event 'y[0] > 2,3'
has out '^Events of net.safetensors (32-32x2-32 relu)$'
has out '^  y\[0\] > 3 '
has out '^method   auto:third'
run 0 tail net.safetensors --event 'y[*] > 3' --method saddlepoint --json
is_json out
is_empty err
for key in schema version method events event p log10_p cv interval95 warnings flops executed seconds peak_bytes samples \
    seed threads weights_sha256; do
    has out "\"$key\": "
done
has out '"schema": "reckon.tail/1"'
run 0 tail net.safetensors -e 'layer 1: z[*] > 1:3:0.5' -m normal --csv tail.csv
has out '(160 events; --all, --csv or --json give all of them)'
has tail.csv '^layer 1: z\[31\] > 3,3,'
[ "$(wc -l <tail.csv)" -eq 161 ] || failed 'tail.csv has not 161 lines'

# The same bits for any number of threads.
run 0 tail net.safetensors -e 'y[0] > 3; y[1] - y[2] < -1' -m importance -n 2000 -t 1 --csv one.csv
run 0 tail net.safetensors -e 'y[0] > 3; y[1] - y[2] < -1' -m importance -n 2000 -t 3 --csv three.csv
same one.csv three.csv

run 2 tail net.safetensors
has err "Give --event"
run 2 tail net.safetensors --event 'y[32] > 1'
has err 'there is no index 32 of 32'
run 2 tail net.safetensors --event 'y[0] > 1' --method gain
has err 'there are auto, normal, edgeworth, saddlepoint, sample, importance'
run 1 tail net.safetensors --event 'y[0] > 1' --method normal:gain
has err 'need a law'
run 0 tail net.safetensors -e 'y[0] > 0:2:0.5' -m saddlepoint --plot tail.svg -q
has tail.gp "set title 'net.safetensors (32-32x2-32 relu)' noenhanced"
has tail.gp "title 'y\[0\] > t'"
run 0 tail net.safetensors -e 'y[0] > 0:1:0.5; y[1] >= 0:1:0.5' -n 3000 --plot auto.svg -q
for text in 'set key .*outside' "title 'band: 95 % interval'" "title 'dashed: cumulants alone'" "title 'y\[1\] >= t'"; do
    has auto.gp "$text"
done
run 0 tail net.safetensors -e 'y[*] > 2' -m saddlepoint --plot many.svg -q
has many.gp 'curve31 using 6:2 with points'
has many.gp "set xlabel 'number of the event'"
run 2 tail net.safetensors -e 'y[0] > 1' --plot tail.gif
# One event, one height: gnuplot has nothing to say.
for events in 'y[0] > 1' 'y[0] > -1e9' 'y[0] > -1e9; y[1] > -1e9' 'y[0] < -1e9' 'y[0] < -1e9,-1e10' \
    'y[0] > 1; y[0] > 1' 'y[0] < -1e9,-1e10; y[0] > 1'; do
    for method in saddlepoint auto sample; do
        run 0 tail net.safetensors -e "$events" -m $method -n 3000 --plot one.svg -q
        lacks err 'range\|data file\|undefined'
    done
done

# Certain: the interval says how sure the passes are.
run 0 random --widths 4,20,3 --seed 3 -o small.safetensors -q
run 0 tail small.safetensors -e 'y[0] > -1e9' -n 3000
has out ' 1 *0.00 *0.0 % *0.9988 .. 1 '
is_empty err
run 0 tail small.safetensors -e 'y[0] > -1e9' -n 3000 --json
has out '"log10_p": 0.0,'

# An event without an answer is no success.
run 4 tail net.safetensors -e 'y[*] > 9' -m edgeworth
has err 'out of its range'
run 0 tail net.safetensors -e 'y[0] >= 1; y[0] < 1' -n 2000
has out '^  y\[0\] >= 1 '
run 2 tail net.safetensors -e 'y[0] => 1'

# What events cost is known before, and bounds hold or are said not to.
run 0 explain net.safetensors -e 'y[0] > 3; layer 1: z[0] > 1' -m importance -n 3000
has out '^  y\[0\] > 3: tilted passes '
has out '^at most'
run 0 explain net.safetensors -e 'y[0] > 3' -m sample -n 3000 --json
is_json out
has out '"exact": true'
for key in schema method flops steps events samples peak_bytes; do
    has out "\"$key\": "
done
run 0 tail net.safetensors -e 'y[0] > 0' -m sample --tol 0.1 --json
has out '"unmet": false'
run 4 tail net.safetensors -e 'y[0] > 0' -m sample --tol 0.0001 -b 1e7flop
has err 'tolerance not met by 1 of 1 events'
run 4 tail net.safetensors -e 'y[0] > 1' -b 10flop
has err 'budget not met'
run 1 explain net.safetensors -e 'y[0] > 1' --memory 1000
has err 'bytes of working memory; the limit is 1000'

# What long runs leave: killed, and interrupted once, twice and thrice.
env --default-signal=INT true 2>/dev/null || exit 77
"$reckon" random --width 64 --hidden 3 --seed 1 -o net.safetensors -q

# begin ARGUMENT...: reckon with these arguments, in the background; its process is $pid.
begin() {
    last="$*"
    (exec env --default-signal=INT "$reckon" "$@" >out 2>err) &
    pid=$!
}

# appears FILE: within a minute.
appears() {
    for _ in $(seq 600); do
        [ -s "$1" ] && return
        sleep 0.1
    done
    failed "no $1 after a minute"
}

# ends CODE: that is what the process ends with.
ends() {
    wait "$pid"
    code=$?
    [ $code -eq "$1" ] || failed "exit code $code, not $1"
}

# Killed: the best so far is there, says what it is, and is gone on from.
begin distill net.safetensors --hidden 32,32,32 -m adam --start random --rate 1e-4 --batch 32 -b 1e6s \
    --checkpoint 0.05 -o s.safetensors
appears s.safetensors
kill -KILL $pid
ends 137
run 0 inspect s.safetensors
has out '^student of weights [0-9a-f]*: reckon .*, unfinished: samples, step [0-9]'
run 0 distill net.safetensors --student s.safetensors -b 1e8flop -o on.safetensors -q

begin train net.safetensors --event 'y[0] > 5' --keep-loss 0.3 -n 2000 --checkpoint 1e-9 -o t.safetensors
appears t.safetensors
kill -KILL $pid 2>/dev/null
wait $pid
run 0 inspect t.safetensors
has out '^trained from weights'
run 0 train t.safetensors --event 'y[0] > 5' --keep net.safetensors --keep-loss 0.3 -n 2000 -o on.safetensors

# Interrupted once: the steps end, and the receipt is taken.
begin distill net.safetensors --hidden 32,32,32 -m adam --start random --rate 1e-4 --batch 32 -b 1e6s \
    --checkpoint 0.05 -o i.safetensors --json
appears i.safetensors
kill -INT $pid
ends 130
has out '"interrupted": true'
has out '"samples": [1-9]'
has err 'goes on from it'

# Twice: it is given up, and the student is there all the same.
begin distill net.safetensors --hidden 32,32,32 -m adam --start random --rate 1e-4 --batch 32 -b 1e6s \
    --checkpoint 0.05 -o j.safetensors --receipt 1e12
appears j.safetensors
kill -INT $pid
sleep 1
kill -INT $pid
ends 130
has err 'there is no receipt'
run 0 inspect j.safetensors
lacks out 'unfinished'

# Thrice: gone, but for what was written when the steps ended.
begin distill net.safetensors --hidden 32,32,32 -m adam --start random --rate 1e-4 --batch 32 -b 1e6s \
    --checkpoint 1e6 -o k.safetensors --receipt 1e12
sleep 1
kill -INT $pid
appears k.safetensors
run 0 inspect k.safetensors
has out 'unfinished'
kill -KILL $pid
ends 137

# Ctrl-C: once for the partial answer, with 130; progress only for a person.
"$reckon" random --width 64 --hidden 4 --quiet -o net.safetensors

# Background jobs of a script ignore SIGINT; only some versions of env can undo that.
env --default-signal=INT true 2>/dev/null || exit 77

# until_caught PID: until it has a handler for SIGINT, the second bit, and then some.
until_caught() {
    while :; do
        caught=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$1/status")
        case $caught in *[2367aAbBeEfF]) break ;; esac
        sleep 0.05
    done
    sleep 0.3
}

# interrupt ARGUMENT...: reckon with these arguments exits with 130 if interrupted.
interrupt() {
    last="$*, interrupted"
    (exec env --default-signal=INT "$reckon" "$@" >out 2>err) &
    until_caught $!
    kill -INT $!
    wait $!
    code=$?
    [ $code -eq 130 ] || failed "exit code $code, not 130"
}

interrupt estimate net.safetensors -m sample -n 1e12 --json
is_json out
has out '"interrupted": true'
has err 'interrupted: this answer is partial'

interrupt estimate net.safetensors -m mean --receipt 1e12
has out "^method   mean"
has err "interrupted: there is no receipt"

# Of several, what is done is kept: the first file is done long before.
"$reckon" random --width 4 --hidden 1 --quiet -o small.safetensors
interrupt estimate small.safetensors net.safetensors -m sample -n 1e12 --json
[ "$(grep -c '"interrupted": true' out)" -ge 1 ] || failed 'no partial answer'
has err 'interrupted: [12] of 2 files are answered'

interrupt compare net.safetensors --truth-samples 1e12
is_empty out
has err 'interrupted before the ground truth was known'

# No bar where nobody watches.
lacks err '\['

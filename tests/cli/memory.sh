# Weights are in memory once: how much more than a small network one of 32 MiB takes, at its peak.
command -v python3 >/dev/null || exit 77
! grep -q __tsan_init "$reckon" || exit 77 # whose shadow takes more than the weights

# The peak of a run in KiB, from a parent that is small itself: a process inherits what that had.
peak() {
    python3 -c '
import os, sys
pid = os.fork()
if pid == 0:
    os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
    os.execv(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss if status == 0 else 10**9)' "$reckon" "$@"
}

weights=32768 # KiB of four matrices of 1024 x 1024
# within TENTHS ARGUMENT...: the network takes at most so many tenths of its weights.
within() {
    tenths=$1
    shift
    last="$* (peak)"
    small=$(peak "$@" small.safetensors) # also what the libraries take
    big=$(peak "$@" "$file")
    [ $((big - small)) -le $((weights * tenths / 10)) ] ||
        failed "$file: $((big - small)) KiB more, for weights of $weights"
}

"$reckon" random --width 8 --hidden 3 --quiet -o small.safetensors
for file in net.safetensors net.npz; do
    "$reckon" random --width 1024 --hidden 3 --quiet -o $file
    within 13 inspect
    within 13 estimate --method mean
    within 13 explain --method mean
done
small=$(peak inspect small.safetensors)
big=$(peak inspect - <net.npz)
[ $((big - small)) -le $((weights * 25 / 10)) ] || failed "a pipe: $((big - small)) KiB"

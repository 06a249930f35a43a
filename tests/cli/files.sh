# Bad files are refused with 3, naming the place; outputs appear whole or not at all.
"$reckon" random --widths 3,4,2 --quiet -o net.safetensors
size=$(wc -c <net.safetensors)
head -c $((size - 8)) net.safetensors >short.safetensors
head -c 4 net.safetensors >tiny.safetensors
printf 'hello' >hello.npz
: >empty.npy
mkdir folder.npz
for bad in short.safetensors tiny.safetensors hello.npz empty.npy folder.npz missing.npz; do
    run 3 estimate $bad
    is_empty out
    has err "reckon: error: .*$bad"
done
run 3 inspect /dev/null

# A name so long that "NAME.json" cannot exist beside it.
long=$(printf '%0240d' 0).safetensors
cp net.safetensors "$long"
run 0 inspect "$long"
rm "$long"
"$reckon" estimate - <short.safetensors >out 2>err
[ $? -eq 3 ] || failed 'short stdin'

# npy files by hand: magic, version 1.0, header length 118, header, little-endian doubles.
npy() {
    printf '\223NUMPY\001\000\166\000%-117s\n' "{'descr': '<f8', 'fortran_order': False, 'shape': $1, }"
    shift
    for word in "$@"; do printf "$word"; done
}
one='\000\000\000\000\000\000\360\077'
npy '(3,)' $one $one $one >mean.npy
npy '(2,)' $one $one >short.npy
npy '(2, 2)' $one $one $one $one >square.npy
run 0 estimate net.safetensors --input-mean mean.npy
run 3 estimate net.safetensors --input-mean short.npy
has err '--input-mean: short.npy is 2, but the network needs 3 numbers'
run 3 estimate net.safetensors --input-cov square.npy
has err '--input-cov: square.npy is 2x2, but the network needs 3x3'
run 3 estimate net.safetensors --input-cov missing.npy
rm -r ./*.npy ./*.npz short.safetensors tiny.safetensors

# Outputs.
run 0 estimate net.safetensors -o answer.json --json
is_empty out
is_json answer.json
only_files net.safetensors answer.json
cp answer.json before.json
run 1 estimate net.safetensors -o nowhere/answer.json
has err 'cannot write nowhere/answer.json'
run 1 random -o nowhere/net.npz
run 1 estimate net.safetensors --csv nowhere/a.csv
run 2 estimate net.safetensors -o answer.json --method nonsense
same answer.json before.json
only_files net.safetensors answer.json before.json

# Nothing is lost quietly: a full disk, no stdout at all.
unwritten() {
    [ $? -eq 1 ] || failed 'unnoticed'
    has err 'cannot write to stdout'
}
for command in 'estimate net.safetensors' 'estimate net.safetensors --json' 'random' 'doctor' \
    'compare net.safetensors --truth-samples 50 -m mean' 'help estimate' '--version'; do
    last="$command with nowhere to write"
    "$reckon" $command >&- 2>err
    unwritten
    [ -e /dev/full ] || continue
    "$reckon" $command >/dev/full 2>err
    unwritten
done
[ ! -e /dev/full ] || run 1 estimate net.safetensors -o /dev/full

# A reader that has seen enough.
"$reckon" estimate net.safetensors 2>err | head -1 >out
is_empty err
has out 'E\[M'

mkdir tmp
TMPDIR=tmp "$reckon" random --width 300 | head -c 1 >out
[ -z "$(ls tmp)" ] || failed 'a pipe that closes leaves files behind'
rmdir tmp

# Escape sequences only for terminals that want them.
escape=$(printf '\033')
run 0 estimate net.safetensors
lacks out "$escape"
if script -qec true /dev/null >/dev/null 2>&1; then
    TERM=xterm script -qec "'$reckon' estimate net.safetensors" /dev/null >out </dev/null
    has out "$escape"
    NO_COLOR=1 TERM=xterm script -qec "'$reckon' estimate net.safetensors" /dev/null >out </dev/null
    lacks out "$escape"
fi

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
has err '--input-mean short.npy: mean: 2, where the network takes 3 numbers, or one for all'
run 3 estimate net.safetensors --input-cov square.npy
has err '--input-cov square.npy: covariance: 2x2, where the network takes 3x3, 3 variances, or one for all'
run 3 estimate net.safetensors --input-cov missing.npy
run 3 estimate net.safetensors --input-mean net.safetensors
has err 'net.safetensors: this is a .safetensors file of several arrays'
rm -r ./*.npy ./*.npz short.safetensors tiny.safetensors

# What a file is, and the way out: foreign EXPECTED WAY_OUT FILE
foreign() {
    run 3 inspect "$3"
    has err "reckon: error: $3: this is $1"
    has err "$2"
}
formats=$here/../data/formats
foreign 'a pickled module' 'state_dict()' "$formats/../torch/new_module.pt"
foreign ONNX 'onnx.load' "$formats/foreign_net.onnx"
printf '\211HDF\r\n\032\n' >net.h5
foreign HDF5 keras net.h5
printf '{"metadata": {}, "weight_map": {"0.weight": "model-00001-of-00002.safetensors"}}' >index.json
foreign 'the index of a model in shards' 'glob' index.json
cp net.safetensors model-00001-of-00002.safetensors
foreign 'shard 1 of 2' 'glob' model-00001-of-00002.safetensors
printf '{"activaton": "relu"}' >net.safetensors.json
run 3 inspect net.safetensors
has err "side-car: the key 'activaton' is none of .* did you mean 'activation'?"
rm net.h5 index.json model-00001-of-00002.safetensors net.safetensors.json
run 0 inspect net.safetensors -a ReLU
run 2 inspect net.safetensors -a rellu
has err "did you mean 'relu'?"
run 2 inspect net.safetensors -a elu
has err "'elu' is not supported yet"

# What is read is never written, under whatever name; nor is anything written twice.
cp net.safetensors before
ln -s net.safetensors link.safetensors
ln net.safetensors hard.safetensors
mkdir sub
npy '(3,)' $one $one $one >mean.npy
cp net.safetensors script.gp
for words in 'net.safetensors -o net.safetensors' 'net.safetensors -o ./sub/../net.safetensors' \
    'net.safetensors -o link.safetensors' 'link.safetensors -o net.safetensors' \
    'net.safetensors --csv hard.safetensors' 'net.safetensors -o net.safetensors.json' \
    'net.safetensors --input-mean mean.npy -o mean.npy'; do
    run 2 estimate $words
    has err 'would overwrite .*; choose another name'
    same net.safetensors before
done
run 2 compare script.gp --plot script.svg
has err "script of --plot: 'script.gp' would overwrite the model"
run 2 estimate net.safetensors -o new --csv sub/../new
has err "\-\-csv: 'sub/../new' would overwrite --output"
"$reckon" estimate - -o net.safetensors <net.safetensors >out 2>err
[ $? -eq 2 ] || failed 'stdin overwritten'
run 0 estimate net.safetensors -o /dev/null --csv /dev/null
run 0 estimate net.safetensors -o sub/answer
run 0 estimate net.safetensors -o sub/answer
same net.safetensors before
rm -r before link.safetensors hard.safetensors sub mean.npy script.gp

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

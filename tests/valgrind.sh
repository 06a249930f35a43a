# What sanitizers do not see: memory that was never written, in BLAS's hands as well. Some test
# programs and the command under valgrind: sh valgrind.sh BUILD_FOLDER
# valgrind does not know every instruction of the latest processors, but those of this core.
export OPENBLAS_CORETYPE=Haswell OPENBLAS_NUM_THREADS=1
build=$(cd "$1" && pwd) && folder=$(mktemp -d) && cd "$folder" || exit 1
trap 'rm -rf "$folder"' EXIT

watch() {
    valgrind --quiet --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=9 \
        "$@" >out 2>&1 && return
    echo "FAILED under valgrind: $*"
    cat out
    exit 1
}

for name in base machine network input format_npz format_network; do
    watch "$build/tests/test_$name"
done
for seed in 1 2; do
    "$build/reckon" random --width 10 --hidden 2 --seed $seed --quiet -o $seed.npz
done
for method in mean gain third:gauge=full fourth reference:3 sample:design,anchor auto; do
    watch "$build/reckon" estimate 1.npz 2.npz -m $method -n 2000 -b 1e6flop --json
done
watch "$build/reckon" tail 1.npz --event 'y[0] > 2' -n 2000 --json

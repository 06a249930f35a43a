# The same bits from every BLAS that is installed, whoever's threads it has; what is not here is
# named. Debian: libopenblas0-openmp, -serial, libblis4-openmp, -pthread, libatlas3-base, libblas3.
tried=
absent=
for build in openblas-pthread openblas-openmp openblas-serial blis-openmp blis-pthread atlas blas; do
    folder=
    for lib in ${RECKON_BLAS_PATH:-/usr/lib/*-linux-gnu /usr/lib64 /usr/lib}; do
        [ -z "$folder" ] && [ -e "$lib/$build/libblas.so.3" ] && folder=$lib/$build:$lib
    done
    if [ -z "$folder" ]; then
        absent="$absent $build"
        continue
    fi
    tried="$tried $build"
    for repeat in 1 2; do
        LD_LIBRARY_PATH=$folder OMP_NUM_THREADS=3 run 0 doctor
        has out "^blas_file .*/$build/"
        has out '^same bits *passed$'
    done
    LD_LIBRARY_PATH=$folder run 0 doctor --json
    is_json out
    lacks out '"blas_core": null'
    case $build-$(uname -m) in
    openblas-*-x86_64) # the last bits depend on it
        LD_LIBRARY_PATH=$folder OPENBLAS_CORETYPE=Nehalem run 0 doctor --json
        has out '"blas_core": "Nehalem"'
        ;;
    esac
done
echo "BLAS builds tried:$tried; not installed:$absent"
case $tried in
*openblas-openmp*) ;;
*) [ "$failures" -eq 0 ] && exit 77 ;; # the one that this is about
esac

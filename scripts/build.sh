# build PRESET [option of cmake --build ...]: configures and builds one of CMakePresets.json into
# build/PRESET, quietly; shows the log if that fails. To be sourced in the source folder.
build() {
    mkdir -p build
    build_log=build/$1.log
    if cmake --preset "$1" >"$build_log" 2>&1 &&
        cmake --build "build/$@" >"$build_log" 2>&1; then
        return 0
    fi
    cat "$build_log" >&2
    return 1
}

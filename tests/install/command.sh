# The installed command does what README.md says, knows its version and has its manual.
set -eu
export PATH="$PREFIX/bin:$PATH"
reckon --version | grep -F "$VERSION"
[ -s "$PREFIX/share/man/man1/reckon.1" ]

commands=$WORK/readme.sh
grep '^reckon ' "$SOURCE/README.md" >"$commands"
[ -s "$commands" ]
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
sh -ex "$commands"
for method in $(sed -n 's/^| `\([a-z]*\)` |.*/\1/p' "$SOURCE/README.md"); do
    reckon explain --method "$method" net.safetensors
done

# What is typed wrongly is refused with 2, on stderr, naming what was meant.
run 2
is_empty out
has err 'Usage: reckon COMMAND'
run 0 --help
has out 'Usage: reckon COMMAND'
is_empty err
run 0 --version
has out '^reckon [0-9]*\.[0-9]*\.[0-9]*$'

run 2 estimat
has err "unknown command 'estimat'; did you mean 'estimate'?"
run 2 zzzzzz
lacks err 'did you mean'
run 2 estimate net.npz --metod mean
is_empty out
has err "unknown option '--metod'; did you mean '--method'?"
run 2 estimate net.npz --width 3
has err "unknown option '--width'"
run 2 estimate net.npz -Z
run 2 estimate net.npz --samples
has err 'needs a value: N'
run 2 estimate net.npz --samples=ten
has err "'ten' should be a whole number"
for bad in -1 1.5 1e400 '' 99999999999999999999; do
    run 2 estimate net.npz --samples "$bad"
done
run 2 estimate net.npz --memory 8X
run 2 compare net.npz --max-flops nan
run 2 estimate net.npz --json=yes
has err 'takes no value'
run 2 inspect one.npz two.npz
has err "unexpected argument 'two.npz'"
run 2 estimate
has err 'which network'
run 2 estimate - --input-mean -
has err 'only one file can come from stdin'
run 2 doctor net.npz
run 2 compare net.npz --plot mse.jpeg
has err 'should end in .svg'
run 2 compare --example net.npz
run 2 completion zsh

run 2 random -o net.npz --widths 3,x
run 2 random -o net.npz --hidden 0
has err 'a whole number from 1 on'
run 2 random -o net.npz --widths 3,4 --width 5
run 2 random -o net.npz --init lucky
run 2 random -o net.npz --init manual:1
run 2 random -o net.npz --activation relo
has err relu
run 2 random --json
only_files

# Every command explains itself; the manual has every option, and no other.
for command in random inspect estimate explain compare tail distill train doctor completion help; do
    run 0 help $command
    has out "Usage: reckon $command"
    cp out first
    run 0 $command --help
    same out first
    sed -n 's/^ *\(-., \)*\(--[a-z-]*\).*/\2/p' out >>helped
done
sort -u helped >helped.sorted
grep -o '\*--[a-z][a-z-]*\*' "$here/../../man/reckon.1.scd" | tr -d '*' | sort -u >manual
same manual helped.sorted
run 2 help estimat
run 0 completion bash
if command -v bash >/dev/null; then
    bash -c '. ./out; COMP_WORDS=(reckon estimate --met); COMP_CWORD=2; _reckon
             [ "${COMPREPLY[*]}" = --method ]' || failed 'completion of --met'
fi

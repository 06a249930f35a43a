# A student of a teacher.
run 0 random --width 16 --hidden 4 --seed 1 -o t.safetensors -q
run 0 distill t.safetensors --hidden 8,8,8,8 -b 1e7flop -o s.safetensors
has out '^Student of t.safetensors (16-16x4-16 relu)$'
has out '^student  s.safetensors: 16-8x4-16 relu$'
has out '^loss     0\.[01]'
has out "of the teacher's E|T|^2"
has out '^  closure '
is_empty err
exists s.safetensors
run 0 inspect s.safetensors
has out '^student of weights [0-9a-f]*: reckon .* FLOPs, loss 0'
run 0 estimate s.safetensors -m covariance
run 0 distill t.safetensors --hidden 8,8 --budget 5e6flop -o s2.npz --json --csv curve.csv
is_json out
for key in student network teacher_square closure_loss receipt standard_error relative flops curve \
    phase step loss seconds finished interrupted unmet seed threads weights_sha256; do
    has out "\"$key\": "
done
has out '"schema": "reckon.distill/1"'
has curve.csv '^phase,step,loss,flops,seconds$'
has curve.csv '^closure,1,'

# The same bits for any number of threads, another start for another seed.
run 0 distill t.safetensors --hidden 8,8,8,8 -b 2e6flop -t 1 -o one.safetensors -q
run 0 distill t.safetensors --hidden 8,8,8,8 -b 2e6flop -t 3 -o three.safetensors -q
same one.safetensors three.safetensors

# Going on; samples to compare with.
run 0 distill t.safetensors --student s.safetensors -b 2e6flop -o s3.safetensors -q
run 0 distill t.safetensors --hidden 8,8,8,8 -m adam --rate 0.01 --batch 4 -b 2e6flop --start random -o a.safetensors
has out '^  samples '

run 2 distill t.safetensors --hidden 8,8
has err 'Give -o student.safetensors'
run 2 distill t.safetensors -o x.safetensors
has err 'give --hidden, for example --hidden 128,128'
run 2 distill t.safetensors --hidden 8,x -o x.safetensors
has err 'should be a list such as 128,128'
run 2 distill t.safetensors --hidden 8 --finish maybe -o x.safetensors
has err "'maybe' is none of auto, off, on"
run 2 distill t.safetensors --hidden 8 --pairs completed:9 -o x.safetensors
has err 'completed:4'
run 2 distill t.safetensors --hidden 8 -m adam -o x.safetensors
has err 'need a budget'
run 2 distill t.safetensors --hidden 8 -o t.safetensors
is_gone x.safetensors
run 2 distill t.safetensors --hidden 8 -o nowhere/x.safetensors
has err 'nothing can be written to the folder nowhere/'
run 2 distill t.safetensors --hidden 8 -o x.txt
has err 'should end in .safetensors or .npz'

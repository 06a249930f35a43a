# compare: every method against Monte Carlo.
"$reckon" random --width 16 --hidden 2 --quiet -o "it's.safetensors"
run 0 compare "it's.safetensors" --truth-samples 2000 --csv table.csv
is_empty err
has out '^  mean'
has out '^  covariance'
has out 'sampling, same FLOPs'
has table.csv '^label,method,mse,mse_standard_error,'
has table.csv '^"covariance","covariance"'
run 0 compare "it's.safetensors" --truth-samples 2000 -m covariance -m mean --json
is_json out
for key in schema version rows method mse mse_standard_error flops_executed flops_convention seconds \
    sampling_flops_for_same_mse sampling_seconds_for_same_mse truth skipped; do
    has out "\"$key\": "
done
has out '"schema": "reckon.compare/1"'
run 0 compare "it's.safetensors" --truth-samples 200 --max-flops 1
has out 'left out: covariance: needs .* FLOPs, more than --max-flops 1$'
run 2 compare "it's.safetensors" --truth-samples 200 -m nonsense
has err "unknown method 'nonsense'"

# Figures: a script that quotes what it is told, and gnuplot only if there is one.
run 0 compare "it's.safetensors" --truth-samples 2000 --plot mse.svg
exists mse.gp
has mse.gp "^set multiplot title 'it''s.safetensors: 16-16x2-16 relu' noenhanced"
if command -v gnuplot >/dev/null; then
    exists mse.svg
    has err 'wrote mse.svg'
    run 1 compare "it's.safetensors" --truth-samples 200 --plot nowhere/mse.svg
fi
rm -f mse.svg mse.gp
(
    PATH=/nowhere failures=0
    run 0 compare "it's.safetensors" --truth-samples 200 --plot mse.svg
    exit $failures
) || failed 'without gnuplot'
exists mse.gp
is_gone mse.svg
has err 'gnuplot is not installed: the figure is in mse.gp'

# A hundred passes have a hundredth of the variance as error, give or take; exact methods have none.
run 0 compare "it's.safetensors" --truth-samples 20000 -m sample:iid -n 100 --csv table.csv
awk -F, 'NR == 2 && $5 > 0.003 && $5 < 0.03 { good = 1 } END { exit !good }' table.csv ||
    failed "the error of sampling: $(tail -1 table.csv)"
"$reckon" random --width 16 --hidden 2 -a identity --quiet -o linear.npz
run 0 compare linear.npz --truth-samples 20000 -m covariance --csv table.csv
awk -F, 'NR == 2 && $3 <= 4 * $4 && $3 >= -4 * $4 { good = 1 } END { exit !good }' table.csv ||
    failed "the error of an exact method: $(sed -n 2p table.csv)"

# Turns the runs of bench/distill into summary.csv, or with -v tables=1 into tables:
#
#     awk -f bench/plot/distill.awk runs.csv > summary.csv
#
# A line of the summary is a geometric mean over seeds; `best` marks the batch and rate of least loss
# among those that most seeds have. What samples reached is that of the best at the full budget.
BEGIN { FS = OFS = "," }

# The geometric mean over the seeds that the run `key` has.
function average(key, column,    s, sum, n) {
    for (s = 0; s < N_SEEDS; s++)
        if ((key, s) in at) {
            sum += log(value[at[key, s], column])
            n++
        }
    return n ? exp(sum / n) : 0
}

function of_samples(method) { return method ~ /^(adam|sgd)/ }

# Seeds with less than `other` has for them, of those that have both.
function wins(key, other,    s, n, all) {
    for (s = 0; s < N_SEEDS; s++)
        if ((key, s) in at && (other, s) in at) {
            n += value[at[key, s], LOSS] < value[at[other, s], LOSS]
            all++
        }
    return (n + 0) " of " (all + 0)
}

# Seeds with less than the best of all that saw samples and began at random.
function wins_all(key, n_width,    s, n, all) {
    for (s = 0; s < N_SEEDS; s++)
        if ((key, s) in at && (n_width, s) in oracle) {
            n += value[at[key, s], LOSS] < oracle[n_width, s]
            all++
        }
    return (n + 0) " of " (all + 0)
}

# log FLOPs at which a seed of width n that begins from pivots is down to `loss`, along its shares.
function reached(n, s, loss,    k, x, y, x0, y0) {
    for (k = 1; k <= n_keys; k++) {
        if (width[k] != n || method[k] != "pivots" || !((k, s) in at)) continue
        x = log(value[at[k, s], FLOPS]); y = log(value[at[k, s], LOSS])
        if (y <= log(loss)) return y0 == "" ? x : x0 + (x - x0) * (y0 - log(loss)) / (y0 - y)
        x0 = x; y0 = y
    }
    return ""
}

function summary(    k) {
    print "n,method,batch,rate,share,seeds,flops,seconds,loss,low,high,best"
    for (k = 1; k <= n_keys; k++)
        print width[k], method[k], batch[k], rate[k], share[k], seeds[k],
            sprintf("%.4g,%.3g,%.4g,%.4g,%.4g", average(k, FLOPS), average(k, SECONDS), loss[k],
                    low[k], high[k]), k == best[width[k], method[k], share[k]]
}

function fraction(share) {
    return share < 1e-6 ? "the start" : share == 1 ? "1" : "1/" sprintf("%.0f", 1 / share)
}

function table(n,    k, adam, s, r, sum, seen, least, most, ahead, ratio) {
    adam = best[n, "adam", 1]
    print "\n### " n " wide\n"
    print "| method | share of the budget | loss | least .. most | seeds | below tuned Adam |" \
        " below every baseline |"
    print "|---|---|---|---|---|---|---|"
    for (k = 1; k <= n_keys; k++)
        if (width[k] == n && k == best[n, method[k], share[k]])
            printf "| %s%s | %s | %.4f | %.3f .. %.3f | %d | %s | %s |\n", method[k],
                of_samples(method[k]) ? sprintf(" (batch %d, rate %g)", batch[k], rate[k]) : "",
                fraction(share[k]), loss[k], low[k], high[k], seeds[k],
                k == adam ? "" : wins(k, adam), wins_all(k, n)
    least = 1e9; ahead = 1
    for (s = 0; s < N_SEEDS; s++) {
        if (!((adam, s) in at) || (r = reached(n, s, value[at[adam, s], LOSS])) == "") continue
        ratio = value[at[adam, s], FLOPS] / exp(r)
        sum += log(ratio); seen++
        if (ratio < least) least = ratio
        if (ratio > most) most = ratio
    }
    if (seen)
        printf "\nFrom pivots, tuned Adam's loss takes %.0f times fewer FLOPs (%.0f .. %.0f; %d seeds).\n",
            exp(sum / seen), least, most, seen
}

$1 == "n" {
    for (i = 1; i <= NF; i++)
        place[$i] = i
    FLOPS = place["flops"]; SECONDS = place["seconds"]; LOSS = place["loss"]
    next
}
{
    id = $1 FS $3 FS $4 FS $5 FS $6
    if (!(id in key)) {
        key[id] = ++n_keys
        width[n_keys] = $1; method[n_keys] = $3; batch[n_keys] = $4; rate[n_keys] = $5
        share[n_keys] = $6
        if (!($1 in known)) { known[$1]; order[++n_widths] = $1 }
    }
    k = key[id]
    at[k, $2] = NR
    for (i = FLOPS; i <= NF; i++)
        value[NR, i] = $i
    if ($2 >= N_SEEDS) N_SEEDS = $2 + 1
    seeds[k]++
    if (!(k in low) || $LOSS < low[k]) low[k] = $LOSS
    if ($LOSS > high[k]) high[k] = $LOSS
    if ($3 ~ /^(adam|sgd)/ && $3 !~ /pivots/ && (!(($1, $2) in oracle) || $LOSS < oracle[$1, $2]))
        oracle[$1, $2] = $LOSS
}
END {
    for (k = 1; k <= n_keys; k++) {
        loss[k] = average(k, LOSS)
        other = best[width[k], method[k], share[k]]
        if (!other || seeds[k] > seeds[other] || (seeds[k] == seeds[other] && loss[k] < loss[other]))
            best[width[k], method[k], share[k]] = k
    }
    if (!tables) summary()
    else
        for (i = 1; i <= n_widths; i++)
            table(order[i])
}

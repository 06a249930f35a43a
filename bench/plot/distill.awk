# Turns the runs of bench/distill into summary.csv, or with -v as_tables=1 into a table:
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

# Seeds with less than tuned Adam has for them, of those that have both.
function wins(key, adam,    s, n, all) {
    for (s = 0; s < N_SEEDS; s++)
        if ((key, s) in at && (adam, s) in at) {
            n += value[at[key, s], LOSS] < value[at[adam, s], LOSS]
            all++
        }
    return sprintf("%d/%d", n, all)
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

# "94 [42 .. 154]": how many times fewer FLOPs those are than Adam's, over the seeds. Where all starts
# are as good already it is their cost that counts, which is that of one network as of another.
function advantage(n,    adam, s, r, sum, seen, least, most, ratio) {
    adam = best[n, "adam", 1]
    for (s = 0; s < N_SEEDS; s++) {
        if (!((adam, s) in at) || (r = reached(n, s, value[at[adam, s], LOSS])) == "") continue
        ratio = value[at[adam, s], FLOPS] / exp(r)
        sum += log(ratio)
        if (!seen++ || ratio < least) least = ratio
        if (ratio > most) most = ratio
    }
    if (!seen) return ""
    if (least == most) return sprintf("%.0f (no step)", most)
    return sprintf("%.0f [%.0f .. %.0f]", exp(sum / seen), least, most)
}

function tables(    i, k, n, row, text) {
    text = "| method | share of the budget |"
    for (i = 1; i <= n_widths; i++)
        text = text " " order[i] " wide |"
    print text
    gsub(/[^|]+/, "---", text)
    print text
    for (row = 1; row <= n_rows; row++) {
        text = "| " name[row] " | " fraction(part[row]) " |"
        for (i = 1; i <= n_widths; i++) {
            n = order[i]
            k = best[n, name[row], part[row]]
            text = text " " (k ? cell(k, best[n, "adam", 1]) : "") " |"
        }
        print text
    }
    text = "| FLOPs of Adam over those from pivots, for Adam's loss | |"
    for (i = 1; i <= n_widths; i++)
        text = text " " advantage(order[i]) " |"
    print text
}

# "0.0799 (12/12)"
function cell(k, adam) {
    return sprintf("%.4f", loss[k]) (k == adam ? "" : " (" wins(k, adam) ")")
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
    if (!(($3, $6) in listed)) {
        listed[$3, $6]
        name[++n_rows] = $3; part[n_rows] = $6
    }
    k = key[id]
    at[k, $2] = NR
    for (i = FLOPS; i <= NF; i++)
        value[NR, i] = $i
    if ($2 >= N_SEEDS) N_SEEDS = $2 + 1
    seeds[k]++
    if (!(k in low) || $LOSS < low[k]) low[k] = $LOSS
    if ($LOSS > high[k]) high[k] = $LOSS
}
END {
    for (k = 1; k <= n_keys; k++) {
        loss[k] = average(k, LOSS)
        other = best[width[k], method[k], share[k]]
        if (!other || seeds[k] > seeds[other] || (seeds[k] == seeds[other] && loss[k] < loss[other]))
            best[width[k], method[k], share[k]] = k
    }
    if (as_tables) tables()
    else summary()
}

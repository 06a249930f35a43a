# Turns bench/accuracy's summary.csv into the tables of docs/BENCHMARKS.md:
#
#     awk -f bench/plot/tables.awk summary.csv > tables.md
#
# An error below two of its standard errors is not resolved: the bound is its value or 0 and two more.
BEGIN { FS = "," }

# 4.2e-7
function short(x,    text) {
    text = sprintf("%.1e", x)
    sub(/e-0/, "e-", text)
    sub(/e[+]0?/, "e", text)
    sub(/e0$/, "", text)
    return text
}

# 0.21, 5.4, 38, 4,110
function ratio(x,    digits, rounded, text) {
    if (x < 100) return sprintf("%.2g", x)
    digits = 10 ^ (length(sprintf("%.0f", x)) - 3)
    text = sprintf("%.0f", int(x / digits + 0.5) * digits)
    while (match(text, /[0-9][0-9][0-9][0-9](,|$)/))
        text = substr(text, 1, RSTART) "," substr(text, RSTART + 1)
    return text
}

NR > 1 {
    split($0, quoted, "\"") # there may be commas in a method
    method = quoted[2]
    sub(/^"[^"]*"/, "") # splits the rest anew: $1 is empty
    shape = $2 " wide, " $3 " hidden layers (" $4 " networks)"
    if (shape != former) {
        print "\n### " shape "\n"
        print "| method | error | FLOPs | sampling needs, FLOPs | seconds | sampling needs, seconds |"
        print "|---|---|---|---|---|---|"
        former = shape
    }
    resolved = $5 >= 2 * $6
    mse = resolved ? $5 : ($5 > 0 ? $5 : 0) + 2 * $6
    printf "| `%s` | %s | %s | × %s%s | %s | × %s%s |\n", method,
        resolved ? short($5) " ± " short($6) : "< " short(mse), short($7),
        resolved ? "" : "> ", ratio($9 / mse / $7), short($8),
        resolved ? "" : "> ", ratio($10 / mse / $8)
}

# Draws what bench/distill measured, in the folder of its summary.csv:
#
#     gnuplot -e "directory='docs/distill'" bench/plot/distill.gp
#
# makes distill.svg there: true loss against FLOPs at three widths.
if (!exists("directory")) directory = "."
# Of a method, the batch and rate that were best.
data = "< grep -e ',1$' " . directory . "/summary.csv"
set datafile separator ","
set style line 10 lc rgb "#e3e3e3" lw 1
set grid ls 10
set border 3 lc rgb "#555555"
set tics nomirror tc rgb "#333333"
set encoding utf8
set logscale xy
set format x "10^{%L}"

# In grey what begins at random and sees samples.
methods = "'pivots' 'pivots+finish' 'random' 'adam from pivots' 'adam' 'sgd' 'sgd of 256 steps'"
titles = "'mechanistic, from pivots' '... and finish' 'mechanistic, from random' \
'Adam, from pivots' 'Adam, tuned' 'SGD, tuned' 'SGD, 256 steps'"
colours = "#d6336c #5f3dc4 #e09f00 #12967f #555555 #8a8a8a #b0b0b0"
points = "7 5 9 13 4 6 8"
do for [k = 1 : words(methods)] {
    set style line k lc rgb word(colours, k) pt int(word(points, k)) ps 0.9 lw 2
}
# Columns: 1 n, 2 method, 7 flops, 9 loss, 10 and 11 the least and the largest of the seeds.
of(k, n) = column(1) == n && strcol(2) eq word(methods, k)

set terminal svg size 1080,460 enhanced font "Helvetica,13" background "white"
set output directory . "/distill.svg"
set multiplot layout 1,3 margins 0.065,0.985,0.13,0.92 spacing 0.055,0.1
widths = "16 64 256"
budgets = "4.84e7 1.6e9 8.68e10"
lowest = "0.03 0.08 0.1"
highest = "0.5 0.5 0.65"
do for [w = 1 : 3] {
    n = int(word(widths, w))
    set title sprintf("%d wide, 4 hidden layers, student %d wide", n, n / 2)
    set xlabel "FLOPs"
    set ylabel w == 1 ? "E|T − S|² / E|T|²" : ""
    budget = real(word(budgets, w))
    set xrange [budget / 220 : budget * 1.4]
    set arrow 1 from budget / 16, graph 0 to budget / 16, graph 1 nohead lc rgb "#b0b0b0" dt 2
    set label 1 "1/16 of the budget" at budget / 17, graph 0.03 right tc rgb "#777777" font ",10"
    set yrange [real(word(lowest, w)) : real(word(highest, w))]
    set ytics (0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5)
    set format y "%g"
    if (w == 3) { set key top right noenhanced samplen 1.2 spacing 0.95 font ",11" } else { unset key }
    plot data using (of(1, n) ? $7 : NaN):10:11 with filledcurves \
             lc rgb word(colours, 1) fs transparent solid 0.12 noborder notitle, \
         data using (of(5, n) ? $7 : NaN):10:11 with filledcurves \
             lc rgb word(colours, 5) fs transparent solid 0.12 noborder notitle, \
         for [k = 1 : words(methods)] data using (of(k, n) ? $7 : NaN):9 with linespoints ls k \
             title word(titles, k)
}
unset multiplot

# Draws what bench/tails measured, in the folder of its summary.csv:
#
#     gnuplot -e "directory='docs/tails'" bench/plot/tails.gp
#
# makes tails.svg there: relative error against probability, and estimate against truth.
if (!exists("directory")) directory = "."
data = directory . "/summary.csv"
set datafile separator ","
set datafile missing NaN
set style line 10 lc rgb "#e3e3e3" lw 1
set grid ls 10
set border 3 lc rgb "#555555"
set tics nomirror tc rgb "#333333"
unset mxtics
set logscale x
set format x "10^{%L}"
set xrange [2.5e-2 : 4e-11]
set xlabel "probability"

# The paper's baselines in grey, its method, what came from there.
methods = "'plain passes' 'plain + gaussian' 'plain + third cumulant' 'single design point' \
'edgeworth:third' 'saddlepoint:third' importance auto"
titles = "'plain passes' 'plain, gaussian tail' 'plain, third cumulant' 'single design point' \
edgeworth saddlepoint importance auto"
colours = "#bbbbbb #9a9a9a #7a7a7a #1f77b4 #12967f #e09f00 #5f3dc4 #d6336c"
points = "4 6 8 5 7 9 11 13"
do for [k = 1 : words(methods)] {
    set style line k lc rgb word(colours, k) pt int(word(points, k)) ps 0.9 lw 2
}
# Columns: 1 p, 2 method, 4 root mean square error, 6 mean of estimate / truth, 7 its error.
at(k) = strcol(2) eq word(methods, k)

set terminal svg size 1080,480 enhanced font "Helvetica,13" background "white"
set output directory . "/tails.svg"
set multiplot layout 1,2 margins 0.075,0.985,0.13,0.92 spacing 0.075,0.1
set title "256 wide, three hidden layers, at the FLOPs of 5,695 passes"
set ylabel "relative error, root mean square"
set logscale y
set yrange [0.01 : 50]
set format y "%g"
set arrow 1 from graph 0, first 0.3 to graph 1, first 0.3 nohead lc rgb "#777777" dt 2
set label 1 "30 %" at graph 0.94, first 0.24 tc rgb "#777777" font ",11"
set key top left noenhanced samplen 1.2 font ",11" maxrows 4
plot for [k = 1 : words(methods)] data using (at(k) ? $1 : NaN):4 with linespoints ls k \
         title word(titles, k)
unset arrow 1
unset label 1
unset logscale y
set title "the two that carry an error"
set ylabel "mean of estimate / truth"
set yrange [0.5 : 1.5]
set key bottom left noenhanced samplen 1.2 font ",11"
plot 1 with lines lc rgb "#777777" dt 2 notitle, \
     data using (at(7) ? $1 / 1.1 : NaN):6:7 with yerrorbars ls 7 title "importance", \
     data using (at(8) ? $1 * 1.1 : NaN):6:7 with yerrorbars ls 8 title "auto"
unset multiplot

# Draws what bench/accuracy measured, in the folder of its summary.csv:
#
#     gnuplot -e "directory='docs/accuracy'" bench/plot/accuracy.gp
#
# makes error.svg (error against FLOPs and seconds at three depths) and scaling.svg (error against
# width and depth) there. Errors are relative to the variance of one pass.
if (!exists("directory")) directory = "."
# Of methods with a comma gnuplot reads half the name: they are not drawn.
data = "< grep -v '^\"[^\"]*,[^\"]*\"' " . directory . "/summary.csv"
set datafile separator ","
set style line 10 lc rgb "#e3e3e3" lw 1
set grid ls 10
set border 3 lc rgb "#555555"
set tics nomirror tc rgb "#333333"
set logscale xy
set format xy "10^{%L}"

# In the order of their cost; points of one method look alike everywhere.
methods = "mean covariance gain third:gauge=none third:gauge=diagonal third:gauge=lean third:gauge=full fourth"
colours = "#7a7a7a #1f77b4 #12967f #e09f00 #d6336c #a61e6b #5c1030 #5f3dc4"
points = "5 7 9 11 13 3 12 15"
n_methods = words(methods)
name(k) = word(methods, k)
do for [k = 1 : n_methods] {
    set style line k lc rgb word(colours, k) pt int(word(points, k)) ps 1.1 lw 2
}
# Columns: 1 method, 2 width, 3 hidden, 5 mse, 7 flops, 8 seconds, 9 and 10 of one pass.
at(k, n, L) = strcol(1) eq name(k) && column(2) == n && column(3) == L
seen(mse, se) = mse > 2 * se ? mse : NaN # as tables.awk has it

# ---------------------------------------------------------------- error against FLOPs and seconds
set terminal svg size 1080,640 enhanced font "Helvetica,13" background "white"
set output directory . "/error.svg"
set multiplot layout 2,3 margins 0.075,0.985,0.09,0.94 spacing 0.055,0.15
set yrange [1e-9 : 1]
depths = "2 4 8"
do for [axis = 7 : 8] {
    do for [d = 1 : 3] {
        L = int(word(depths, d))
        set xrange [*:*]
        set yrange [*:*]
        stats data using (column(2) == 256 && column(3) == L ? column(axis + 2) : NaN) nooutput
        pass = exists("STATS_max") ? STATS_max : NaN # of one forward pass
        undefine STATS_*
        set yrange [1e-9 : 1]
        set title axis == 7 ? sprintf("256 wide, %d hidden layers", L) : ""
        set xlabel axis == 7 ? "FLOPs" : "seconds"
        set ylabel d == 1 ? "mean square error / variance" : ""
        set xrange [(axis == 7 ? 1e5 : 1e-5) : (axis == 7 ? 1e12 : 1e2)]
        if (axis == 8 && d == 3) {
            set key top right noenhanced samplen 0.8 spacing 0.8 font ",10"
            unset label 1
        } else {
            unset key
            set label 1 "sampling" at graph 0.70, 0.56 tc rgb "#777777" font ",11"
        }
        plot pass / x with lines lc rgb "#999999" lw 2 dt 2 notitle, \
             for [k = 1 : n_methods - 1] data using \
                 (at(k, 256, L) ? column(axis) : NaN):(seen($5, $6)) with points ls k title name(k)
    }
}
unset multiplot
unset label 1

# ------------------------------------------------------------------- error against width and depth
set terminal svg size 1080,430 enhanced font "Helvetica,13" background "white"
set output directory . "/scaling.svg"
set multiplot layout 1,2 margins 0.075,0.985,0.14,0.91 spacing 0.075,0.1
set yrange [1e-9 : 1]
set format x "%g"
set ylabel "mean square error / variance"
unset key
set title "4 hidden layers"
set xlabel "width"
set xrange [12 : 1400]
set xtics (16, 32, 64, 128, 256, 512, 1024)
plot for [k = 1 : n_methods] data using \
         (strcol(1) eq name(k) && $3 == 4 ? $2 : NaN):(seen($5, $6)) with points ls k
set title "256 wide"
set xlabel "hidden layers"
set xrange [1.7 : 38]
set xtics (2, 4, 8, 16, 32)
set ylabel ""
set key bottom right noenhanced samplen 1.2 font ",11"
plot for [k = 1 : n_methods] data using \
         (strcol(1) eq name(k) && $2 == 256 ? $3 : NaN):(seen($5, $6)) with points ls k \
         title name(k)
unset multiplot

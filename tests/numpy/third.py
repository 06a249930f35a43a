#!/usr/bin/python3
"""third.py RECKON: NumPy repeats `reckon estimate --method third`, holding the third cumulant dense.

Written from docs/MATH.md#third, #gauge and #regenerated, with their names. 77: no NumPy.
"""
import json
import math
import os
import subprocess
import sys
import tempfile
from types import SimpleNamespace

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # the matrices are small
try:
    import numpy as np
except ImportError:
    sys.exit(77)


FAR, GAP, RATIO = 1.575, 0.08, 0.85  # of src/third/fourth.c


def wick(mu, var, slope):
    """w(k, p) of leaky_relu:slope, a function that gives all neurons'."""
    sigma = np.sqrt(var)
    alpha = mu / sigma

    def sequence(l_0, l_minus_1):
        l = {0: l_0, -1: l_minus_1}
        for d in range(1, 5):
            l[d] = (mu * l[d - 1] + var * l[d - 2]) / d
        for d in range(0, -3, -1):
            l[d - 2] = (d * l[d] - mu * l[d - 1]) / var
        return l

    line = sequence(1 + 0 * mu, 0 * mu)
    half = sequence(np.array([math.erfc(-a / math.sqrt(2)) / 2 for a in alpha]),
                    np.exp(-alpha**2 / 2) / math.sqrt(2 * math.pi) / sigma)
    return lambda k, p: math.factorial(p) * (slope**p * line[p - k] + (1 - slope**p) * half[p - k])


def off_diagonal(a):
    return a - np.diag(np.diag(a))


def sym(t):
    """Sym of t_ijk, which is symmetric in i and j."""
    return (t + t.transpose(0, 2, 1) + t.transpose(2, 1, 0)) / 3


def through(W, t):
    """W on every leg."""
    return np.einsum("ai,bj,ck,ijk->abc", W, W, W, t, optimize=True)


def linear(W, b, h, gauge, l):
    """The law of z = W h + b. Of the third cumulant, R is all but Sym C_ij y_k."""
    z = SimpleNamespace(mu=W @ h.m + b, C=W @ h.C @ W.T, R=through(W, h.R), y=W @ h.y, coherence=0)
    if gauge == "fitted":
        regenerate(W, h, z, l)
    else:
        z.iiii, z.iijj, z.iiij = from_core(W, h.q, gauge)
    if follows(gauge):
        follow(W, h, z, gauge.startswith("full"))
    return z


def follows(gauge):
    return gauge.startswith(("lean", "full"))


def reach(gauge):
    return int(gauge[-1])


def from_core(W, q, gauge):
    """kappa_iiii, kappa_iijj, kappa_iiij of Sym(core x metric), the core diag(q) before W."""
    Q, M = (W * q) @ W.T, W @ W.T
    one = np.outer(np.diag(Q), np.diag(M))
    return np.diag(one), (one + one.T + (gauge == "none") * 4 * Q * M) / 6, 0 * M


def regenerate(W, h, z, l):
    """The same of the core diag(q) + lambda C behind l activations."""
    squares, var = W * W, np.diag(z.C)
    q = squares @ h.q
    lam, metric = (FAR - GAP * RATIO**(l - 1)) * q.sum() / var.sum(), squares.sum(axis=1)
    z.coherence = lam * metric.mean() / 2
    q += lam * (var - squares @ np.diag(h.C))
    one = np.outer(q, metric)
    z.iiii, z.iijj, z.iiij = np.diag(one), (one + one.T) / 6, z.coherence * z.C


def follow(W, h, z, each_pair):
    """kappa_iiii and kappa_iiij by all that h.followed says, youngest first, and what becomes of it."""
    z.iiii, z.followed, z.kept = np.zeros(len(W)), [], h.kept
    own_var = np.diag(z.C)
    for age, x in enumerate(h.followed):
        X = W - np.outer(W @ h.m, h.a)
        x = SimpleNamespace(**{**vars(x), "p": X @ x.p, "a": X @ x.a, "own_var": own_var})
        own_var = x.var_before = own_var - x.p**2 @ x.c
        x.iiii, iiij = newborn_fourth(x, z.C, age > 0, each_pair)
        z.iiii = z.iiii + x.iiii
        if age == 0:
            z.iiij = iiij
        z.followed.append(x)


def newborn_fourth(x, C, older, each_pair):
    """kappa_iiii and kappa_iiij as #fourth moves them: p, a have come to z, which has the covariance C."""
    p, a, p1, f, e, w2, w3 = x.p, x.a, x.p * x.w1, x.f, x.e, x.w2, x.w3
    own = a + p1 * x.var
    H = np.einsum("ijk,bj,bk->bi", x.R, p1, p1, optimize=True)
    H += (np.outer(x.var_before, x.y) + 2 * own * (p1 @ x.y)[:, None]) / 3
    p2, pa = p * p, p * a
    k22 = x.R22.sum(axis=1)
    S = np.outer(p2 @ np.abs(k22) / np.abs(k22).sum(), k22) if older or not each_pair else p2 @ x.R22
    U, Q = (p @ x.R31.T, pa @ x.CW.T) if each_pair else (0, 0)

    ends = e * (H + 2 * Q) + f * a * a
    star, path, joint = w3 * a * a, w2 * Q, w2 * H
    iiii = p2 * (p2 * x.R4 + 3 * S + 4 * p * U + 6 * ends) + pa * (4 * star + 12 * (path + joint))
    iiij = (p * (p2 * x.R4 + 3 * (S + p * U + ends)) + a * (star + 6 * path + 3 * joint)) @ p.T
    iiij += 3 * (p * (f * pa + star + 2 * path + joint)) @ a.T

    G = x.along_C * x.own_var + p2 @ x.excess
    return iiii.sum(axis=1) + 6 * G * x.own_var, iiij + 3 * (G + x.along_C * x.own_var)[:, None] * C


def activate(z, slope, gauge):
    """The law of h = phi(z); t_i is sum_j kappa_iijj, `followed` what `follow` asks for."""
    n, i = len(z.mu), np.arange(len(z.mu))
    T = z.R + sym(np.multiply.outer(z.C, z.y))
    C, var = off_diagonal(z.C), np.diag(z.C)
    iii, iij, iiii, iijj, iiij = T[i, i, i], T[i, i], z.iiii, z.iijj, z.iiij
    w = wick(z.mu, np.maximum(var, 1e-20), slope)  # one neuron is constant
    w1, w2 = w(1, 1), w(2, 1)

    P1, P2, P3, P4 = [w(0, p) + iii / 6 * w(3, p) + iiii / 24 * w(4, p) for p in range(1, 5)]
    m, h_ii, h_iii = P1, P2 - P1**2, P3 - 3 * P1 * P2 + 2 * P1**3
    h_iiii = P4 - 4 * P3 * P1 - 3 * P2**2 + 12 * P2 * P1**2 - 6 * P1**4

    def connect(x, y):
        """Off the diagonal; x(k) and y(k) are what k legs are worth at i and at j."""
        x1, x2, x3, x4, x5 = [x(k)[:, None] for k in range(1, 6)]
        y1, y2, y3, y4, y5 = [y(k) for k in range(1, 6)]
        both = iijj / 4 + C**2 / 2
        diagrams = x1 * C * y1 + x2 * iij * y1 / 2 + x1 * iij.T * y2 / 2 + x2 * both * y2
        if gauge != "none":
            x_tail = x4 * iii[:, None] / 6 + x5 * iiii[:, None] / 24
            y_tail = y4 * iii / 6 + y5 * iiii / 24
            diagrams += C * (x1 * y_tail + x_tail * y1 + (x2 * iij.T * y3 + x3 * iij * y2) / 2
                             + (iijj / 4 + C**2 / 6) * x3 * y3)
        return off_diagonal(diagrams + x3 * iiij * y1 / 6 + x1 * iiij.T * y3 / 6)

    def w_k(k):
        return w(k, 1)

    def e_k(k):
        return w(k, 2) - 2 * m * w(k, 1)

    def t_k(k):
        return w(k, 3) - 3 * m * w(k, 2) + (6 * m**2 - 3 * P2) * w(k, 1)

    h_ij, h_iij = connect(w_k, w_k), connect(e_k, w_k)
    h_iijj, h_iiij = connect(e_k, e_k) - 2 * h_ij**2, connect(t_k, w_k)
    h = SimpleNamespace(m=m, C=h_ij + np.diag(h_ii), y=w1 * z.y + z.coherence / 2 * w2, kept=[])

    a = w1[:, None] * C
    if gauge != "none":
        bend = np.divide(w(3, 1), w2, out=np.zeros_like(w2), where=w2 != 0)
        a += off_diagonal(w1[:, None] * bend * iij.T + w2[:, None] * iij) / 2
    fed = np.multiply.outer(h.C, h.y)
    T = z.R * np.multiply.outer(np.outer(w1, w1), w1) + sym(3 * np.einsum("ir,jr->ijr", a * w2, a) + fed)
    T[i, i], T[i, :, i], T[:, i, i] = h_iij, h_iij, h_iij.T
    T[i, i, i] = h_iii
    h.R = T - sym(fed)

    h.t = h_iiii + off_diagonal(h_iijj).sum(axis=1)
    h.along_m = (h_iii * m + off_diagonal(h_iij) @ m) / (m @ m)  # diagonal of the third cumulant along m/|m|^2

    f, e, iij = w(2, 2) - 2 * m * w2 - 2 * w1**2, e_k(1), off_diagonal(iij)
    half, CW = f * a**2 + np.outer(w1**2, e) * iij, C * w2
    R31 = h_iiij - 3 * e[:, None] * CW * a - 3 * np.outer(e * w1, w1) * iij - w(3, 1) * a**3
    R22 = h_iijj - half - half.T - 4 * w2[:, None] * CW * a * a.T
    R4 = h_iiii - 6 * e * w1**2 * iii
    h.followed = []
    if follows(gauge):
        stays, moved22 = z.followed[:reach(gauge) - 1], off_diagonal(np.outer(w1**2, w1**2) * iijj)
        for x in stays:
            R4 = R4 - w1**4 * x.iiii
            x.p, x.a = w1[:, None] * x.p, w1[:, None] * x.a
        if reach(gauge) > 1:
            R31 = R31 - off_diagonal(np.outer(w1**3, w1) * iiij)
        R22 = R22 - (1 - np.prod(z.kept[:reach(gauge) - 1])) * moved22
        old, total = (w1**4 * iiii).sum() + moved22.sum(), h.t.sum()
        h.kept = [np.clip(old / total, 0, 1) if z.followed and total > 0 else 0, *z.kept]
        h.followed = [SimpleNamespace(w1=w1, w2=w2, w3=w(3, 1), f=f, e=e, p=np.eye(n), a=a, CW=CW, var=var, R=z.R,
                                      y=z.y, R4=R4, R22=R22, R31=R31, c=h_ii - w1**2 * var), *stays]
    return h


def core(t):
    n = len(t)
    return 6 / (n + 4) * (t - t.sum() / (2 * (n + 2)))


def tilt(h, theta):
    n = len(h.m)
    a = theta * h.m / (h.m @ h.m)
    P, v = np.eye(n) - np.outer(h.m, a), a @ h.C @ a
    Cp, b = P @ h.C @ P.T, P @ h.C @ a
    tau = h.along_m.sum() / np.trace(h.C)
    delta = h.along_m - tau * np.diag(h.C)
    Te = theta * P @ (tau * h.C + np.diag(delta)) @ P.T
    c, e = np.diag(Cp), np.diag(Te)
    t = h.t - 2 * (e.sum() * c + c.sum() * e + 4 * (Te * Cp).sum(axis=1))
    t += 4 * v * (c.sum() * c + 2 * (Cp * Cp).sum(axis=1))
    return SimpleNamespace(m=h.m, C=Cp - Te + v * Cp + 2 * np.outer(b, b), R=through(P, h.R),
                           y=P @ (h.y - 6 * h.C @ a), t=t, a=a, followed=h.followed, kept=h.kept,
                           along_C=2 * (v - theta * tau), excess=-2 * theta * delta)


def smallest_root(f, top, steps, halvings):
    """From below; where f, first seen on a grid, has no root, its minimum."""
    step = top / steps
    values = [f(k * step) for k in range(steps + 1)]
    root = min(values) <= 0
    best = next(k for k, value in enumerate(values) if value <= 0 or value == min(values))
    if best == 0:
        return 0
    low, high = (best - 1) * step, min(best + (not root), steps) * step
    for _ in range(halvings):
        part = (high - low) / (2 if root else 3)
        if f(low + part) > (0 if root else f(high - part)):
            low += part
        else:
            high -= part
    return low


def third(layers, slope, gauge):
    """The mean of the outputs."""
    n = layers[0][0].shape[1]
    h = SimpleNamespace(m=np.zeros(n), C=np.eye(n), R=np.zeros((n, n, n)), y=np.zeros(n), q=np.zeros(n), followed=[],
                        kept=[])
    for l, (W, b) in enumerate(layers[:-1]):
        h = activate(linear(W, b, h, gauge, l), slope, gauge)
        if (gauge == "diagonal" or follows(gauge)) and l > 0:
            h = tilt(h, 0.1)
        elif gauge not in ("none", "fitted"):
            h = tilt(h, smallest_root(lambda theta: tilt(h, theta).t.sum(), 1, 64, 40))
        if follows(gauge):
            h.followed[0].along_C, h.followed[0].excess = h.along_C, h.excess
        n = len(h.m)
        trace = 3 * h.t.sum() / (n * (n + 2)) * np.ones(n)
        h.q = trace if gauge == "none" else np.zeros(n) if gauge == "zero" else core(h.t)
    W, b = layers[-1]
    return W @ h.m + b


def reckon(net, slope, gauge, neurons):
    method = f"third:gauge={gauge},rank=full,legs=double,old=exact,neurons={neurons}"
    activation = f"leaky_relu:{slope}" if slope else "relu"
    done = subprocess.run([sys.argv[1], "estimate", net, "--activation", activation,
                           "--method", method, "--threads", "1", "--json"], check=True, stdout=subprocess.PIPE)
    return np.array(json.loads(done.stdout)["mean"])


def homogeneous(layers):
    """Biases as weights of a last neuron, twice as large as the others of its relu layer roughly are."""
    (W, b), *hidden, last = layers
    square = ((W * W).sum(axis=1) + b * b).mean() / 2
    own = 2 * math.sqrt(square)
    extended = [(np.vstack([W, np.zeros(W.shape[1])]), np.append(b, own))]
    for W, b in hidden:
        below, square = own, ((W * W).sum(axis=1) * square + b * b).mean() / 2
        own = 2 * math.sqrt(square)
        row = np.eye(1, W.shape[1] + 1, W.shape[1]) * own / below
        extended.append((np.vstack([np.column_stack([W, b / below]), row]), 0))
    return [*extended, (np.column_stack([last[0], np.zeros(len(last[0]))]), last[1])]


def check(folder, widths, slope, bias, later_bias=0):
    net, random = os.path.join(folder, "net.npz"), np.random.RandomState(len(widths))
    layers = []
    for l, (cols, rows) in enumerate(zip(widths, widths[1:])):
        scale = math.sqrt((2 / (1 + slope**2) if l else 1) / cols)
        layers.append((scale * random.randn(rows, cols), (later_bias if l else bias) * random.randn(rows)))
    np.savez(net, **{f"{l}.weight": W for l, (W, _) in enumerate(layers)},
             **{f"{l}.bias": b for l, (_, b) in enumerate(layers)})
    seen = homogeneous(layers) if later_bias else layers
    gauges = ["none", "zero"]
    if not later_bias:
        gauges += ["diagonal", "full,reach=1", "full,reach=2", "full,reach=3", "full,reach=6", "lean,reach=1", "lean,reach=3"]
    if slope == bias == 0:
        gauges += ["fitted"]
    for gauge in gauges:
        ours = third(layers if gauge == "none" else seen, slope, gauge)
        theirs, used = reckon(net, slope, gauge, "all"), reckon(net, slope, gauge, "used")
        if not np.abs(ours - theirs).max() <= 1e-9:  # 1e-15, but for minima, which are flat
            sys.exit(f"{widths}, gauge={gauge}: reckon and NumPy differ by {np.abs(ours - theirs).max()}")
        if not np.abs(used - theirs).max() <= (gauge != "none") * 2e-2:
            sys.exit(f"{widths}, gauge={gauge}: neurons=used and all differ by {np.abs(used - theirs).max()}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        check(temporary, [12, 12, 12, 12, 12], 0, 0)
        check(temporary, [24] * 8, 0, 0)
        check(temporary, [10, 24, 16, 20, 7], 0.2, 0.3)
        check(temporary, [64, 48, 48, 48, 48], 0, 0.5)
        check(temporary, [20, 24, 16, 24, 20, 5], 0, 0.3, 0.4)

#!/usr/bin/python3
"""third.py RECKON: NumPy repeats `reckon estimate --method third`, holding the third cumulant dense.

Written from docs/MATH.md#third and #gauge, with their names. 77: no NumPy.
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


def linear(W, b, h):
    """The law of z = W h + b. Of the third cumulant, R is all but Sym C_ij y_k."""
    return SimpleNamespace(mu=W @ h.m + b, C=W @ h.C @ W.T, R=through(W, h.R), y=W @ h.y,
                           Q=W @ h.Q @ W.T, M=W @ W.T)


def activate(z, slope, gauge):
    """The law of h = phi(z); t is the trace sum_k kappa_ijkk of its fourth cumulant."""
    n, i = len(z.mu), np.arange(len(z.mu))
    T = z.R + sym(np.multiply.outer(z.C, z.y))
    C, var, M, q = off_diagonal(z.C), np.diag(z.C), np.diag(z.M), np.diag(z.Q)
    iii, iij, iiii = T[i, i, i], T[i, i], q * M
    iijj = (np.outer(q, M) + np.outer(M, q) + (gauge != "diagonal") * 4 * z.Q * z.M) / 6
    iiij = (gauge == "full") * (z.Q * M[:, None] + q[:, None] * z.M) / 2
    w = wick(z.mu, var, slope)
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
    h = SimpleNamespace(m=m, C=h_ij + np.diag(h_ii), y=w1 * z.y)

    a = w1[:, None] * C
    if gauge != "none":
        bend = np.divide(w(3, 1), w2, out=np.zeros_like(w2), where=w2 != 0)
        a += off_diagonal(w1[:, None] * bend * iij.T + w2[:, None] * iij) / 2
    fed = np.multiply.outer(h.C, h.y)
    T = z.R * np.multiply.outer(np.outer(w1, w1), w1) + sym(3 * np.einsum("ir,jr->ijr", a * w2, a) + fed)
    T[i, i], T[i, :, i], T[:, i, i] = h_iij, h_iij, h_iij.T
    T[i, i, i] = h_iii
    h.R = T - sym(fed)

    chains = np.outer(w1, w1) * (C * (w(2, 2) - 2 * m * w2 - 2 * w1**2) @ C)
    star = C * np.outer(w2 * (C @ e_k(1)), w1)
    h.t = off_diagonal(h_iiij + h_iiij.T + chains + star + star.T)
    h.t += np.diag(h_iiii + h_iijj.sum(axis=1))
    h.along_m = (h_iii * m + h_iij @ m) / (m @ m)  # diagonal of the third cumulant along m/|m|^2
    return h


def core(t):
    n = len(t)
    return 6 / (n + 4) * (t - np.eye(n) * np.trace(t) / (2 * (n + 2)))


def tilt(h, theta):
    n = len(h.m)
    a = theta * h.m / (h.m @ h.m)
    P, v = np.eye(n) - np.outer(h.m, a), a @ h.C @ a
    Cp, b = P @ h.C @ P.T, P @ h.C @ a
    tau = h.along_m.sum() / np.trace(h.C)
    Te = theta * P @ (tau * h.C + np.diag(h.along_m - tau * np.diag(h.C))) @ P.T
    t = h.t - 2 * (Te.trace() * Cp + Cp.trace() * Te + 2 * (Te @ Cp + Cp @ Te))
    t += 4 * v * (Cp.trace() * Cp + 2 * Cp @ Cp)
    return SimpleNamespace(m=h.m, C=Cp - Te + v * Cp + 2 * np.outer(b, b), R=through(P, h.R),
                           y=P @ (h.y - 6 * h.C @ a), t=t)


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


def overlap(h):
    return (off_diagonal(h.t) * h.C).sum()


def third(layers, slope, gauge):
    """The mean of the outputs."""
    n = layers[0][0].shape[1]
    h = SimpleNamespace(m=np.zeros(n), C=np.eye(n), R=np.zeros((n, n, n)), y=np.zeros(n), Q=np.zeros((n, n)))
    for l, (W, b) in enumerate(layers[:-1]):
        h = activate(linear(W, b, h), slope, gauge)
        if gauge == "full":
            h = tilt(h, smallest_root(lambda theta: overlap(tilt(h, theta)), 1 / 2, 8, 6))
        elif gauge == "diagonal" and l > 0:
            h = tilt(h, 0.1)
        elif gauge != "none":
            h = tilt(h, smallest_root(lambda theta: tilt(h, theta).t.trace(), 1, 64, 40))
        n = len(h.m)
        h.Q = {"none": 3 * h.t.trace() / (n * (n + 2)) * np.eye(n), "zero": np.zeros((n, n)),
               "diagonal": np.diag(np.diag(core(h.t))), "full": core(h.t)}[gauge]
    W, b = layers[-1]
    return W @ h.m + b


def reckon(net, slope, gauge, neurons):
    method = f"third:gauge={gauge},rank=full,legs=double,old=exact,neurons={neurons}"
    done = subprocess.run([sys.argv[1], "estimate", net, "--activation", f"leaky_relu:{slope}",
                           "--method", method, "--threads", "1", "--json"], check=True, stdout=subprocess.PIPE)
    return np.array(json.loads(done.stdout)["mean"])


def homogeneous(layers):
    """Biases as weights of a last neuron that is always 1, but for 1e-9 of the first input's variance."""
    (W, b), *hidden, last = layers
    unit = np.eye(1, W.shape[1]) * math.sqrt(1e-9)
    extended = [(np.vstack([W, unit]), np.append(b + np.zeros(len(W)), 1))]
    for W, b in hidden:
        row = np.eye(1, W.shape[1] + 1, W.shape[1])
        extended.append((np.vstack([np.column_stack([W, b + np.zeros(len(W))]), row]), 0))
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
    for gauge in ("none", "zero") if later_bias else ("none", "zero", "diagonal", "full"):
        ours = third(layers if gauge == "none" else seen, slope, gauge)
        theirs, used = reckon(net, slope, gauge, "all"), reckon(net, slope, gauge, "used")
        if not np.abs(ours - theirs).max() <= 1e-9:  # 1e-15, but for minima, which are flat
            sys.exit(f"{widths}, gauge={gauge}: reckon and NumPy differ by {np.abs(ours - theirs).max()}")
        if not np.abs(used - theirs).max() <= (gauge != "none") * 5e-3:
            sys.exit(f"{widths}, gauge={gauge}: neurons=used and all differ by {np.abs(used - theirs).max()}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        check(temporary, [12, 12, 12, 12, 12], 0, 0)
        check(temporary, [24] * 8, 0, 0)
        check(temporary, [10, 24, 16, 20, 7], 0.2, 0.3)
        check(temporary, [64, 48, 48, 48, 48], 0, 0.5)
        check(temporary, [20, 24, 16, 24, 20, 5], 0, 0.3, 0.4)

#!/usr/bin/python3
"""covariance.py PROGRAM: derivatives of `covariance`, by automatic differentiation in PyTorch.

Its first-order formulas, written once more from docs/MATH.md; PROGRAM (derivatives.c) prints a
network and what rk_vjp and rk_jvp make of it. 77: no PyTorch.
"""
import math
import subprocess
import sys

try:
    import numpy as np
    import torch
except ImportError:
    print("skipped: 2 comparisons want python3-torch")
    sys.exit(77)

torch.set_num_threads(1)
TOLERANCE = 1e-9
LAYERS = 3
NODES, WEIGHTS = (torch.from_numpy(x) for x in np.polynomial.hermite_e.hermegauss(160))
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def cdf(x):
    return torch.erfc(-x / math.sqrt(2)) / 2


def density(x):
    return torch.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def relu(mu, var):
    """Mean, variance and mean slope of phi(z), z ~ N(mu, var)."""
    sd = torch.sqrt(var)
    P, p = cdf(mu / sd), density(mu / sd)
    mean = mu * P + sd * p
    return mean, (mu * mu + var) * P + mu * sd * p - mean * mean, P


def gelu(mu, var):
    z = mu[:, None] + torch.sqrt(var)[:, None] * NODES
    h = z * cdf(z)
    mean = h @ WEIGHTS
    return mean, (h * h) @ WEIGHTS - mean * mean, (cdf(z) + z * density(z)) @ WEIGHTS


def propagate(phi, W, b, m, S):
    """Means of the hidden layers, mean and covariance of the output."""
    hidden, C = [], S
    for l in range(LAYERS):
        m, C = W[l] @ m + b[l], W[l] @ C @ W[l].T
        if l + 1 == LAYERS:
            return hidden, m, C
        m, var, slope = phi(m, torch.diagonal(C))
        C = torch.outer(slope, slope) * C
        C = C - torch.diag(torch.diagonal(C)) + torch.diag(var)
        hidden.append(m)


def read(program, activation):
    text = subprocess.run([program, activation], check=True, capture_output=True, text=True).stdout
    numbers = {}
    for line in text.splitlines():
        name, count, *values = line.split()
        numbers[name] = torch.tensor([float.fromhex(x) for x in values], dtype=torch.float64)
        assert len(values) == int(count)
    return numbers


def compare(activation, name, got, wanted):
    error = float((got.reshape(-1) - wanted.reshape(-1)).abs().max() / wanted.abs().max())
    if not error <= TOLERANCE:
        sys.exit(f"{activation}, {name}: {error:.3g} from automatic differentiation")
    return error


def check(program, activation, phi):
    x = read(program, activation)
    width = [len(x["m0"])] + [len(x[f"b{l}"]) for l in range(LAYERS)]
    square = lambda name, n: x[name].reshape(n, n)
    W = [x[f"W{l}"].reshape(width[l + 1], width[l]) for l in range(LAYERS)]
    b = [x[f"b{l}"] for l in range(LAYERS)]
    leaves = W + b + [x["m0"], square("S0", width[0])]
    names = [f"g_W{l}" for l in range(LAYERS)] + [f"g_b{l}" for l in range(LAYERS)] + ["g_m0", "g_S0"]

    def answer(*leaves):
        return propagate(phi, leaves[:LAYERS], leaves[LAYERS:2 * LAYERS], *leaves[2 * LAYERS:])

    def f(*leaves):
        hidden, mean, C = answer(*leaves)
        value = (x["f_mean0"] * mean).sum() + (x["f_variance0"] * torch.diagonal(C)).sum()
        value = value + (square("f_covariance0", width[-1]) * C).sum()
        return value + sum((x[f"f_hidden{l}"] * h).sum() for l, h in enumerate(hidden))

    _, mean, C = answer(*leaves)
    worst = [compare(activation, "mean", x["mean0"], mean),
             compare(activation, "covariance", x["covariance0"], C)]
    gradient = torch.autograd.functional.vjp(f, tuple(leaves))[1]
    for name, g in zip(names, gradient):
        if name == "g_S0":
            g = (g + g.T) / 2
        worst.append(compare(activation, name, x[name], g))
    along = tuple(x[name].reshape(leaf.shape) for name, leaf in zip(names, leaves))
    changes = torch.autograd.functional.jvp(lambda *leaves: answer(*leaves)[1:], tuple(leaves), along)[1]
    for name, change in zip(["d_mean0", "d_covariance0"], changes):
        worst.append(compare(activation, name, x[name], change))
    print(f"{activation}: {len(worst)} arrays agree to {max(worst):.2g}")


check(sys.argv[1], "relu", relu)
check(sys.argv[1], "gelu", gelu)

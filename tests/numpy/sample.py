#!/usr/bin/python3
"""sample.py RECKON: NumPy repeats `reckon random` and `reckon estimate --method sample`, draw by draw.

77: no NumPy.
"""
import json
import os
import subprocess
import sys
import tempfile

from streams import normal_floats, np, random_network

SEED, SAMPLES, WIDTHS = 7, 301, [5, 8, 6, 3]
STREAM_SAMPLES = 0


def run(*arguments):
    done = subprocess.run([sys.argv[1], *arguments], check=True, stdout=subprocess.PIPE)
    return done.stdout.decode()


def close(what, ours, theirs, tolerance):
    difference = np.abs(np.asarray(ours) - theirs).max()
    if not difference <= tolerance:
        sys.exit(f"{what}: reckon and NumPy differ by {difference}")


def forward(layers, h):
    for l, (weight, bias) in enumerate(layers):
        h = h @ weight.T + bias
        if l + 1 < len(layers):
            h = np.tanh(h)
    return h


def normals(count):
    return np.array([normal_floats(SEED, STREAM_SAMPLES, i, WIDTHS[0]) for i in range(count)])


def multiply(t, x, y):
    modulus = {3: 0xb, 5: 0x25, 7: 0x83}[t]
    product = 0
    for i in range(t):
        product ^= (x << i) * (y >> i & 1)
    for i in reversed(range(t, 2 * t)):
        product ^= (modulus << (i - t)) * (product >> i & 1)
    return product


def design(t):
    """The vectors of all bases of R^N, N = 2^(t + 1): docs/MATH.md#structured-sampling."""
    def power(y, k):
        return y if k == 1 else multiply(t, y, power(y, k - 1))

    trace = [int(np.bitwise_xor.reduce([power(y, 2 ** i) for i in range(t)])) for y in range(2 ** t)]
    quadratic = [sum(trace[power(y, 2 ** i + 1)] for i in range(1, (t + 1) // 2)) % 2
                 for y in range(2 ** t)]
    n = 2 ** (t + 1)
    hadamard = np.array([[(-1) ** bin(i & j).count("1") for i in range(n)] for j in range(n)])
    bases = []
    for a in range(2 ** t):
        image = [multiply(t, a, y) for y in range(2 ** t)]
        signs = [quadratic[b] + e * trace[b] for e in range(2) for b in image]
        bases.append(hadamard * (-1) ** np.array(signs) / np.sqrt(n))
    return np.concatenate(bases + [np.eye(n)])


def designs(n_replicates):
    u = design(3)
    z = []
    for r in range(n_replicates):
        lengths = [np.linalg.norm(normal_floats(SEED, STREAM_SAMPLES, r * len(u) + i, 16))
                   for i in range(len(u))]
        g = normal_floats(SEED, STREAM_SAMPLES, 2 ** 64 - 1 - r, WIDTHS[0] * 16)
        g = g.reshape(WIDTHS[0], 16).astype(float)
        rows = np.linalg.solve(np.linalg.cholesky(g @ g.T), g)
        half = np.array(lengths)[:, None] * (u @ rows.T)
        z.append(np.concatenate([half, -half]))
    return np.concatenate(z)


def root_of(covariance):
    """The deviations times the symmetric square root of the correlations."""
    deviations = np.sqrt(covariance.diagonal())
    values, vectors = np.linalg.eigh(covariance / np.outer(deviations, deviations))
    return deviations[:, None] * ((vectors * np.sqrt(values.clip(0))) @ vectors.T)


def check(folder):
    net = os.path.join(folder, "net.npz")
    run("random", "--widths", ",".join(map(str, WIDTHS)), "--activation", "tanh",
        "--init", "manual:1.5,0.25", "--seed", str(SEED), "-o", net)
    layers = random_network(SEED, WIDTHS, 1.5, 0.25)
    with np.load(net) as file:
        arrays = [file[name] for name in file.files if isinstance(file[name], np.ndarray)]
    for ours in [array for layer in layers for array in layer]:
        same = [a for a in arrays if a.shape == ours.shape]
        close("weights", min(np.abs(a - ours).max() for a in same), 0, 1e-14)

    mean = np.arange(5) / 2
    covariance = np.cov(np.random.RandomState(1).randn(5, 4))  # singular: rank 3
    files = [os.path.join(folder, name) for name in ("mean.npy", "covariance.npy")]
    np.save(files[0], mean)
    np.save(files[1], covariance)
    law = ["--input-mean", files[0], "--input-cov", files[1]]
    common = ["estimate", net, "--activation", "tanh", "--seed", str(SEED), "--json",
              "--samples", str(SAMPLES), "--covariance"]

    z = normals(SAMPLES)
    pairs = normals((SAMPLES + 1) // 2)
    root = root_of(covariance)
    rotated = designs(2)  # of 288 points
    for method, input_law, x, groups in [
        ("sample", [], z, lambda y: y),
        ("sample", law, mean + z @ root.T, lambda y: y),
        ("sample:antithetic", law, mean + np.concatenate([pairs, -pairs]) @ root.T,
         lambda y: y.reshape(2, -1, y.shape[1]).mean(axis=0)),
        ("sample:design", law, mean + rotated @ root.T,
         lambda y: y.reshape(2, -1, y.shape[1]).mean(axis=1)),
    ]:
        answer = json.loads(run(*common, "--method", method, *input_law))
        y = forward(layers, x)
        means = groups(y)
        error = means.std(axis=0, ddof=1) / np.sqrt(len(means))
        if len(means) <= 8:  # docs/METHODS.md#sample
            error *= np.polyval([1.43, 1.53, 1.25, 1], 1 / (len(means) - 1))
        close("mean", answer["mean"], y.mean(axis=0), 2e-6)
        close("standard error", answer["error"]["per_output"], error, 2e-6)
        close("covariance", answer["covariance"], np.cov(y.T), 1e-5)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        check(temporary)

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


def square_root(covariance):
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T


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
    root = square_root(covariance)
    for method, input_law, x in [
        ("sample", [], z),
        ("sample", law, mean + z @ root),
        ("sample:antithetic", law, mean + np.concatenate([pairs, -pairs]) @ root),
    ]:
        answer = json.loads(run(*common, "--method", method, *input_law))
        y = forward(layers, x)
        groups = y.reshape(2, -1, y.shape[1]).mean(axis=0) if "anti" in method else y
        error = groups.std(axis=0, ddof=1) / np.sqrt(len(groups))
        close("mean", answer["mean"], y.mean(axis=0), 2e-6)
        close("standard error", answer["error"]["per_output"], error, 2e-6)
        close("covariance", answer["covariance"], np.cov(y.T), 1e-5)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        check(temporary)

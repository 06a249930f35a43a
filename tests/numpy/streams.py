#!/usr/bin/python3
"""reckon's random numbers, regenerated with NumPy: how a user reproduces any draw.

    streams.py          writes the files in tests/data that the C tests compare the library with
    streams.py --check  compares those files with what NumPy makes now (77: no NumPy)
"""
import os
import sys

try:
    import numpy as np
except ImportError:
    sys.exit(77)


def words(seed, stream, item, count):
    """The first `count` 64-bit words of an item of a stream."""
    key, counter = (np.array(x, dtype=np.uint64) for x in ([seed, stream], [0, item, 0, 0]))
    return np.random.Philox(key=key, counter=counter).random_raw(count)


def normal_doubles(seed, stream, item, count):
    """Normals of weights and biases: two words make two."""
    w = words(seed, stream, item, count + count % 2).reshape(-1, 2) >> np.uint64(11)
    r = np.sqrt(-2 * np.log((w[:, 0].astype(float) + 1) * 2.0**-53))
    t = 2 * np.pi * w[:, 1].astype(float) * 2.0**-53
    return np.stack([r * np.cos(t), r * np.sin(t)], axis=1).reshape(-1)[:count]


def normal_floats(seed, stream, item, count):
    """Normals of samples: one word makes two."""
    w = words(seed, stream, item, (count + 1) // 2)
    a, b = (w >> np.uint64(32)).astype(float), (w & np.uint64(0xFFFFFFFF)).astype(float)
    r = np.sqrt(-2 * np.log((a + 0.5) * 2.0**-32))
    t = 2 * np.pi * b * 2.0**-32
    return np.stack([r * np.cos(t), r * np.sin(t)], axis=1).reshape(-1)[:count]


def random_network(seed, widths, weight_variance, bias_variance, residual=False):
    """Weights and biases of rk_network_random with RK_INIT_MANUAL; widths = [n_in, ..., n_out].
    The other initialisations differ in the variances only. Of a residual network, those of every
    block's second layer are divided by the number of blocks."""
    layers, blocks = [], (len(widths) - 2) // 2
    for l, (cols, rows) in enumerate(zip(widths, widths[1:])):
        is_second = l > len(widths) % 2 and l < len(widths) - 2 and (l - len(widths) % 2) % 2
        share = 1 / blocks if residual and is_second else 1
        weight = np.sqrt(share * weight_variance / cols) * normal_doubles(seed, 1, l, rows * cols)
        bias = np.sqrt(share * bias_variance) * normal_doubles(seed, 2, l, rows)
        layers.append((weight.reshape(rows, cols), bias))
    return layers


def stream_lines():
    for place in [(42, 7, 0), (1, 2, 5), (2**64 - 1, 2**64 - 1, 2**64 - 1), (0, 0, 1000000)]:
        where = "%d %d %d" % place
        for i, word in enumerate(words(*place, 9)):
            yield "word %s %d 0x%016x" % (where, i, word)
        for i, z in enumerate(normal_doubles(*place, 7)):
            yield "double %s %d %.17g" % (where, i, z)
        for i, z in enumerate(normal_floats(*place, 7)):
            yield "float %s %d %.17g" % (where, i, z)


def network_lines():
    for l, (weight, bias) in enumerate(random_network(11, [3, 4, 2], 2.0, 0.5)):
        for i, w in enumerate(weight.reshape(-1)):
            yield "weight %d %d %.17g" % (l, i, w)
        for i, b in enumerate(bias):
            yield "bias %d %d %.17g" % (l, i, b)


def agree(ours, theirs):
    """Fields are equal, the last one to rounding."""
    if ours[0] == "word":
        return ours == theirs
    return ours[:-1] == theirs[:-1] and abs(float(ours[-1]) - float(theirs[-1])) <= 1e-14


def differs(path, made):
    with open(path) as file:
        stored = file.read().splitlines()
    bad = [(a, b) for a, b in zip(stored, made) if not agree(a.split(), b.split())]
    for a, b in bad:
        print(path, "stored:", a, "NumPy:", b)
    return bool(bad) or len(stored) != len(made)


if __name__ == "__main__":
    data = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data")
    files = {
        os.path.join(data, "streams.txt"): list(stream_lines()),
        os.path.join(data, "random_network.txt"): list(network_lines()),
    }
    if sys.argv[1:] == ["--check"]:
        sys.exit(any([differs(path, made) for path, made in files.items()]))
    for path, made in files.items():
        with open(path, "w") as file:
            file.write("\n".join(made) + "\n")

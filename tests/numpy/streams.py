#!/usr/bin/python3
"""reckon's random numbers, regenerated with NumPy: how a user reproduces any draw.

    streams.py          prints tests/data/streams.txt, against which test_stream.c checks the library
    streams.py --check  compares that file with what NumPy makes now (77: no NumPy)
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


PLACES = [(42, 7, 0), (1, 2, 5), (2**64 - 1, 2**64 - 1, 2**64 - 1), (0, 0, 1000000)]


def lines():
    for place in PLACES:
        where = "%d %d %d" % place
        for i, word in enumerate(words(*place, 9)):
            yield "word %s %d 0x%016x" % (where, i, word)
        for i, z in enumerate(normal_doubles(*place, 7)):
            yield "double %s %d %.17g" % (where, i, z)
        for i, z in enumerate(normal_floats(*place, 7)):
            yield "float %s %d %.17g" % (where, i, z)


def agree(ours, theirs):
    if ours[:-1] != theirs[:-1]:
        return False
    if ours[0] == "word":
        return ours == theirs
    return abs(float(ours[-1]) - float(theirs[-1])) <= 1e-14


if __name__ == "__main__":
    if sys.argv[1:] != ["--check"]:
        print("\n".join(lines()))
        sys.exit(0)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "streams.txt")
    with open(path) as file:
        stored = file.read().splitlines()
    made = list(lines())
    bad = [(a, b) for a, b in zip(stored, made) if not agree(a.split(), b.split())]
    for a, b in bad:
        print("stored:", a, "\nNumPy: ", b)
    sys.exit(1 if bad or len(stored) != len(made) else 0)

#!/usr/bin/python3
"""layouts.py RECKON: one network, stored in every layout and under every name that is read, has one
answer, to the bit.

77: no NumPy.
"""
import json
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError:
    sys.exit(77)

rng = np.random.default_rng(1)
sizes = (3, 5, 4, 2)
W = [rng.normal(size=(m, n)) for n, m in zip(sizes, sizes[1:])]
b = [rng.normal(size=m) for m in sizes[1:]]
T = [np.ascontiguousarray(w.T) for w in W]
square = rng.normal(size=(3, 6, 6))


def named(weights, biases, weight, bias):
    return {**{weight % l: w for l, w in enumerate(weights)},
            **{bias % l: v for l, v in enumerate(biases)}}


plain = named(W, b, "%d.weight", "%d.bias")
in_out = ["--layout", "in-out"]
# what is stored, the options that read it
same = [
    (plain, []),
    (plain, ["--layout", "out-in"]),
    (plain, ["--tensors", "*.weight,*.bias"]),
    (named(T, b, "%d.weight", "%d.bias"), in_out),
    (named([np.asfortranarray(t) for t in T], b, "%d.weight", "%d.bias"), in_out),
    (named([t.astype(">f8") for t in T], b, "W%d", "b%d"), in_out),
    (named(T, b, "params/Dense_%d/kernel", "params/Dense_%d/bias"), []),
    (named(W, b, "Dense_%d/kernel", "Dense_%d/bias"), ["--layout", "out-in"]),
    (named(T, b, "coefs_%d", "intercepts_%d"), []),
    (named(T, b, "coefs_.%d", "intercepts_.%d"), []),
    (named(W, [v[None] for v in b], "%d.weight", "%d.bias"), []),
    (named(W, [v[:, None] for v in b], "%d.weight", "%d.bias"), []),
    (named(T, [v[None] for v in b], "%d.weight", "%d.bias"), in_out),
    ({**plain, "steps": np.array(3.0), "ema.0.weight": W[0]}, ["--tensors", "!steps,!ema.*"]),
    ({**named(W, b, "actor.%d.weight", "actor.%d.bias"), "critic.0.weight": W[0],
      "critic.1.weight": W[1]}, ["--tensors", "actor.*"]),
    ({**named(W, b, "a.%d.weight", "a.%d.bias"), "a.mask": W[0]}, ["--tensors", "a.*, !*.mask"]),
]
# (layer, in, out), as the contest stores square networks; NumPy's reshaped files of it
stacks = [(square, []), (np.ascontiguousarray(square.transpose(0, 2, 1)), in_out),
          (np.asfortranarray(square.transpose(0, 2, 1)), in_out), (np.asfortranarray(square), [])]
refused = [
    (named(T, b, "%d.weight", "%d.bias"), [], "--layout in-out"),
    (plain, in_out, "--layout out-in reads them so"),
    (plain, ["--tensors", "actor.*"], "none of the 6 tensors has a name like 'actor.*'"),
    (plain, ["--tensors", "!*"], "selects none"),
    ({**plain, "steps": np.array(3.0)}, [], "'steps'"),
]


def run(path, arguments):
    return subprocess.run([sys.argv[1], "estimate", path, "-m", "covariance", "-c", "--json", "-a",
                           "tanh", "--output-activation", "relu", *arguments],
                          capture_output=True, text=True)


def answers(folder, cases, ending):
    for k, (stored, arguments) in enumerate(cases):
        path = os.path.join(folder, "%d.%s" % (k, ending))
        np.savez(path, **stored) if ending == "npz" else np.save(path, stored)
        done = run(path, arguments)
        if done.returncode not in (0, 4):
            sys.exit("%s %s: %s" % (list(stored)[:2], arguments, done.stderr))
        answer = json.loads(done.stdout)
        yield answer["mean"], answer["covariance"]


with tempfile.TemporaryDirectory() as folder:
    for cases, ending in ((same, "npz"), (stacks, "npy")):
        found = list(answers(folder, cases, ending))
        for k, answer in enumerate(found):
            if answer != found[0]:
                sys.exit("%s %d: another answer: %s, not %s" % (ending, k, answer, found[0]))
    for k, (stored, arguments, words) in enumerate(refused):
        path = os.path.join(folder, "refused.npz")
        np.savez(path, **stored)
        done = run(path, arguments)
        if done.returncode != 3 or words not in done.stderr:
            sys.exit("refused %d: %d %s" % (k, done.returncode, done.stderr))
    path = os.path.join(folder, "sidecar.npz")
    np.savez(path, **named(T, b, "%d.weight", "%d.bias"))
    with open(path + ".json", "w") as file:
        json.dump({"layout": "in-out"}, file)
    done = run(path, [])
    if done.returncode not in (0, 4) or json.loads(done.stdout)["mean"] != \
            list(answers(folder, same[:1], "npz"))[0][0]:
        sys.exit("side-car: " + done.stderr)
print("layouts: %d files, one answer each" % (len(same) + len(stacks)))

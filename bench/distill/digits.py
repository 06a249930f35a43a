#!/usr/bin/python3
"""A teacher that was trained: handwritten digits, 8 x 8 pixels (scikit-learn's copy of the UCI set).

    digits.py teach FOLDER            writes teacher.safetensors, mean.npy and covariance.npy there
    digits.py judge FOLDER STUDENT... accuracies on digits the teacher was not trained on

Needs numpy and scikit-learn (Debian: python3-sklearn).
"""
import json
import pathlib
import sys

import numpy as np
from sklearn.datasets import load_digits

WIDTHS = [64, 64, 64, 10]
N_TRAIN, EPOCHS, BATCH, RATE, DECAY = 1297, 60, 32, 2e-3, 1e-4


def digits():
    x, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, labels = x[order] / 16, labels[order]
    return (x[:N_TRAIN], labels[:N_TRAIN]), (x[N_TRAIN:], labels[N_TRAIN:])


def forward(layers, x):
    values = [x]
    for k, (weight, bias) in enumerate(layers):
        z = values[-1] @ weight.T + bias
        values.append(np.maximum(z, 0) if k + 1 < len(layers) else z)
    return values


def gradient(layers, x, labels):
    """Of the cross entropy."""
    values = forward(layers, x)
    p = np.exp(values[-1] - values[-1].max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(x)), labels] -= 1
    back, out = p / len(x), []
    for (weight, _), below in zip(reversed(layers), reversed(values[:-1])):
        out += [back.sum(axis=0), back.T @ below]
        back = back @ weight * (below > 0)
    return out[::-1]


def train(x, labels):
    rng = np.random.default_rng(1)
    layers = [(rng.normal(size=(b, a)) * np.sqrt(2 / a), np.zeros(b))
              for a, b in zip(WIDTHS, WIDTHS[1:])]
    theta = [t for layer in layers for t in layer]
    mean, square = ([np.zeros_like(t) for t in theta] for _ in range(2))
    steps = EPOCHS * (len(x) // BATCH)
    for step in range(steps):
        chosen = rng.integers(len(x), size=BATCH)
        for t, g, m, v in zip(theta, gradient(layers, x[chosen], labels[chosen]), mean, square):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            adam = m / (1 - 0.9 ** (step + 1)) / (np.sqrt(v / (1 - 0.999 ** (step + 1))) + 1e-8)
            t -= RATE * (1 - step / steps) * (adam + DECAY * t)
    return layers


def write(path, layers):
    """Safetensors, single precision."""
    header, data = {"__metadata__": {"activation": "relu"}}, b""
    for k, (weight, bias) in enumerate(layers):
        for name, t in ("weight", weight), ("bias", bias):
            part = t.astype("<f4").tobytes()
            header[f"layers.{k}.{name}"] = {"dtype": "F32", "shape": t.shape,
                                           "data_offsets": [len(data), len(data) + len(part)]}
            data += part
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def read(path):
    raw = pathlib.Path(path).read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:8 + size])

    def tensor(name):
        a, b = header[name]["data_offsets"]
        kind = {"F32": "<f4", "F64": "<f8"}[header[name]["dtype"]]
        return np.frombuffer(raw[8 + size + a:8 + size + b], kind).reshape(header[name]["shape"])

    names = sorted(n for n in header if n.endswith(".weight"))
    return [(tensor(n), tensor(n.replace(".weight", ".bias"))) for n in names]


def judge(folder, students):
    _, (x, labels) = digits()
    teacher = forward(read(folder / "teacher.safetensors"), x)[-1]
    print("network,accuracy,agrees,loss")
    for path in [folder / "teacher.safetensors", *students]:
        y = forward(read(path), x)[-1]
        print(f"{pathlib.Path(path).name},{np.mean(y.argmax(1) == labels):.4f},"
              f"{np.mean(y.argmax(1) == teacher.argmax(1)):.4f},"
              f"{np.mean((y - teacher) ** 2) / np.mean(teacher ** 2):.4f}")


def teach(folder):
    (x, labels), _ = digits()
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "teacher.safetensors", train(x, labels))
    np.save(folder / "mean.npy", x.mean(axis=0))
    np.save(folder / "covariance.npy", np.cov(x.T))


what, folder, *students = sys.argv[1:]
teach(pathlib.Path(folder)) if what == "teach" else judge(pathlib.Path(folder), students)

#!/usr/bin/python3
"""A teacher that was trained: handwritten digits, 8 x 8 pixels (scikit-learn's copy of the UCI set).

    digits.py teach FOLDER            writes teacher.safetensors, mean.npy and covariance.npy there
    digits.py distil FOLDER RECKON    trains students for inputs of that mean and covariance, and
                                      prints what they are worth, there and on digits that nothing
                                      was trained on, as CSV

The teacher is a network of two hidden layers of 64; the digits' law is not normal, and students
never see a digit: all that is known of them is their mean and covariance.

Needs numpy and scikit-learn (Debian: python3-sklearn).
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from sklearn.datasets import load_digits

WIDTHS = [64, 64, 64, 10]
STUDENTS = "16,16", "32,32"
METHODS = {  # of students; Adam's rates and batches are a grid
    "pivots": "--finish off --budget 1flop",
    "mechanistic": "--finish off",
    "mechanistic+finish": "--finish on",
    "random+finish": "--start random --finish on",
    **{f"adam:rate={rate}:batch={batch}":
       f"--method adam --rate {rate} --batch {batch}"
       for rate in (0.003, 0.01, 0.03) for batch in (4, 16)},
}
SEEDS = 3
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


def distil(folder, reckon, hidden, how, seed):
    """The student and what the command says of it."""
    with tempfile.TemporaryDirectory() as place:
        student = pathlib.Path(place) / "student.safetensors"
        run = subprocess.run(
            [reckon, "distill", folder / "teacher.safetensors", "--hidden", hidden,
             "--input-mean", folder / "mean.npy", "--input-cov", folder / "covariance.npy",
             *how.split(), "--seed", str(seed), "--receipt", "20000", "--threads", "1", "--json",
             "--quiet", "-o", student], stdout=subprocess.PIPE)
        return read(student), json.loads(run.stdout)


def distil_spending(budget, folder, reckon, hidden, how, seed):
    """The same at about these FLOPs: steps are priced with what precedes them, so it may ask twice."""
    asked = budget
    for _ in range(2):
        student, said = distil(folder, reckon, hidden, f"{how} --budget {asked}flop", seed)
        spent = said["flops"]["executed"]
        if spent > 0.9 * budget:
            break
        asked *= budget / spent
    return student, said


def judge(y, teacher, labels):
    """Of outputs: how often they are right, as the teacher's, and their distance."""
    same = np.mean(y.argmax(1) == teacher.argmax(1))
    distance = np.mean((y - teacher) ** 2) / np.mean(teacher ** 2)
    return f"{np.mean(y.argmax(1) == labels):.4f},{same:.4f},{distance:.4g}"


def table(folder, reckon):
    _, (x, labels) = digits()
    teacher = forward(read(folder / "teacher.safetensors"), x)[-1]
    print("hidden,method,seed,flops,seconds,closure,loss,loss_se,accuracy,agrees,loss_on_digits")
    print(f"\"64,64\",teacher,,,,,,,{judge(teacher, teacher, labels)}", flush=True)
    for hidden in STUDENTS:
        budget = 0  # Adam's: what the mechanistic student took
        for name, how in METHODS.items():
            for seed in range(SEEDS):
                args = folder, reckon, hidden, how, seed
                layers, said = (distil_spending(budget, *args) if name.startswith("adam")
                                else distil(*args))
                flops, receipt = said["flops"]["executed"], said["receipt"]
                square = receipt["teacher_square"]
                closure = (said["closure_loss"] or float("nan")) / square
                print(f"\"{hidden}\",{name},{seed},{flops:.4g},{said['seconds']:.3g},{closure:.4g},"
                      f"{receipt['relative']:.4g},{receipt['standard_error'] / square:.2g},"
                      f"{judge(forward(layers, x)[-1], teacher, labels)}", flush=True)
            if name == "mechanistic+finish":
                budget = flops


def teach(folder):
    (x, labels), _ = digits()
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "teacher.safetensors", train(x, labels))
    np.save(folder / "mean.npy", x.mean(axis=0))
    np.save(folder / "covariance.npy", np.cov(x.T))


what, folder, *rest = sys.argv[1:]
if what == "teach":
    teach(pathlib.Path(folder))
else:
    table(pathlib.Path(folder), *rest)

#!/usr/bin/python3
"""formats.py RECKON: NumPy opens what `reckon random` writes, and both formats say the same; it
makes the same residual network.

77: no NumPy.
"""
import json
import os
import struct
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError:
    sys.exit(77)

import streams


def read_npz(path):
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return arrays, json.loads(arrays.pop("reckon.json"))


def read_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    length, = struct.unpack("<Q", data[:8])
    header, values = json.loads(data[8:8 + length]), data[8 + length:]
    if length % 8:
        sys.exit("safetensors: the values are not aligned")
    metadata, arrays = header.pop("__metadata__"), {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        assert entry["dtype"] == "F64"
        arrays[name] = np.frombuffer(values[begin:end], "<f8").reshape(entry["shape"])
    return arrays, metadata


with tempfile.TemporaryDirectory() as folder:
    path, answers = os.path.join(folder, "residual.npz"), []
    subprocess.run([sys.argv[1], "random", "--residual", "--in", "3", "--width", "5", "--hidden",
                    "5", "--init", "manual:2,0.5", "--seed", "4", "-q", "-o", path], check=True)
    residual, residual_says = read_npz(path)
    for read, ending in ((read_npz, "npz"), (read_safetensors, "safetensors")):
        path = os.path.join(folder, "net." + ending)
        subprocess.run([sys.argv[1], "random", "--width", "5", "--hidden", "2", "--activation",
                        "leaky_relu:0.2", "--seed", "3", "-q", "-o", path], check=True)
        answers.append(read(path))

(npz, npz_says), (safetensors, safetensors_says) = answers
if list(npz) != ["0.weight", "2.weight", "4.weight"] or list(npz) != list(safetensors):
    sys.exit(f"names: {list(npz)}, {list(safetensors)}")
for name in npz:
    if npz[name].shape != (5, 5) or not np.array_equal(npz[name], safetensors[name]):
        sys.exit(f"{name} differs")
if npz_says != safetensors_says:
    sys.exit("the descriptions differ")
if npz_says["activation"] != "leaky_relu:0.2,leaky_relu:0.2,identity":
    sys.exit(f"activation: {npz_says['activation']}")

made = streams.random_network(4, [3, 5, 5, 5, 5, 5, 5], 2.0, 0.5, residual=True)
for l, (weight, bias) in enumerate(made):
    if not (np.allclose(residual[f"{2 * l}.weight"], weight, rtol=0, atol=1e-14)
            and np.allclose(residual[f"{2 * l}.bias"], bias, rtol=0, atol=1e-14)):
        sys.exit(f"residual layer {l + 1} differs")
layers = json.loads(residual_says["layers"].replace("'", '"'))
if [layer.get("adds") for layer in layers] != [None, None, 2, None, 4, None]:
    sys.exit(f"residual layers: {layers}")

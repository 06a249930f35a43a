"""Writes the files of this folder: one small network, as every PyTorch saves it.

    python3 make.py VERSION      # once with PyTorch 1.13 ("old"), once with 2.x ("new")

VERSION names the files. The weights are dyadic fractions, so that half precision holds them and all
files give the same bits; net.npz has them too.
"""
import argparse
import collections
import sys

import numpy
import torch

version = sys.argv[1]
shapes = {"fc1.weight": (5, 3), "fc1.bias": (5,), "fc2.weight": (2, 5), "fc2.bias": (2,)}


def values(name):
    size = int(numpy.prod(shapes[name]))
    start = list(shapes).index(name) * 7
    return (((torch.arange(size) + start) * 37 % 64).double() / 32 - 1).reshape(shapes[name])


def state(dtype=torch.float32, change=lambda t: t):
    return collections.OrderedDict((n, change(values(n).to(dtype))) for n in shapes)


def transposed(t):
    return t.t().contiguous().t()


def part_of_more(t):
    larger = torch.full((t.numel() * 2 + 3,), 0.25, dtype=t.dtype)
    larger[3::2] = t.flatten()
    return larger[3::2].view(t.shape)


def put(name, what, **how):
    torch.save(what, f"{version}_{name}.pt", **how)


module = torch.nn.Sequential(collections.OrderedDict(
    fc1=torch.nn.Linear(3, 5), relu=torch.nn.ReLU(), fc2=torch.nn.Linear(5, 2)))
module.load_state_dict(state())
adam = torch.optim.Adam(module.parameters())
module(torch.ones(4, 3)).sum().backward()
adam.step()
module.load_state_dict(state())

flat = torch.cat([t.flatten() for t in state().values()])
cut = torch.split(flat, [int(numpy.prod(s)) for s in shapes.values()])
put("state", module.state_dict())
put("half", state(torch.float16))
put("bfloat", state(torch.bfloat16))
put("double", state(torch.float64))
put("transposed", state(change=transposed))
put("views", state(change=part_of_more))
put("shared", {n: t.view(shapes[n]) for n, t in zip(shapes, cut)})
put("parameters", {n: torch.nn.Parameter(t) for n, t in state().items()})
put("tree", {"fc1": {"weight": values("fc1.weight"), "bias": values("fc1.bias")},
             "fc2": {"weight": values("fc2.weight"), "bias": values("fc2.bias")}})
put("protocol4", state(), pickle_protocol=4)
put("legacy", state(), _use_new_zipfile_serialization=False)
put("checkpoint", {"epoch": 3, "state_dict": module.state_dict(), "optimizer": adam.state_dict(),
                   "best": numpy.float64(0.5), "args": argparse.Namespace(lr=1e-3),
                   "loss": torch.tensor(0.25), "history": [1.0, None, "text", (True, 1 << 80)]})
put("two", {"model": state(), "ema": state()})
put("module", module)
put("counters", {**state(), "steps": torch.tensor(7)})
put("expanded", {**state(), "fc1.weight": torch.tensor(0.5).expand(5, 3)})
numpy.savez("net.npz", **{n: values(n).numpy() for n in shapes})
numpy.savez("expanded.npz", **{n: values(n).numpy() if n != "fc1.weight" else
                               numpy.full((5, 3), 0.5) for n in shapes})

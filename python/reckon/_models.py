"""What people have, made into networks: files, modules, lists and trees of arrays."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from collections.abc import Mapping
from typing import Any, Iterator, Optional, Sequence, Union

import numpy as np

from . import _abi
from ._law import numbers
from ._library import ArgumentError, call
from ._network import Layer, created

Activations = Union[str, Sequence[str], None]


def network_pointer(model: Any, activation: Activations) -> Any:
    """An rk_network of the model, the caller's."""
    names = activation if activation is None or isinstance(activation, str) else ",".join(activation)
    if isinstance(model, (str, os.PathLike)):
        return _read(model, names)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(model, torch.nn.Module):
        if names is not None:
            raise ArgumentError("activation: a module says itself what its activations are")
        from ._modules import Graph, layers_of

        return created(layers_of(Graph(model)))
    if isinstance(model, (list, tuple)):
        return created(_pairs(model, names))
    if isinstance(model, Mapping):
        return _tree(model, names)
    raise ArgumentError(
        f"{type(model).__name__}: no model that reckon knows; give a path, a torch.nn.Module or a "
        "list of (W, b), or a tree of named arrays"
    )


def _read(path: Any, names: Optional[str]) -> Any:
    options = _abi.rk_read_options()
    options.activation = names.encode() if names is not None else None
    out = ctypes.POINTER(_abi.rk_network)()
    call("rk_network_read", ctypes.byref(out), os.fsencode(path), ctypes.byref(options))
    return out


def _pairs(model: Sequence[Any], names: Optional[str]) -> list[Layer]:
    """Layers of [(W, b), ...] or [W, ...], W (out, in) each."""
    if model and all(isinstance(entry, Layer) for entry in model):
        return list(model)
    n = len(model)
    given = names.split(",") if names else []
    if len(given) == 1:
        given = given * max(n - 1, 1)
    if len(given) not in (n - 1, n) or (n > 1 and not given):
        raise ArgumentError(
            f"activation: {n} layers need a name for all hidden ones, or one for each, such as "
            'activation="relu"'
        )
    given += ["identity"] * (n - len(given))
    layers = []
    for entry, name in zip(model, given):
        weight, bias = entry if isinstance(entry, (list, tuple)) else (entry, None)
        layers.append(Layer(weight, bias, name))
    return layers


def _leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, np.ndarray]]:
    for key, value in tree.items():
        name = f"{path}{key}".replace("/", ".").replace(":", "_")
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{name}.")
        else:
            yield name, numbers(value)


def _tree(model: Mapping[str, Any], names: Optional[str]) -> Any:
    """Named arrays, nested as Flax and Keras have them or flat as a state dict.

    They go through the reader of .npz, whose rules tell which array is what. A `kernel` is
    (in, out), by its name.
    """
    arrays: dict[str, Any] = {}
    for name, value in _leaves(model):
        path, _, last = name.rpartition(".")
        if last == "kernel":
            name, value = f"{path}.weight" if path else "weight", value.T
        arrays[name] = value
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.npz")
        np.savez(path, **arrays)
        return _read(path, names)

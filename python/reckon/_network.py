"""A network in the library's memory."""

from __future__ import annotations

import ctypes
import os
import weakref
from typing import Any, NamedTuple, Optional, Sequence, Union

import numpy as np

from . import _abi
from ._law import numbers
from ._library import ArgumentError, call, library
from ._read import floats


class Layer(NamedTuple):
    """h = activation(weight u + bias + v), where u and v are values that earlier layers made.

    Values are numbered: 1 is the input x, l + 1 what layer l = 1, 2, ... made.
    """

    weight: Optional[np.ndarray]  #: (rows, cols), as PyTorch has it; None: the identity
    bias: Optional[np.ndarray] = None  #: (rows,)
    activation: str = "identity"
    reads: int = 0  #: u; 0: what the layer before made
    adds: int = 0  #: v; 0: nothing


class Network:
    """A multilayer perceptron, copied from a model once: weights in float64, ready to run.

    `model` is whatever `reckon.estimate` takes, and a Network is one, too. It does not change: make
    another from a changed model. Several threads may use it at a time.
    """

    def __init__(
        self, model: Any, *, activation: Union[str, Sequence[str], None] = None
    ) -> None:
        from ._models import network_pointer

        self._own(network_pointer(model, activation))

    def _own(self, pointer: Any) -> None:
        self._pointer = pointer
        weakref.finalize(self, library.rk_network_destroy, pointer)

    @classmethod
    def _of(cls, pointer: Any) -> Network:
        """Of a network that is the caller's, from now on its own."""
        self = cls.__new__(cls)
        self._own(pointer)
        return self

    @property
    def n_in(self) -> int:
        return int(library.rk_network_n_in(self._pointer))

    @property
    def n_out(self) -> int:
        return int(library.rk_network_n_out(self._pointer))

    @property
    def n_layers(self) -> int:
        return int(library.rk_network_n_layers(self._pointer))

    def layer(self, i: int) -> _abi.rk_layer:
        """The rk_layer, counted from 0, which points into the network."""
        found: _abi.rk_layer = library.rk_network_layer(self._pointer, i)
        return found

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Copies of its layers."""
        return tuple(_copied(self.layer(i)) for i in range(self.n_layers))

    @property
    def notes(self) -> str:
        """What was inferred from a model, one fact a line."""
        return str(library.rk_network_notes(self._pointer).decode())

    @property
    def sha256(self) -> str:
        """Of weights and biases with their shapes, whatever they came from."""
        text = ctypes.create_string_buffer(65)
        call("rk_network_sha256", self._pointer, text)
        return text.value.decode()

    def __call__(self, x: Any) -> np.ndarray:
        """The plain forward pass in float64: x (..., n_in) to y (..., n_out)."""
        x = numbers(x)
        if x.ndim == 0 or x.shape[-1] != self.n_in:
            raise ArgumentError(f"x: {x.shape} instead of (..., {self.n_in})")
        y = np.empty((*x.shape[:-1], self.n_out))
        pointer = ctypes.POINTER(ctypes.c_double)
        for row, to in zip(x.reshape(-1, self.n_in), y.reshape(-1, self.n_out)):
            call("rk_network_forward", self._pointer, row.ctypes.data_as(pointer),
                 to.ctypes.data_as(pointer))
        return y

    def __repr__(self) -> str:
        return f"<reckon.Network: {self.n_in} inputs, {self.n_layers} layers, {self.n_out} outputs>"


def _copied(c: _abi.rk_layer) -> Layer:
    name = library.rk_activation_name(c.activation.kind).decode()
    return Layer(
        floats(c.weight, c.rows, c.cols) if c.weight else None,
        floats(c.bias, c.rows) if c.bias else None,
        f"{name}:{c.activation.parameter!r}" if c.activation.parameter else name,
        c.reads,
        c.adds,
    )


def created(layers: Sequence[Layer]) -> Any:
    """An rk_network of these layers, the caller's."""
    c = (_abi.rk_layer * len(layers))()
    kept = []
    for i, layer in enumerate(layers):
        call("rk_activation_parse", layer.activation.encode(), ctypes.byref(c[i].activation))
        arrays = [None if a is None else numbers(a) for a in (layer.weight, layer.bias)]
        kept.append(arrays)
        weight, bias = arrays
        if weight is not None and weight.ndim != 2:
            raise ArgumentError(f"layer {i + 1}: a weight of shape {weight.shape} is no matrix")
        if weight is not None:
            c[i].rows, c[i].cols = weight.shape
        elif bias is not None or i:
            c[i].rows = c[i].cols = bias.size if bias is not None else c[i - 1].rows
        if bias is not None and bias.size != c[i].rows:
            raise ArgumentError(
                f"layer {i + 1}: a bias of shape {bias.shape} for {c[i].rows} outputs"
            )
        for name, a in (("weight", weight), ("bias", bias)):
            if a is not None:
                setattr(c[i], name, a.ctypes.data_as(ctypes.POINTER(ctypes.c_double)))
        c[i].reads, c[i].adds = layer.reads, layer.adds
    out = ctypes.POINTER(_abi.rk_network)()
    call("rk_network_create", ctypes.byref(out), c, len(layers))
    return out


def as_network(model: Any, activation: Union[str, Sequence[str], None] = None) -> Network:
    """The model itself if it is a Network."""
    return model if isinstance(model, Network) else Network(model, activation=activation)


def load(
    path: Union[str, "os.PathLike[str]"], *, activation: Union[str, Sequence[str], None] = None
) -> Network:
    """A network from a file (docs/FORMATS.md).

    activation: of the hidden layers, where the file does not say: a name for all, or one a layer.
    """
    return Network(os.fspath(path), activation=activation)


def save(model: Any, path: Union[str, "os.PathLike[str]"]) -> None:
    """Writes .safetensors or .npz, float64, activations included; atomically."""
    call("rk_network_write", as_network(model)._pointer, os.fsencode(path))


def random(
    width: int = 256,
    hidden: int = 4,
    *,
    widths: Optional[Sequence[int]] = None,
    activation: str = "relu",
    seed: int = 0,
    init: str = "he",
    q: float = 1.0,
    weight_variance: float = 1.0,
    bias_variance: float = 0.0,
    residual: bool = False,
) -> Network:
    """A random network: the same arguments, the same bits, everywhere.

    width, hidden: all layers so wide, so many hidden layers; or widths: n_in, hidden ..., n_out.
    init: "he", "critical" (variances for which E[z^2] = q persists), or "manual":
    n_in Var(W) = weight_variance, Var(b) = bias_variance.
    residual: hidden layers two by two are blocks y = x + W2 phi(W1 x).
    """
    sizes = list(widths) if widths is not None else [width] * (hidden + 2)
    kinds = {"he": _abi.RK_INIT_HE, "critical": _abi.RK_INIT_CRITICAL,
             "manual": _abi.RK_INIT_MANUAL}
    if len(sizes) < 2 or init not in kinds:
        raise ArgumentError("widths: input and output at least" if len(sizes) < 2
                            else f"init: one of {', '.join(kinds)}")
    spec = _abi.rk_random_spec()
    spec.n_in, spec.n_out = sizes[0], sizes[-1]
    spec.hidden, spec.n_hidden = (ctypes.c_size_t * len(sizes))(*sizes[1:-1]), len(sizes) - 2
    call("rk_activation_parse", activation.encode(), ctypes.byref(spec.activation))
    spec.init, spec.critical_q, spec.seed, spec.residual = kinds[init], q, seed, residual
    spec.weight_variance, spec.bias_variance = weight_variance, bias_variance
    out = ctypes.POINTER(_abi.rk_network)()
    call("rk_network_random", ctypes.byref(out), ctypes.byref(spec))
    return Network._of(out)

"""torch.nn.Module -> layers: torch.fx shows the graph, and each node becomes part of a layer.

A layer is an entry of the key `layers` of docs/FORMATS.md; the tensors that it names stay torch's
own. Modules are read as in eval mode: dropout does nothing, batch norm has its running statistics.
"""

from __future__ import annotations

import operator
import warnings
from typing import Any, NamedTuple, NoReturn, Optional

import torch
from torch import fx, nn

from ._library import UnsupportedError
from ._network import Layer

#: What the library calls a module's activation; attributes at their defaults are left out.
ACTIVATIONS = {
    name: name.lower()
    for name in "ReLU Tanh Sigmoid SiLU Mish ReLU6 SELU Hardswish Hardsigmoid Softsign".split()
} | {
    "LeakyReLU": "leaky_relu:{negative_slope}",
    "GELU": "gelu:{approximate}",
    "ELU": "elu:{alpha}",
    "CELU": "celu:{alpha}",
    "Softplus": "softplus:{beta}",
    "Hardtanh": "hardtanh:{min_val}:{max_val}",
}
#: Functions and methods of tensors that do what a module does, with its arguments.
CALLS = {name.lower(): name for name in ACTIVATIONS} | {"leaky_relu": "LeakyReLU"}
PLAIN_CALLS = {"abs", "sign", "square", "sin", "erf", "exp"}
POWERS = {2: "square", 3: "cube"}
PASSES = {"flatten", "dropout", "view", "reshape", "contiguous", "clone"}
OF_TWO_MODES = (nn.BatchNorm1d, nn.Dropout, nn.AlphaDropout)
PASSING_MODULES = (nn.Identity, nn.Dropout, nn.AlphaDropout, nn.Flatten)


def activation_text(module: nn.Module) -> Optional[str]:
    """None: it is no activation."""
    form = ACTIVATIONS.get(type(module).__name__)
    if form is None or not type(module).__module__.startswith("torch.nn."):
        return None
    text, usual = (form.format(**vars(m)) for m in (module, type(module)()))
    return form.partition(":")[0] if text == usual else text.replace("gelu:", "gelu_")


class Value(NamedTuple):
    """What a node computed: the value of layer `layer` (0: the input), counted as rk_layer does."""

    layer: int
    alone: bool  #: nobody else reads it, so that its layer may go on
    norm: Optional[dict[str, Any]] = None  #: a batch norm that the reader has to take over


class _Tracer(fx.Tracer):
    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        plain = isinstance(module, (nn.Linear, nn.BatchNorm1d)) or activation_text(module)
        return bool(plain) or super().is_leaf_module(module, name)


class Graph:
    """Layers and tensors of a module. Tensors are those of the module, on its tape."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.layers: list[dict[str, Any]] = []
        self.tensors: dict[str, torch.Tensor] = {}
        self.values: dict[fx.Node, Value] = {}
        if any(m.training and isinstance(m, OF_TWO_MODES) for m in module.modules()):
            warnings.warn("the module is in training mode; it is read as in eval mode", stacklevel=2)
        for node in self._trace():
            if node.op == "output":
                self._finish(node)
            elif node.op == "placeholder":
                self.values[node] = Value(0, len(node.users) == 1)
            elif node.op != "get_attr" and _name(node) not in ("size", "getattr"):
                self._compute(node)

    def _trace(self) -> list[fx.Node]:
        try:
            graph = _Tracer().trace(self.module)
        except Exception as reason:
            raise UnsupportedError(
                f"{type(self.module).__name__}: torch.fx cannot follow its forward ({reason}); "
                "branches that depend on the input are no fixed network"
            ) from reason
        graph.owning_module = self.module  # which older torch asks whether calls have effects
        graph.eliminate_dead_code()
        nodes = [n for n in graph.nodes if n.op != "placeholder" or n.users]
        inputs = sum(n.op == "placeholder" for n in nodes)
        if inputs != 1:
            raise UnsupportedError(f"forward: uses {inputs} inputs instead of one")
        return nodes

    def _refuse(self, node: fx.Node, reason: str) -> NoReturn:
        kind = _name(node)
        if node.op == "call_module":
            kind = f"{kind} ({type(self.module.get_submodule(kind)).__name__})"
        raise UnsupportedError(f"{kind}: {reason}")

    def _operand(self, node: fx.Node, i: int = 0) -> Value:
        given = node.args[i] if i < len(node.args) else None
        if not isinstance(given, fx.Node) or given not in self.values:
            self._refuse(node, "combines the input with something that is not made from it")
        return self.values[given]

    def _compute(self, node: fx.Node) -> None:
        u, name = self._operand(node), _name(node)
        module = self.module.get_submodule(name) if node.op == "call_module" else None
        if isinstance(module, PASSING_MODULES) or (module is None and name in PASSES):
            self.values[node] = u._replace(alone=u.alone and len(node.users) == 1)
            return
        if isinstance(module, nn.BatchNorm1d):
            value = self._norm(node, u, name, module)
        elif isinstance(module, nn.Linear):
            for hook in module._forward_pre_hooks.values():  # weight norm, masks: W = W(parameters)
                if type(hook).__module__.startswith("torch.nn.utils."):
                    hook(module, None)
            value = self._linear(u, name, module.weight, module.bias)
        elif name == "linear" and module is None:
            value = self._linear(u, str(node), *self._parameters(node))
        elif name in ("add", "iadd") and module is None and len(node.args) == 2:
            value = self._add(self._read(u), self._read(self._operand(node, 1)))
        else:
            text = self._activation(node, name, module)
            if not u.alone and (getattr(module, "inplace", False) or node.kwargs.get("inplace")):
                self._refuse(node, "works in place on a value that others read, too")
            value = self._activate(self._read(u), text)
        self.values[node] = value._replace(alone=len(node.users) == 1)

    def _activation(self, node: fx.Node, name: str, module: Optional[nn.Module]) -> str:
        text = None
        if module is None and name in CALLS:
            module = getattr(nn, CALLS[name])(*node.args[1:], **node.kwargs)
        if module is not None:
            text = activation_text(module)
        elif name in PLAIN_CALLS:
            text = name
        elif name == "pow":
            text = POWERS.get(node.args[1])  # type: ignore[arg-type]
        if text is None:
            self._refuse(node, "reckon has no such layer; it knows Linear, BatchNorm1d, Dropout, "
                               "Flatten, Identity, sums and activations")
        return text

    def _parameters(self, node: fx.Node) -> list[Optional[torch.Tensor]]:
        """Weight and bias of a call of F.linear."""
        given = [*node.args[1:], *(node.kwargs.get(k) for k in ("weight", "bias"))]
        found = []
        for n in [g for g in given if g is not None]:
            if not isinstance(n, fx.Node) or n.op != "get_attr":
                self._refuse(node, "its weight and bias must be parameters of the module")
            found.append(operator.attrgetter(str(n.target))(self.module))
        return [*found, None][:2]

    def _name_of(self, name: str, tensor: torch.Tensor) -> str:
        """Keeps a tensor; a module that is called twice has two names for it."""
        while name in self.tensors:
            name += "+"
        self.tensors[name] = tensor
        return name

    def _layer(self, **keys: Any) -> Value:
        self.layers.append({k: v for k, v in keys.items() if v is not None})
        return Value(len(self.layers), False)

    def _open(self, u: Value, *keys: str) -> bool:
        """Whether u's layer may go on, having none of these keys yet."""
        return u.alone and u.layer > 0 and not any(k in self.layers[u.layer - 1] for k in keys)

    def _linear(self, u: Value, name: str, weight: Any, bias: Any) -> Value:
        return self._layer(
            weight=self._name_of(f"{name}.weight", weight),
            bias=None if bias is None else self._name_of(f"{name}.bias", bias),
            reads=u.layer + 1,
            batch_norm_input=u.norm,
        )

    def _norm(self, node: fx.Node, u: Value, name: str, m: nn.BatchNorm1d) -> Value:
        if m.running_mean is None:
            self._refuse(node, "has no running statistics")
        parts = {"mean": m.running_mean, "var": m.running_var, "weight": m.weight, "bias": m.bias}
        norm: dict[str, Any] = {k: self._name_of(f"{name}.{k}", t) for k, t in parts.items()
                                if t is not None}
        norm["eps"] = m.eps
        u = self._read(u)
        if self._open(u, "adds", "activation", "batch_norm") and "weight" in self.layers[u.layer - 1]:
            self.layers[u.layer - 1]["batch_norm"] = norm
            return u
        return Value(u.layer, True, norm)

    def _read(self, u: Value) -> Value:
        """u as a value: a batch norm that no linear layer takes over is a layer of its own."""
        return u if u.norm is None else self._layer(reads=u.layer + 1, batch_norm=u.norm)

    def _add(self, u: Value, v: Value) -> Value:
        for one, other in sorted([(u, v), (v, u)], key=lambda p: -p[0].layer):
            if one.layer > other.layer and self._open(one, "adds", "activation"):
                self.layers[one.layer - 1]["adds"] = other.layer + 1
                return one
        return self._layer(reads=u.layer + 1, adds=v.layer + 1)

    def _activate(self, u: Value, text: str) -> Value:
        if self._open(u, "activation"):
            self.layers[u.layer - 1]["activation"] = text
            return u
        return self._layer(reads=u.layer + 1, activation=text)

    def _finish(self, node: fx.Node) -> None:
        y = self._read(self._operand(node))
        if y.layer != len(self.layers) or not self.layers:
            raise UnsupportedError("forward: what it returns is not what it computes last")


def _name(node: fx.Node) -> str:
    """What a node calls: a path of a submodule, or a function without the mark of in-place ones."""
    if node.op == "call_module":
        return str(node.target)
    name = node.target if isinstance(node.target, str) else node.target.__name__
    return name.strip("_")


def layers_of(graph: Graph) -> list[Layer]:
    """The layers in torch's float64, batch norms folded in: on the tape of the parameters."""

    def affine(norm: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
        mean, var = tensor(norm["mean"]), tensor(norm["var"])
        scale = tensor(norm.get("weight"), torch.ones_like(mean)) / (var + norm["eps"]).sqrt()
        return scale, tensor(norm.get("bias"), torch.zeros_like(mean)) - scale * mean

    def tensor(name: Optional[str], default: Any = None) -> Any:
        return default if name is None else graph.tensors[name].double().cpu()

    layers = []
    for entry in graph.layers:
        weight, bias = tensor(entry.get("weight")), tensor(entry.get("bias"))
        if norm := entry.get("batch_norm_input"):
            scale, shift = affine(norm)
            bias = weight @ shift + (0 if bias is None else bias)
            weight = weight * scale
        if norm := entry.get("batch_norm"):
            scale, shift = affine(norm)
            weight = torch.diag(scale) if weight is None else scale[:, None] * weight
            bias = shift if bias is None else scale * bias + shift
        layers.append(Layer(weight, bias, entry.get("activation", "identity"), entry["reads"],
                            entry.get("adds", 0)))
    return layers

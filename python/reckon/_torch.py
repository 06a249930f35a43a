"""Estimates as functions of a module's parameters, for torch: forward estimates, backward goes back.

Tensors on the module's tape (batch norms folded there) are the arguments; all is float64 on the CPU.
"""

from __future__ import annotations

from typing import Any, Optional

import torch

from ._gradient import Derivatives, event_gradient, linearise
from ._law import Input
from ._modules import Graph, layers_of
from ._network import Layer, Network


class _Parameters:
    """The arguments of a function: (weight, bias) of each layer, then mean and covariance."""

    def __init__(self, model: Any, input: Input) -> None:
        self.layers = layers_of(Graph(model))
        law: Any = (None, None) if input is None else (
            input if isinstance(input, tuple) else (input.mean, input.covariance))
        self.by_law = [torch.is_tensor(x) and x.requires_grad for x in law]
        self.tensors = [t for layer in self.layers for t in layer[:2]] + list(law)

    def network(self) -> Network:
        return Network([Layer(*(_detached(part) for part in layer)) for layer in self.layers])

    def law(self) -> Input:
        mean, covariance = map(_detached, self.tensors[-2:])
        return None if mean is None and covariance is None else (mean, covariance)


def _detached(t: Any) -> Any:
    return t.detach() if torch.is_tensor(t) else t


def _gradients(d: Derivatives, parameters: _Parameters) -> list[Optional[torch.Tensor]]:
    """In the order, the shapes and the types of the arguments; None for what is no tensor."""
    flat = [a for pair in zip(d.weights, d.biases) for a in pair]
    found: list[Optional[torch.Tensor]] = []
    for a, t in zip([*flat, d.input_mean, d.input_covariance], parameters.tensors):
        if a is None or not torch.is_tensor(t) or not t.requires_grad:
            found.append(None)
            continue
        if t.shape != a.shape:  # one number for all, or the diagonal of a covariance
            a = a.diagonal().copy() if a.ndim == 2 else a
            a = a.sum().reshape(()) if t.ndim == 0 else a
        found.append(torch.as_tensor(a).to(t))
    return found


class _Estimate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, parameters: _Parameters, options: Any, *tensors: Any) -> Any:
        ctx.parameters = parameters
        ctx.run = linearise(
            parameters.network(),
            input=parameters.law(),
            input_covariance=parameters.by_law[1],
            **options,
        )
        answer = ctx.run.answer
        mean = torch.from_numpy(answer.mean)
        if answer.covariance is None:
            return mean
        return mean, torch.from_numpy(answer.covariance)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, mean: Any, covariance: Any = None) -> Any:
        by_input = any(ctx.parameters.by_law)
        d = ctx.run.vjp(mean=mean, covariance=covariance, by_input=by_input)
        return (None, None, *_gradients(d, ctx.parameters))


class _LogProbability(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, parameters: _Parameters, event: str, options: Any, *tensors: Any) -> Any:
        log_p, d = event_gradient(
            parameters.network(),
            event,
            input=parameters.law(),
            by_input=any(parameters.by_law),
            input_covariance=parameters.by_law[1],
            **options,
        )
        ctx.gradients = _gradients(d, parameters)
        return torch.tensor(log_p, dtype=torch.float64)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, f: Any) -> Any:
        return (None, None, None, *(None if g is None else f.to(g) * g for g in ctx.gradients))


def moments(model: Any, input: Input, covariance: bool, options: dict[str, Any]) -> Any:
    parameters = _Parameters(model, input)
    options = {**options, "covariance": covariance}
    return _Estimate.apply(parameters, options, *parameters.tensors)


def log_probability(model: Any, event: str, input: Input, options: dict[str, Any]) -> Any:
    parameters = _Parameters(model, input)
    return _LogProbability.apply(parameters, event, options, *parameters.tensors)

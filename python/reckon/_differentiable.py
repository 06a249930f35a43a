"""Numbers that know their derivatives by a model's parameters, in PyTorch or in JAX."""

from __future__ import annotations

import sys
from typing import Any

from ._law import Input
from ._library import ArgumentError


def _framework(model: Any) -> Any:
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(model, torch.nn.Module):
        from . import _torch

        return _torch
    if "jax" in sys.modules and isinstance(model, (list, tuple)):
        from . import _jax

        return _jax
    raise ArgumentError(
        f"{type(model).__name__}: neither a torch.nn.Module nor a list of (W, b) of JAX; `linearise` "
        "has the derivatives of any model, for NumPy"
    )


def mean(model: Any, *, input: Input = None, **options: Any) -> Any:
    """E[M(x)], (n_out,), differentiable: `reckon.mean(module)[3].backward()` fills `.grad`.

    model: a torch.nn.Module (the result is a float64 tensor), or a list of (W, b) of JAX, with
    `activation=`. input: None or (mean, covariance), tensors if derivatives by them are wanted.
    options: those of `linearise`; the default method is "covariance".
    """
    return _framework(model).moments(model, input, False, {"method": "covariance", **options})


def covariance(model: Any, *, input: Input = None, **options: Any) -> Any:
    """Cov[M(x)], (n_out, n_out), differentiable; as `mean`."""
    found = _framework(model).moments(model, input, True, {"method": "covariance", **options})
    return found[1] if isinstance(found, tuple) else found


def log_probability(model: Any, event: str, *, input: Input = None, **options: Any) -> Any:
    """log P(event), the natural logarithm, differentiable; options of `event_gradient`."""
    return _framework(model).log_probability(model, event, input, options)

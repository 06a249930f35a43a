"""Estimates as functions of arrays of JAX: a custom_vjp whose two ways are callbacks.

The model is a list of (W, b), W (out, in): of a tree, `[(p["kernel"].T, p["bias"]) for p in ...]`.
Results have the type of the first W; jax_enable_x64 makes it float64.
"""

from __future__ import annotations

from typing import Any, Sequence

import jax
import numpy as np
from jax import numpy as jnp

from ._gradient import Derivatives, event_gradient, linearise
from ._law import numbers


def _read(arguments: Any) -> tuple[Any, dict[str, Any]]:
    """The model and the law of the arguments, as `linearise` takes them."""
    (pairs, mean, covariance) = jax.tree_util.tree_map(numbers, arguments)
    law = None if mean is None and covariance is None else (mean, covariance)
    return list(pairs), {"input": law, "input_covariance": covariance is not None}


def _written(d: Derivatives, like: Any) -> Any:
    """Derivatives in the shapes of the arguments."""

    def fit(a: Any, x: Any) -> Any:
        if a is None or x is None:
            return None
        if a.shape != x.shape:  # one number for all, or the diagonal of a covariance
            a = a.diagonal() if a.ndim == 2 else a
            a = a.sum() if x.ndim == 0 else a
        return np.asarray(a, dtype=x.dtype)

    pairs, mean, covariance = like
    found = tuple(
        (fit(w, x[0]), fit(b, x[1])) for w, b, x in zip(d.weights, d.biases, pairs)
    )
    return found, fit(d.input_mean, mean), fit(d.input_covariance, covariance)


def _arguments(model: Sequence[Any], input: Any) -> Any:
    """Arrays of JAX: pairs (W, b or None), and the law's mean and covariance, or None."""
    pairs = tuple(tuple(e) if isinstance(e, (list, tuple)) else (e, None) for e in model)
    law: Any = (None, None) if input is None else (
        input if isinstance(input, tuple) else (input.mean, input.covariance))
    return jax.tree_util.tree_map(jnp.asarray, (pairs, *law))


def _differentiable(value: Any, back: Any, shape: tuple[int, ...], arguments: Any) -> Any:
    """value(arguments), whose derivatives back(arguments, f) writes; both on the host."""
    kind = arguments[0][0][0].dtype

    @jax.custom_vjp
    def function(x: Any) -> Any:
        result = jax.ShapeDtypeStruct(shape, kind)
        return jax.pure_callback(lambda x: np.asarray(value(x), dtype=kind), result, x)

    def backward(x: Any, f: Any) -> Any:
        result = jax.tree_util.tree_map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), x)
        return (jax.pure_callback(lambda x, f: _written(back(x, numbers(f)), x), result, x, f),)

    function.defvjp(lambda x: (function(x), x), backward)
    return function(arguments)


def moments(model: Any, input: Any, covariance: bool, options: dict[str, Any]) -> Any:
    options = {**options, "covariance": covariance}
    name = "covariance" if covariance else "mean"

    def run(x: Any) -> Any:
        layers, law = _read(x)
        return linearise(layers, **law, **options)

    def back(x: Any, f: Any) -> Derivatives:
        f_of: dict[str, Any] = {name: f}
        d: Derivatives = run(x).vjp(by_input=x[1] is not None or x[2] is not None, **f_of)
        return d

    arguments = _arguments(model, input)
    n = arguments[0][-1][0].shape[0]
    value = lambda x: getattr(run(x).answer, name)
    return _differentiable(value, back, (n, n) if covariance else (n,), arguments)


def log_probability(model: Any, event: str, input: Any, options: dict[str, Any]) -> Any:
    def run(x: Any) -> Any:
        layers, law = _read(x)
        return event_gradient(layers, event, by_input=law["input"] is not None, **law, **options)

    def back(x: Any, f: Any) -> Derivatives:
        d = run(x)[1]

        def times(a: Any) -> Any:
            return None if a is None else f * a

        return Derivatives(tuple(map(times, d.weights)), tuple(map(times, d.biases)),
                           times(d.input_mean), times(d.input_covariance))

    return _differentiable(lambda x: run(x)[0], back, (), _arguments(model, input))

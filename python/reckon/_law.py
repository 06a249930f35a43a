"""The law of the input: x ~ N(mean, covariance), or a mixture of such."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any, Optional, Sequence, Union

import numpy as np

from . import _abi
from ._library import ArgumentError


def numbers(x: Any) -> np.ndarray:
    """`x` as a float64 array in C order; nothing is copied that is one already.

    Takes whatever has `__array__` or `__dlpack__`, tensors that require gradients too.
    """
    if hasattr(x, "detach"):  # of torch: NumPy would refuse those on a tape, and bfloat16
        x = x.detach().cpu().double().numpy()
    elif not hasattr(x, "__array__") and hasattr(x, "__dlpack__"):
        x = np.from_dlpack(x)
    return np.asarray(x, dtype=np.float64, order="C")


@dataclass(frozen=True, eq=False)
class Gaussian:
    """x ~ N(mean, covariance), n_in inputs, in the network's own units.

    mean: (n_in,), or a number for all; None: 0.
    covariance: (n_in, n_in), a vector of variances, or one variance for all; None: 1.
    third_cumulant: (n_in, n_in, n_in), symmetric, for methods that take one; None: 0.
    """

    mean: Any = None
    covariance: Any = None
    third_cumulant: Any = None

    @staticmethod
    def from_data(data: Any, shrinkage: float = 0.0) -> Gaussian:
        """Mean and covariance of samples, (n_samples, n_in).

        shrinkage in [0, 1] moves the covariance towards the identity times its mean variance:
        with fewer samples than inputs it is singular otherwise.
        """
        x = numbers(data)
        x = x.reshape(len(x), -1)
        if len(x) < 2:
            raise ArgumentError("data: a covariance takes two samples at least, one a row")
        covariance = np.atleast_2d(np.cov(x, rowvar=False))
        if shrinkage:
            variance = np.trace(covariance) / len(covariance)
            covariance = (1 - shrinkage) * covariance + shrinkage * variance * np.eye(x.shape[1])
        return Gaussian(x.mean(axis=0), covariance)


@dataclass(frozen=True, eq=False)
class Mixture:
    """With probability weights[k], x is as components[k] says: a Gaussian, or (mean, covariance).

    For `estimate`, `explain`, `compare` and `tail`; derivatives and training take one Gaussian.
    """

    weights: Any
    components: Sequence[Any]

    @staticmethod
    def from_sklearn(fitted: Any) -> Mixture:
        """What a fitted sklearn.mixture.GaussianMixture says, whatever its covariance_type."""
        c = numbers(fitted.covariances_)
        tied = fitted.covariance_type == "tied"
        parts = [Gaussian(m, c if tied else c[k]) for k, m in enumerate(numbers(fitted.means_))]
        return Mixture(numbers(fitted.weights_), parts)


#: What may be said of the input: None is the standard normal, a pair (mean, covariance).
Input = Union[Gaussian, Mixture, "tuple[Any, Any]", None]


def _shaped(x: Any, n: int, degree: int, name: str) -> np.ndarray:
    a = numbers(x)
    if degree == 1 and a.ndim == 0:
        a = np.full(n, float(a))
    elif degree == 2 and a.ndim < 2:
        a = np.diag(np.broadcast_to(a, n)) if a.ndim == 0 or a.shape == (n,) else a
    if a.size != n**degree:
        wanted = " x ".join([str(n)] * degree)
        raise ArgumentError(f"input {name}: {a.shape} instead of {wanted}, of {n} inputs")
    return np.ascontiguousarray(a.reshape((n,) * degree))


def _mixture(given: Mixture, n_in: int) -> _abi.rk_input:
    weights = numbers(given.weights)
    parts = [law(part, n_in) or _abi.rk_input() for part in given.components]
    if weights.shape != (len(parts),):
        raise ArgumentError(f"mixture: weights {weights.shape} of {len(parts)} components")
    components = (_abi.rk_input * len(parts))(*parts)
    pointer = weights.ctypes.data_as(ctypes.POINTER(ctypes.c_double))
    mixture = _abi.rk_mixture(n=len(parts), weights=pointer, components=components)
    c = _abi.rk_input(mixture=ctypes.pointer(mixture))
    c.kept = [weights, parts, components, mixture]  # type: ignore[attr-defined]
    return c


def law(input: Input, n_in: int) -> Optional[_abi.rk_input]:
    """The rk_input, which keeps what it points to; None for the standard normal."""
    if input is None:
        return None
    if isinstance(input, Mixture):
        return _mixture(input, n_in)
    given = input if isinstance(input, Gaussian) else Gaussian(*input)
    c = _abi.rk_input()
    kept = []
    for degree, name in enumerate(("mean", "covariance", "third_cumulant"), start=1):
        value = getattr(given, name)
        if value is not None:
            kept.append(_shaped(value, n_in, degree, name))
            setattr(c, name, kept[-1].ctypes.data_as(ctypes.POINTER(ctypes.c_double)))
    c.kept = kept  # type: ignore[attr-defined]
    return c

"""Derivatives of what an estimate returns, by weights, biases and the input's law: reverse mode."""

from __future__ import annotations

import ctypes
import weakref
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from . import _abi
from ._answers import Answer, Estimate
from ._estimation import events_of
from ._law import Input, law, numbers
from ._library import ArgumentError, call, library
from ._models import Activations
from ._network import Network, as_network
from ._read import structure
from ._run import run_options

_doubles = ctypes.POINTER(ctypes.c_double)


@dataclass(frozen=True, eq=False)
class Derivatives(Answer):
    """df/dx for each x that f depends on, in the shapes of the network and its input."""

    weights: tuple[Optional[np.ndarray], ...]  #: one a layer, (rows, cols); None: it has none
    biases: tuple[np.ndarray, ...]  #: one a layer, (rows,), also of layers without
    input_mean: Optional[np.ndarray]  #: (n_in,)
    input_covariance: Optional[np.ndarray]  #: (n_in, n_in), if asked for

    def _to(self) -> _abi.rk_derivatives:
        """Where the library writes them; keeps what it points to."""
        to = _abi.rk_derivatives(size=ctypes.sizeof(_abi.rk_derivatives))
        for name, arrays in (("weight", self.weights), ("bias", self.biases)):
            setattr(to, name, (_doubles * len(arrays))(*map(_pointer, arrays)))
        to.input_mean = _pointer(self.input_mean)
        to.input_covariance = _pointer(self.input_covariance)
        return to


def _pointer(a: Optional[np.ndarray]) -> Any:
    return None if a is None else a.ctypes.data_as(_doubles)


def _room(network: Network, by_input: bool, by_covariance: bool) -> Derivatives:
    layers = [network.layer(i) for i in range(network.n_layers)]
    n = network.n_in
    return Derivatives(
        tuple(np.zeros((c.rows, c.cols)) if c.weight else None for c in layers),
        tuple(np.zeros(c.rows) for c in layers),
        np.zeros(n) if by_input else None,
        np.zeros((n, n)) if by_covariance else None,
    )


class Linearisation:
    """An estimate that has kept what the way back needs; `vjp` takes an f back, as often as wanted.

    `answer` is that of `estimate`, without a receipt.
    """

    answer: Estimate

    def __init__(
        self,
        model: Any,
        *,
        input: Input = None,
        activation: Activations = None,
        input_covariance: bool = False,
        **options: Any,
    ) -> None:
        self._network = as_network(model, activation)
        self._law = law(input, self._network.n_in)  # borrowed until the end
        self._by_covariance = input_covariance
        run = ctypes.POINTER(_abi.rk_linearisation)()
        call("rk_linearise", ctypes.byref(run), self._network._pointer, self._law,
             run_options(input_covariance=input_covariance, **options))
        self._run = run
        # the finalizer holds the network and the law until after the run
        weakref.finalize(self, _destroy, run, self._network, self._law)
        self.answer = structure(
            Estimate, library.rk_linearisation_view(run).contents.answer.contents
        )

    def vjp(
        self,
        *,
        mean: Any = None,
        variance: Any = None,
        covariance: Any = None,
        third_marginal: Any = None,
        fourth_marginal: Any = None,
        by_input: bool = True,
    ) -> Derivatives:
        """The derivatives of f from df/d(answer): each argument in the shape it has there.

        variance and covariance want `covariance=True` in the run, marginals `marginals=True`;
        df = sum_ij covariance_ij dC_ij. by_input=False leaves the input's law out, for closures
        that know the standard normal only.
        """
        f = _abi.rk_cotangents(size=ctypes.sizeof(_abi.rk_cotangents))
        given = dict(mean=mean, variance=variance, covariance=covariance,
                     third_marginal=third_marginal, fourth_marginal=fourth_marginal)
        n = self._network.n_out
        kept = []
        for name, value in given.items():
            if value is not None:
                kept.append(numbers(value))
                if kept[-1].size != (n * n if name == "covariance" else n):
                    raise ArgumentError(f"{name}: {kept[-1].shape}, of {n} outputs")
                setattr(f, name, _pointer(kept[-1]))
        room = _room(self._network, by_input, self._by_covariance)
        call("rk_vjp", self._run, ctypes.byref(f), ctypes.byref(room._to()))
        return room


def _destroy(run: Any, *kept: Any) -> None:
    library.rk_linearisation_destroy(run)


def linearise(model: Any, **options: Any) -> Linearisation:
    """Estimates with the options of `estimate`, and keeps the run for its derivatives.

    input_covariance=True: those by the input's covariance will be wanted, too.
    Methods with derivatives: "mean", "covariance", "gain", "third", "sample", and "auto" among the
    closures. The way back costs about twice the estimate.
    """
    return Linearisation(model, **options)


def event_gradient(
    model: Any,
    event: str,
    *,
    input: Input = None,
    activation: Activations = None,
    method: str = "normal",
    by_input: bool = True,
    input_covariance: bool = False,
    **options: Any,
) -> tuple[float, Derivatives]:
    """log P(event), the natural logarithm, and its derivatives, down to any smallness of P.

    method: "normal", "edgeworth" or "saddlepoint", whose formula it is that is differentiated.
    """
    network = as_network(model, activation)
    room = _room(network, by_input, input_covariance)
    log_p = ctypes.c_double()
    with events_of(network, event) as (events, count):
        if count != 1:
            raise ArgumentError(f"event: {count} events instead of one")
        call("rk_event_gradient", ctypes.byref(log_p), ctypes.byref(room._to()), network._pointer,
             law(input, network.n_in), events,
             run_options(tail=method, input_covariance=input_covariance, **options))
    return log_p.value, room

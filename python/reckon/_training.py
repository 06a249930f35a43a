"""Networks that change: students of a teacher, and events that become rarer."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import Any, Optional, Sequence

import numpy as np

from . import _abi
from ._answers import Answer, Probability
from ._estimation import events_of
from ._law import Input, law, numbers
from ._library import ArgumentError, library, made
from ._models import Activations
from ._network import Network, as_network
from ._read import several, structure, word
from ._run import Budget, Progress, parsed_budget, set_common, watched

STARTS, METHODS = ("pivots", "random"), ("mechanistic", "adam", "sgd")
SCHEDULES, FINISHES = ("linear", "cosine", "constant"), ("auto", "off", "on")
VIEWS, PHASES = ("both", "normal", "tilts"), ("start", "closure", "samples", "receipt")


def _enumerator(name: str, text: str, known: Sequence[str]) -> int:
    if text not in known:
        raise ArgumentError(f"{name}: {text!r} is none of {', '.join(known)}")
    return known.index(text)


@dataclass(frozen=True)
class TrainPoint(Answer):
    """A moment of a run; FLOPs and seconds are all so far."""

    phase: str = field(metadata=word(*PHASES))
    step: int
    loss: float
    flops: float
    seconds: float


@dataclass(frozen=True, eq=False, repr=False)
class Distilled(Answer):
    """A student, and how far it is from its teacher: losses are E|T(x) - S(x)|^2."""

    network: Network
    loss: float  #: by samples, without bias; NaN: there is no receipt
    loss_standard_error: float
    closure_loss: float  #: what was minimised
    teacher_square: float  #: E|T(x)|^2, what losses compare with
    receipt_samples: int
    closure_steps: int
    sample_steps: int
    flops: float
    seconds: float
    seed: int
    threads: int
    finished: bool  #: steps on samples followed those of the closure
    interrupted: bool
    unmet: bool
    curve: tuple[TrainPoint, ...] = field(metadata=several(TrainPoint, "n_curve"))
    warnings: tuple[str, ...] = field(metadata=several(str, "n_warnings"))


def distill(
    teacher: Any,
    hidden: Sequence[int] = (),
    *,
    student: Any = None,
    input: Input = None,
    activation: Activations = None,
    method: str = "mechanistic",
    start: str = "pivots",
    finish: str = "auto",
    schedule: str = "linear",
    budget: Budget = None,
    rate: Optional[float] = None,
    batch: Optional[int] = None,
    receipt: Optional[int] = None,
    seed: int = 0,
    threads: int = 0,
    memory: Optional[int] = None,
    progress: Progress = False,
) -> Distilled:
    """A smaller network that does what the teacher does for x ~ N(mean, covariance).

    hidden: widths of the student's hidden layers; or student: one to go on from.
    budget: "10s", "1e10flop", or both; None: until it gains no more.
    rate, batch, schedule: of method "adam" and "sgd", which learn from samples, for comparison.
    Ctrl-C ends it with the best student so far.
    """
    net = as_network(teacher, activation)
    begin = None if student is None else as_network(student)
    flops, seconds = parsed_budget(budget)
    widths = (ctypes.c_size_t * len(hidden))(*hidden)
    options = set_common(
        _abi.rk_distill_options_default(), hidden=widths, n_hidden=len(hidden),
        student=None if begin is None else begin._pointer, seed=seed, threads=threads,
        start=_enumerator("start", start, STARTS), method=_enumerator("method", method, METHODS),
        finish=_enumerator("finish", finish, FINISHES), rate=rate, batch=batch,
        schedule=_enumerator("schedule", schedule, SCHEDULES), receipt_samples=receipt,
        budget_flops=flops, budget_seconds=seconds, memory_limit=memory)
    with watched(options, progress):
        with made(_abi.rk_distilled, "rk_distill", "rk_distilled_destroy", net._pointer,
                  law(input, net.n_in), options) as made_of_it:
            data = library.rk_distilled_view(made_of_it).contents
            network = Network._of(library.rk_distilled_take(made_of_it))
            return structure(Distilled, data, network=network)


@dataclass(frozen=True, eq=False, repr=False)
class Trained(Answer):
    """A network for which an event is rarer. Losses are relative to E|T|^2, or to that of the data."""

    network: Network
    before: Probability
    after: Probability
    log10_factor: float  #: by how much it has fallen
    unchanged: bool  #: no passes say that it is rarer: the network is what it was
    closure_loss: float
    loss: float  #: the ordinary loss by samples that nothing was trained on
    loss_standard_error: float
    data_loss_before: float  #: means on the data; NaN: there are none
    data_loss_after: float
    flops: float
    seconds: float
    seed: int
    threads: int
    interrupted: bool
    unmet: bool
    warnings: tuple[str, ...] = field(metadata=several(str, "n_warnings"))


def _dataset(data: Optional[tuple[Any, Any]]) -> Optional[_abi.rk_dataset]:
    """(x, labels) with integers, or (x, values); keeps what it points to."""
    if data is None:
        return None
    x, y = numbers(data[0]), np.asarray(data[1])
    x = x.reshape(len(x), -1)
    if len(y) != len(x):
        raise ArgumentError(f"data: {len(x)} samples, but {len(y)} labels or values")
    c = _abi.rk_dataset(size=ctypes.sizeof(_abi.rk_dataset), n=len(x), n_in=x.shape[1])
    c.x = x.ctypes.data_as(ctypes.POINTER(ctypes.c_double))
    if y.dtype.kind in "iu":
        y = np.ascontiguousarray(y.reshape(-1), dtype=np.uintp)
        c.labels = y.ctypes.data_as(ctypes.POINTER(ctypes.c_size_t))
    else:
        y = numbers(y).reshape(len(x), -1)
        c.n_out, c.values = y.shape[1], y.ctypes.data_as(ctypes.POINTER(ctypes.c_double))
    c.kept = x, y  # type: ignore[attr-defined]
    return c


def train_event(
    model: Any,
    event: str,
    *,
    input: Input = None,
    activation: Activations = None,
    keep: Any = None,
    keep_loss: Optional[float] = None,
    data: Optional[tuple[Any, Any]] = None,
    target_factor: Optional[float] = None,
    view: str = "both",
    max_steps: Optional[int] = None,
    samples: Optional[int] = None,
    receipt: Optional[int] = None,
    seed: int = 0,
    threads: int = 0,
    memory: Optional[int] = None,
    progress: Progress = False,
) -> Trained:
    """A network that goes on doing what this one does, but for which the event is rarer.

    keep_loss: the most that E|S - T|^2 may become, of E|T|^2 (1e-3). keep: T, if it is another
    network. data: (x, labels) or (x, values) whose loss is what is kept instead. target_factor: be done when P has fallen by it; None: by as much as keep_loss pays for.
    samples: forward passes for each of the probabilities.
    """
    net = as_network(model, activation)
    other = None if keep is None else as_network(keep)
    kept = _dataset(data)
    options = set_common(
        _abi.rk_train_event_options_default(), keep=None if other is None else other._pointer,
        data=None if kept is None else ctypes.pointer(kept), keep_loss=keep_loss, target_factor=target_factor, max_steps=max_steps, samples=samples,
        view=_enumerator("view", view, VIEWS), receipt_samples=receipt, seed=seed,
        threads=threads, memory_limit=memory)
    with events_of(net, event) as (events, count), watched(options, progress):
        if count != 1:
            raise ArgumentError(f"event: {count} events instead of one")
        with made(_abi.rk_trained, "rk_train_event", "rk_trained_destroy", net._pointer,
                  law(input, net.n_in), events, options) as made_of_it:
            found = library.rk_trained_view(made_of_it).contents
            network = Network._of(library.rk_trained_take(made_of_it))
            before, after = (
                structure(Probability, p, event=event, threshold=events[0].threshold)
                for p in (found.before, found.after)
            )
            return structure(Trained, found, network=network, before=before, after=after)

"""Means, covariances and probabilities: the calls that most people make."""

from __future__ import annotations

import ctypes
from contextlib import contextmanager
from typing import Any, Iterator, Optional, Sequence, Union

import numpy as np

from . import _abi
from ._answers import (Candidate, Compared, Comparison, Cost, Estimate, Inspection, LayerInfo, Plan,
                       Probability, Tail, TailCost)
from ._law import Input, law
from ._library import ArgumentError, UnsupportedError, library, made
from ._models import Activations
from ._network import Layer, Network, as_network
from ._read import structure
from ._run import Budget, Progress, run_options, watched


def estimate(
    model: Any,
    *,
    input: Input = None,
    method: str = "auto",
    activation: Activations = None,
    covariance: bool = False,
    layers: bool = False,
    cumulants: int = 0,
    marginals: bool = False,
    tol: Optional[float] = None,
    budget: Budget = None,
    samples: Optional[int] = None,
    receipt: Optional[int] = None,
    seed: int = 0,
    threads: int = 0,
    memory: Optional[int] = None,
    progress: Progress = False,
) -> Estimate:
    """E[M(x)] for x ~ N(mean, covariance), with its error, from the weights.

    model: a path, a `Network`, a `torch.nn.Module`, a list of (W, b) with W (out, in), or a
        tree of named arrays.
    input: None (standard normal), `Gaussian(...)` or a pair (mean, covariance).
    method: "auto", "mean", "covariance", "gain", "third", "fourth", "sample", ... with arguments
        as in docs/METHODS.md.
    activation: of the hidden layers, where the model does not say.
    covariance, layers, cumulants, marginals: also the outputs' covariance; the means of hidden
        layers; joint cumulants up to degree 3 or 4; third and fourth cumulants of each output.
    tol: the error_rms to reach, in the outputs' units. budget: "2s", "1e10flop" or both.
    samples: forward passes of "sample". receipt: forward passes for an unbiased check; 0: none,
        not even by "auto"; None: by "auto" only.
    threads: 0 is one a processor. memory: the most bytes.
    progress: True for a bar by tqdm, or a function of the fraction done. Ctrl-C ends the run:
        what sampling has by then is the answer, `interrupted`; where there is none, `Interrupted`
        (a KeyboardInterrupt) is raised.

    >>> reckon.estimate([([[1, 2], [-2, 1]], None), ([[1, 1]], None)], activation="relu").mean
    array([1.78412412])
    """
    network = as_network(model, activation)
    options = run_options(method=method, tol=tol, budget=budget, samples=samples,
                          receipt=receipt, seed=seed, threads=threads, memory=memory,
                          covariance=covariance, layers=layers, cumulants=cumulants,
                          marginals=marginals)
    with watched(options, progress):
        with made(_abi.rk_answer, "rk_estimate", "rk_answer_destroy", network._pointer,
                  law(input, network.n_in), options) as answer:
            return structure(Estimate, library.rk_answer_view(answer).contents)


@contextmanager
def events_of(network: Network, event: Union[str, Sequence[str]]) -> Iterator[tuple[Any, int]]:
    """(rk_event *, count) of texts, until the end of the block."""
    text = event if isinstance(event, str) else ";".join(event)
    with made(_abi.rk_events, "rk_events_parse", "rk_events_destroy", network._pointer,
              text.encode()) as events:
        yield library.rk_events_list(events), library.rk_events_count(events)


def explain(model: Any, event: Union[str, Sequence[str], None] = None, *, input: Input = None,
            activation: Activations = None, **options: Any) -> Union[Plan, TailCost]:
    """What `estimate` with these options would cost, exactly, without doing it.

    With an event, what `tail` would cost: exactly, or at most, as `is_exact` says.
    """
    network = as_network(model, activation)
    given = network._pointer, law(input, network.n_in)
    if event is not None:
        run = run_options(tail=options.pop("method", "auto"), **options)
        with events_of(network, event) as events:
            with made(_abi.rk_tail_plan, "rk_tail_plan_create", "rk_tail_plan_destroy", *given,
                      *events, run) as plan:
                return structure(TailCost, library.rk_tail_plan_cost(plan))
    with made(_abi.rk_plan, "rk_plan_create", "rk_plan_destroy", *given,
              run_options(**options)) as plan:
        count = ctypes.c_size_t()
        seen = library.rk_plan_candidates(plan, ctypes.byref(count))
        return Plan(
            structure(Cost, library.rk_plan_cost(plan)),
            tuple(structure(Candidate, seen[i]) for i in range(count.value)),
        )


def tail(
    model: Any,
    event: Union[str, Sequence[str]],
    *,
    input: Input = None,
    method: str = "auto",
    activation: Activations = None,
    tol: Optional[float] = None,
    budget: Budget = None,
    samples: Optional[int] = None,
    seed: int = 0,
    threads: int = 0,
    memory: Optional[int] = None,
    progress: Progress = False,
) -> Tail:
    """P(event), however rare, for x ~ N(mean, covariance).

    event: "y[0] > 3", "y[0] - y[1] > 2", "y[*] > 3" (one an output), "y[0] > 1:4:0.5" (a curve),
        "layer 3: z[1] < -2"; several in a list.
    method: "auto", "normal", "edgeworth", "saddlepoint", "sample", "importance" or "subset".
    tol: the relative standard error to reach, of each event. The rest as in `estimate`.
    """
    network = as_network(model, activation)
    options = run_options(tail=method, tol=tol, budget=budget, samples=samples, seed=seed,
                          threads=threads, memory=memory)
    with events_of(network, event) as (events, count), watched(options, progress):
        with made(_abi.rk_tail_answer, "rk_tail", "rk_tail_destroy", network._pointer,
                  law(input, network.n_in), events, count, options) as answer:
            data = library.rk_tail_view(answer).contents
            return structure(Tail, data, events=tuple(
                structure(Probability, data.estimates[i], threshold=events[i].threshold,
                          event=(events[i].text or b"").decode())
                for i in range(count)))


def compare(
    model: Any,
    methods: Optional[Sequence[str]] = None,
    *,
    input: Input = None,
    activation: Activations = None,
    truth_samples: int = 100000,
    **options: Any,
) -> Comparison:
    """Methods beside each other: what error they state, what it truly is, what they cost.

    methods: texts as `estimate` takes them; None: all that apply, the slow "fourth" apart.
    truth_samples: forward passes that tell the true error of each, without bias.
    """
    network = as_network(model, activation)
    rows, skipped = [], {}
    for method in methods or ("mean", "covariance", "gain", "third", "sample"):
        try:
            e = estimate(network, input=input, method=method, receipt=truth_samples, **options)
        except (ArgumentError, UnsupportedError) as reason:
            skipped[method] = str(reason)
            continue
        receipt_seconds = sum(s.seconds for s in e.cost.steps if "receipt" in s.label)
        rows.append(Compared(method, e.stated_rms, e.receipt_rms, e.receipt_rms_standard_error,
                             e.cost.flops_executed - e.receipt_flops, e.seconds - receipt_seconds,
                             e))
    return Comparison(tuple(rows), skipped)


def inspect(model: Any, *, activation: Activations = None) -> Inspection:
    """What the library understands of a model: layers, shapes, what was inferred."""
    network = as_network(model, activation)
    layers = network.layers
    return Inspection(
        network.n_in,
        network.n_out,
        sum(a.size for layer in layers for a in layer[:2] if a is not None),
        network.sha256,
        tuple(network.notes.splitlines()),
        tuple(_info(network, i, layer) for i, layer in enumerate(layers)),
    )


def _info(network: Network, i: int, layer: Layer) -> LayerInfo:
    c = network.layer(i)
    square = np.nan if layer.weight is None else float(np.mean(layer.weight**2))
    return LayerInfo(c.rows, c.cols, layer.bias is not None, layer.activation, layer.reads or i + 1,
                     layer.adds, c.cols * square)

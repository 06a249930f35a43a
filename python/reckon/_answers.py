"""What comes back: frozen dataclasses of NumPy arrays that know their errors."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Optional

import numpy as np

from ._read import array, computed, floats, one, several, word


class Answer:
    """What all answers do: be a dictionary, a table in a notebook, a figure."""

    def to_dict(self) -> dict[str, Any]:
        """Of plain Python objects, as JSON has them: arrays as nested lists, NaN as None."""
        return {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self)}  # type: ignore[arg-type]

    def __repr__(self) -> str:
        from ._display import text

        return text(self)

    def __str__(self) -> str:
        return Answer.__repr__(self)

    def _repr_html_(self) -> str:
        from ._display import html

        return html(self)

    def plot(self, ax: Any = None, **style: Any) -> Any:
        """Draws it with matplotlib, into `ax` or a figure of its own; returns the axes."""
        from ._display import plot

        return plot(self, ax, **style)


def _plain(value: Any) -> Any:
    if isinstance(value, Answer):
        return value.to_dict()
    if hasattr(value, "sha256") and not isinstance(value, Answer):  # a Network
        return {"sha256": value.sha256}
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


@dataclass(frozen=True)
class Step(Answer):
    """One step of a run: what it is, its FLOPs as executed, its seconds (0: not run)."""

    label: str
    flops: int
    seconds: float


@dataclass(frozen=True)
class Cost(Answer):
    """What a run costs: FLOPs as executed, by the paper's convention (NaN: has none), bytes."""

    flops_executed: int
    flops_convention: float
    bytes: int
    steps: tuple[Step, ...] = field(metadata=several(Step, "n_steps"))


def _hidden(data: Any) -> tuple[np.ndarray, ...]:
    return tuple(floats(data.hidden_mean[i], data.hidden_width[i]) for i in range(data.n_hidden))


ERROR_KINDS = ("standard error", "estimated", "measured")
VERDICTS = (None, "agrees", "refutes")


@dataclass(frozen=True, eq=False, repr=False)
class Estimate(Answer):
    """The mean of the outputs, and what else was asked for, in the outputs' units."""

    mean: np.ndarray = field(metadata=array("n_out"))  #: (n_out,)
    #: (n_out,): of each mean; NaN where unknown
    error_per_output: np.ndarray = field(metadata=array("n_out"))
    variance: np.ndarray = field(metadata=array("n_out"))  #: (n_out,): of the outputs
    covariance: Optional[np.ndarray] = field(metadata=array("n_out", "n_out"))  #: (n_out, n_out), if asked for
    third_cumulant: Optional[np.ndarray] = field(metadata=array("n_out", "n_out", "n_out"))
    fourth_cumulant: Optional[np.ndarray] = field(metadata=array("n_out", "n_out", "n_out", "n_out"))
    third_marginal: Optional[np.ndarray] = field(metadata=array("n_out"))  #: kappa_iii of each output
    fourth_marginal: Optional[np.ndarray] = field(metadata=array("n_out"))  #: kappa_iiii
    hidden_means: tuple[np.ndarray, ...] = field(metadata=computed(_hidden))  #: of each hidden layer
    error_kind: str = field(metadata=word(*ERROR_KINDS))
    error_rms: float  #: over the outputs
    stated_rms: float  #: what it was before the receipt
    covariance_error_rms: float  #: over the entries
    expansion: float  #: the closures' small parameter: well below 1 is good
    receipt_flops: int
    receipt_samples: int  #: forward passes of the unbiased check; 0: none was made
    receipt_verdict: Optional[str] = field(metadata=word(*VERDICTS))
    receipt_rms: float  #: the error by the receipt, and its own error
    receipt_rms_standard_error: float
    method: str  #: with every word that matters: the method that ran
    reason: Optional[str]  #: why "auto" took it
    cost: Cost = field(metadata=one(Cost))
    seconds: float
    samples: int  #: forward passes behind the mean; 0: none
    seed: int
    threads: int
    interrupted: bool  #: partial
    unmet: bool  #: the tolerance or the budget: a warning says which
    warnings: tuple[str, ...] = field(metadata=several(str, "n_warnings"))

    @property
    def error(self) -> np.ndarray:
        """The error of each mean, (n_out,): a standard error, or a root mean square."""
        return self.error_per_output


@dataclass(frozen=True)
class Candidate(Answer):
    """A method as "auto" sees it."""

    method: str
    samples: int  #: forward passes; 0: none
    error_rms: float  #: expected; NaN: out of the question
    flops: float
    seconds: float
    bytes: int
    verdict: str  #: "chosen", or why not


@dataclass(frozen=True, eq=False, repr=False)
class Plan(Answer):
    """What an estimate would cost, exactly, and what it was chosen from."""

    cost: Cost
    candidates: tuple[Candidate, ...]

    @property
    def flops(self) -> int:
        return self.cost.flops_executed


@dataclass(frozen=True)
class Probability(Answer):
    """What is known of one event."""

    event: str
    threshold: float
    p: float  #: NaN where the method is not defined
    log10_p: float  #: down to any smallness
    cv: float  #: standard error of p over p; NaN: deterministic
    log10_low: float  #: 95 % interval
    log10_high: float
    log10_closure: float  #: what the cumulants alone say
    log10_unbiased: float  #: the unbiased check, where p itself is not
    cv_unbiased: float
    samples: int
    effective_samples: float
    method: str
    warning: str  #: "" if all is well


@dataclass(frozen=True)
class TailCost(Answer):
    """What events cost: FLOPs (at most, unless `is_exact`), bytes, passes an event."""

    flops: int
    is_exact: bool
    bytes: int
    samples: int
    steps: tuple[Step, ...] = field(metadata=several(Step, "n_steps"))


@dataclass(frozen=True, eq=False, repr=False)
class Tail(Answer):
    """Probabilities of events, in their order. `p`, `log10_p`, ... are arrays of them all."""

    events: tuple[Probability, ...]
    method: str
    flops_executed: int
    seconds: float
    samples: int
    seed: int
    threads: int
    interrupted: bool
    unmet: bool
    cost: TailCost = field(metadata=one(TailCost))
    warnings: tuple[str, ...] = field(metadata=several(str, "n_warnings"))

    @property
    def p(self) -> np.ndarray:
        """(n_events,)"""
        return np.array([e.p for e in self.events])

    @property
    def log10_p(self) -> np.ndarray:
        return np.array([e.log10_p for e in self.events])

    @property
    def error(self) -> np.ndarray:
        """The standard error of each p; NaN for deterministic methods."""
        return np.array([e.p * e.cv for e in self.events])

    @property
    def low(self) -> np.ndarray:
        """Lower ends of the 95 % intervals."""
        return 10.0 ** np.array([e.log10_low for e in self.events])

    @property
    def high(self) -> np.ndarray:
        return 10.0 ** np.array([e.log10_high for e in self.events])

    @property
    def thresholds(self) -> np.ndarray:
        return np.array([e.threshold for e in self.events])


@dataclass(frozen=True, eq=False)
class Compared(Answer):
    """One method beside the truth."""

    method: str
    error_rms: float  #: as it states it
    true_rms: float  #: by forward passes, without bias
    true_rms_standard_error: float
    flops: int  #: without those passes
    seconds: float
    estimate: Estimate


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Answer):
    """Methods beside each other on one network; `skipped` says which do not apply, and why."""

    methods: tuple[Compared, ...]
    skipped: dict[str, str]


@dataclass(frozen=True)
class LayerInfo(Answer):
    """What a layer is; `scale` is n_in Var(W), 1 for weights that keep variances."""

    outputs: int
    inputs: int
    bias: bool
    activation: str
    reads: int
    adds: int
    scale: float


@dataclass(frozen=True, eq=False, repr=False)
class Inspection(Answer):
    """What the library has understood of a model."""

    n_in: int
    n_out: int
    parameters: int
    sha256: str
    notes: tuple[str, ...]
    layers: tuple[LayerInfo, ...]

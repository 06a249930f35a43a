"""Answers for people: a table in a terminal or a notebook, a figure."""

from __future__ import annotations

from html import escape
from typing import Any, NamedTuple, Sequence

import numpy as np

from . import _answers as A
from ._training import Distilled

MOST_ROWS = 20


class Table(NamedTuple):
    title: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    below: str = ""
    warnings: tuple[str, ...] = ()


def _number(x: float) -> str:
    return "unknown" if np.isnan(x) else f"{x:.6g}"


def _error(x: float) -> str:
    return "± unknown" if np.isnan(x) else f"± {x:.2g}"


def _estimate(e: A.Estimate) -> Table:
    rows = [
        (f"y[{i}]", _number(m), _error(s), _number(v))
        for i, (m, s, v) in enumerate(zip(e.mean, e.error, e.variance))
    ]
    verdict = f", receipt {e.receipt_verdict}" if e.receipt_verdict else ""
    below = f"{e.method}: error {e.error_rms:.2g} rms ({e.error_kind}{verdict}); {_cost(e)}"
    return Table("E[M(x)]", ("output", "mean", e.error_kind, "variance"), rows, below, e.warnings)


def _cost(a: Any) -> str:
    flops = a.cost.flops_executed if isinstance(a, A.Estimate) else a.flops_executed
    return f"{flops:.3g} FLOPs, {a.seconds:.3g} s"


def _tail(t: A.Tail) -> Table:
    rows = [
        (e.event, _number(e.p), f"{10**e.log10_low:.3g} to {10**e.log10_high:.3g}", e.method)
        for e in t.events
    ]
    said = tuple(f"{e.event}: {e.warning}" for e in t.events if e.warning)
    head = ("event", "probability", "95 %", "method")
    return Table("Probabilities", head, rows, f"{t.method}; {_cost(t)}", t.warnings + said)


def _comparison(c: A.Comparison) -> Table:
    rows = [
        (m.method, _number(m.error_rms), _number(m.true_rms), _error(m.true_rms_standard_error),
         f"{m.flops:.3g}", f"{m.seconds:.3g}")
        for m in c.methods
    ]
    head = ("method", "stated error", "true error", "", "FLOPs", "seconds")
    return Table("Methods", head, rows, "", tuple(f"{m}: {why}" for m, why in c.skipped.items()))


def _fields(a: Any) -> Table:
    """Of answers that are a few numbers."""
    rows = [
        (name, _number(v) if isinstance(v, float) else str(v))
        for name, v in vars(a).items()
        if isinstance(v, (str, int, float))
    ]
    rows += [(name, f"p = {_number(v.p)} {_error(v.p * v.cv)}") for name, v in vars(a).items()
             if isinstance(v, A.Probability)]
    return Table(type(a).__name__, ("", ""), rows, "", getattr(a, "warnings", ()))


def _inspection(x: A.Inspection) -> Table:
    rows = [
        (str(i), f"{y.outputs} × {y.inputs}", "yes" if y.bias else "no", y.activation,
         _number(y.scale) if y.scale == y.scale else "")
        for i, y in enumerate(x.layers, start=1)
    ]
    below = f"{x.parameters} parameters, SHA-256 {x.sha256[:12]}…"
    head = ("layer", "shape", "bias", "activation", "n_in Var(W)")
    return Table(f"{x.n_in} inputs, {x.n_out} outputs", head, rows, below)


def _plan(p: A.Plan) -> Table:
    rows = [(s.label, f"{s.flops:.3g}") for s in p.cost.steps]
    below = f"{p.flops:.4g} FLOPs, {p.cost.bytes:.3g} bytes"
    return Table("Plan", ("step", "FLOPs"), rows, below)


TABLES: dict[type, Any] = {
    A.Estimate: _estimate,
    A.Tail: _tail,
    A.Comparison: _comparison,
    A.Inspection: _inspection,
    A.Plan: _plan,
}


def table(answer: Any) -> Table:
    t: Table = TABLES.get(type(answer), _fields)(answer)
    if len(t.rows) <= MOST_ROWS + 1:
        return t
    more = f"… and {len(t.rows) - MOST_ROWS} more"
    rest = (more, *[""] * (len(t.head) - 1))
    return t._replace(rows=[*t.rows[:MOST_ROWS], rest])


def text(answer: Any) -> str:
    t = table(answer)
    widths = [max(map(len, column)) for column in zip(t.head, *t.rows)]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip() for row in (t.head, *t.rows)]
    ends = [t.below] if t.below else []
    return "\n".join([t.title, *lines, *ends, *(f"warning: {w}" for w in t.warnings)])


def html(answer: Any) -> str:
    t = table(answer)

    def row(cells: tuple[str, ...], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(c)}</{tag}>" for c in cells) + "</tr>"

    parts = [f"<table><caption>{escape(t.title)}</caption><thead>{row(t.head, 'th')}</thead><tbody>"]
    parts += [row(r, "td") for r in t.rows]
    parts += ["</tbody></table>", f"<p>{escape(t.below)}</p>" if t.below else ""]
    parts += [f"<p><b>warning:</b> {escape(w)}</p>" for w in t.warnings]
    return "".join(parts)


def plot(answer: Any, ax: Any = None, **style: Any) -> Any:
    from matplotlib import pyplot

    if type(answer) not in PLOTS:
        raise TypeError(f"{type(answer).__name__}: there is nothing to draw")
    axes = ax if ax is not None else pyplot.subplots()[1]
    PLOTS[type(answer)](answer, axes, style)
    return axes


def _plot_estimate(e: A.Estimate, ax: Any, style: dict[str, Any]) -> None:
    ax.errorbar(range(len(e.mean)), e.mean, np.nan_to_num(e.error), **{"fmt": ".", **style})
    ax.set(xlabel="output", ylabel=f"mean ± {e.error_kind}")


def _plot_tail(t: A.Tail, ax: Any, style: dict[str, Any]) -> None:
    """A curve for each functional; thresholds are what its events differ by."""
    keys = [e.event.rpartition(" ")[0] for e in t.events]
    for key in dict.fromkeys(keys):
        i = [j for j, k in enumerate(keys) if k == key]
        (line,) = ax.plot(t.thresholds[i], t.p[i], **{"marker": ".", "label": f"{key} t", **style})
        ax.fill_between(t.thresholds[i], t.low[i], t.high[i], color=line.get_color(), alpha=0.2)
    ax.set(xlabel="threshold t", ylabel="probability", yscale="log")
    ax.legend()


def _plot_comparison(c: A.Comparison, ax: Any, style: dict[str, Any]) -> None:
    for m in c.methods:
        ax.errorbar(m.flops, m.true_rms, m.true_rms_standard_error, fmt="o", label=m.method, **style)
    ax.set(xlabel="FLOPs", ylabel="true error", xscale="log", yscale="log")
    ax.legend()


def _plot_distilled(d: Distilled, ax: Any, style: dict[str, Any]) -> None:
    ax.plot([p.flops for p in d.curve], [p.loss for p in d.curve], **style)
    ax.set(xlabel="FLOPs", ylabel="E|T - S|²", yscale="log")


PLOTS: dict[type, Any] = {
    A.Estimate: _plot_estimate,
    A.Tail: _plot_tail,
    A.Comparison: _plot_comparison,
    Distilled: _plot_distilled,
}

"""Numbers with a tape: tensors that know their derivatives by a module's parameters."""

from __future__ import annotations

from typing import Any

from ._law import Input


def mean(model: Any, *, input: Input = None, **options: Any) -> Any:
    """E[M(x)] as a tensor, (n_out,), float64: `reckon.mean(module)[3].backward()` fills `.grad`.

    model: a torch.nn.Module. input: None or (mean, covariance), tensors if derivatives by them are
    wanted. options: those of `linearise`; the default method is "covariance".
    """
    from ._torch import moments

    return moments(model, input, False, {"method": "covariance", **options})


def covariance(model: Any, *, input: Input = None, **options: Any) -> Any:
    """Cov[M(x)] as a tensor, (n_out, n_out), float64; as `mean`."""
    from ._torch import moments

    return moments(model, input, True, {"method": "covariance", **options})[1]


def log_probability(model: Any, event: str, *, input: Input = None, **options: Any) -> Any:
    """log P(event), the natural logarithm, as a tensor; as `event_gradient`."""
    from ._torch import log_probability as of_module

    return of_module(model, event, input, options)

"""What a run is told, and how it is watched: options, budgets, progress and Ctrl-C."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import threading
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Callable, Iterator, Optional, Union

from . import _abi
from ._library import ArgumentError, call

#: False, True (a tqdm bar, if tqdm is there), or a function of the fraction done; returning False
#: interrupts the run.
Progress = Union[bool, Callable[[float], Optional[bool]]]
#: "2s", "1e10flop", or both with a comma.
Budget = Optional[str]


def parsed_budget(budget: Budget) -> tuple[float, float]:
    """FLOPs and seconds, 0 for any."""
    flops = seconds = 0.0
    for part in budget.split(",") if budget is not None else []:
        match = re.fullmatch(r"\s*([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*(s|flops?)\s*", part)
        if not match or not float(match[1]) > 0:
            raise ArgumentError(f'budget: {part!r} is neither seconds, "2s", nor work, "1e10flop"')
        if match[2] == "s":
            seconds = float(match[1])
        else:
            flops = float(match[1])
    return flops, seconds


@lru_cache(maxsize=1)
def _context(process: int) -> Any:
    """What all runs of a process share: threads, memory, what is known of the machine. A child made
    by fork has no threads of its parent's, so it gets one of its own."""
    context = ctypes.POINTER(_abi.rk_context)()
    call("rk_context_create", ctypes.byref(context), None)
    return context


def set_common(options: Any, **values: Any) -> Any:
    """Fills a structure of options, of estimates or of training. None leaves the default."""
    for name, value in values.items():
        if value is not None:
            try:
                setattr(options, name, value)
            except TypeError as reason:
                raise ArgumentError(f"{name}: {reason}") from None
            if isinstance(value, int) and getattr(options, name) != value:
                raise ArgumentError(f"{name}: {value} is out of range")
    options.context = _context(os.getpid())
    return options


def run_options(
    *,
    method: str = "auto",
    tail: Optional[str] = None,
    tol: Optional[float] = None,
    budget: Budget = None,
    receipt: Optional[int] = None,
    memory: Optional[int] = None,
    **values: Any,
) -> Any:
    """rk_options as the keywords of `estimate` and `tail` say."""
    options = _abi.rk_options_default()
    spec = _abi.rk_method_spec(size=ctypes.sizeof(_abi.rk_method_spec))
    call("rk_method_parse", method.encode(), ctypes.byref(spec))
    options.method = ctypes.pointer(spec)
    if tail is not None:
        tail_spec = _abi.rk_tail_spec(size=ctypes.sizeof(_abi.rk_tail_spec))
        call("rk_tail_method_parse", tail.encode(), ctypes.byref(tail_spec))
        options.tail = ctypes.pointer(tail_spec)
    flops, seconds = parsed_budget(budget)
    samples_of_receipt = _abi.RK_NO_RECEIPT if receipt == 0 else receipt
    return set_common(options, tolerance=tol, budget_flops=flops, budget_seconds=seconds,
                      receipt_samples=samples_of_receipt, memory_limit=memory, **values)


class _Watch:
    """Stops a run when Ctrl-C was pressed, and tells how far it is."""

    def __init__(self, tell: Optional[Callable[[float], Optional[bool]]]) -> None:
        self.tell = tell
        self.stopped = False
        self.failure: Optional[BaseException] = None

    def __call__(self, fraction: float) -> bool:
        try:
            if self.tell is not None and self.tell(fraction) is False:
                self.stopped = True
        except BaseException as failure:  # C cannot pass it on: `watched` does, after the run
            self.failure = failure
        return not self.stopped and self.failure is None


@contextmanager
def _bar(progress: Progress) -> Iterator[Optional[Callable[[float], Optional[bool]]]]:
    if progress is not True:
        yield progress or None
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        yield None
        return
    with tqdm(total=1.0, bar_format="{l_bar}{bar}| {elapsed}<{remaining}") as bar:

        def tell(fraction: float) -> None:
            bar.update(max(fraction - bar.n, 0.0))

        yield tell


@contextmanager
def watched(options: Any, progress: Progress) -> Iterator[None]:
    """Within, a run with these options can be interrupted: Ctrl-C makes its answer a partial one.

    Signals reach the main thread only; elsewhere a progress function can stop the run.
    """
    with _bar(progress) as tell:
        watch = _Watch(tell)
        kind = dict(type(options)._fields_)["progress"]
        if kind is _abi.rk_train_progress:
            options.progress = kind(lambda _, point, fraction: watch(fraction))
        else:
            options.progress = kind(lambda _, fraction: watch(fraction))
        before = None
        if threading.current_thread() is threading.main_thread():

            def stop(number: int, frame: Any) -> None:
                watch.stopped = True

            before = signal.getsignal(signal.SIGINT)
            if before is signal.default_int_handler:  # else somebody has plans of their own
                signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            if before is signal.default_int_handler:
                signal.signal(signal.SIGINT, before)
            if watch.failure is not None:
                raise watch.failure

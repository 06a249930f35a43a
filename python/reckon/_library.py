"""libreckon itself: found, declared, and called with errors as exceptions."""

from __future__ import annotations

import ctypes
import os
from typing import Any, Iterator, Optional
from contextlib import contextmanager

from . import _abi


class ReckonError(Exception):
    """What the library refused or could not do; the message names the place and the way out.

    What is raised is also one of Python's own: ValueError, MemoryError, OSError, ...
    """

    status: str  #: the name of its rk_status, such as "RK_ERROR_ARGUMENT"
    offset: Optional[int]  #: where in the file, in bytes


class Interrupted(ReckonError, KeyboardInterrupt):
    """Ctrl-C, or a progress function that said so, before there was anything to answer."""


class ArgumentError(ReckonError, ValueError):
    """What was asked for makes no sense for this network."""


class FormatError(ReckonError, ValueError):
    """The model is not one that reckon can read."""


class UnsupportedError(ReckonError, NotImplementedError):
    """The method, or reckon, does not do this."""


class OutOfMemory(ReckonError, MemoryError):
    """There is no memory for it, or more is needed than the limit allows."""


class FileError(ReckonError, OSError):
    """The file could not be read or written."""


class NumericError(ReckonError, ArithmeticError):
    """No number comes out."""


class OutOfReach(ReckonError, RuntimeError):
    """No method is expected to meet the tolerance; a budget besides says to try."""


ERRORS = {
    "RK_ERROR_ARGUMENT": ArgumentError,
    "RK_ERROR_MEMORY": OutOfMemory,
    "RK_ERROR_IO": FileError,
    "RK_ERROR_FORMAT": FormatError,
    "RK_ERROR_UNSUPPORTED": UnsupportedError,
    "RK_ERROR_NUMERIC": NumericError,
    "RK_ERROR_TOO_LARGE": OutOfMemory,
    "RK_ERROR_INTERRUPTED": Interrupted,
    "RK_ERROR_OUT_OF_REACH": OutOfReach,
}
STATUS_NAMES = {getattr(_abi, name): name for name in ERRORS}


def _load() -> ctypes.CDLL:
    inside = os.path.join(os.path.dirname(os.path.abspath(__file__)), _abi.SONAME)
    library = ctypes.CDLL(inside if os.path.exists(inside) else _abi.SONAME)
    for name, (result, arguments) in _abi.FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


library = _load()
version: str = library.rk_version().decode()


def call(name: str, *arguments: Any) -> None:
    """Calls a function that returns an rk_status and takes an rk_error last."""
    error = _abi.rk_error()
    status = getattr(library, name)(*arguments, ctypes.byref(error))
    if status != _abi.RK_OK:
        code = STATUS_NAMES.get(status, "")
        exception = ERRORS.get(code, ReckonError)(error.message.decode(errors="replace"))
        exception.status = code
        exception.offset = error.offset if error.offset >= 0 else None
        raise exception


@contextmanager
def made(kind: Any, create: str, destroy: str, *arguments: Any) -> Iterator[Any]:
    """What `create` makes of the arguments, a pointer to `kind`, until the end of the block."""
    out = ctypes.POINTER(kind)()
    call(create, ctypes.byref(out), *arguments)
    try:
        yield out
    finally:
        getattr(library, destroy)(out)


def build_info() -> dict[str, str]:
    """What is at work here: library, compiler, BLAS and its threads, processor, memory."""
    text = ctypes.create_string_buffer(4096)
    library.rk_build_info(text, len(text))
    lines = text.value.decode(errors="replace").splitlines()
    return {key: value for key, _, value in (line.partition(" ") for line in lines)}

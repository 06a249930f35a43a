"""From the structures of the C library to dataclasses: fields of the same name, arrays copied.

A field says in its metadata what a pointer points to, where the type alone does not tell.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, Type, TypeVar

import numpy as np

T = TypeVar("T")


def floats(pointer: Any, *shape: int) -> np.ndarray:
    """A copy of the doubles there, in C order."""
    if 0 in shape:
        return np.empty(shape)
    return np.ctypeslib.as_array(pointer, shape).copy()


def _field(read: Callable[[Any, Any], Any]) -> Any:
    return dataclasses.field(metadata={"read": read})


def array(*shape: str) -> Any:
    """Doubles in the shape that these fields of the structure tell; None for NULL."""

    def read(data: Any, pointer: Any) -> Any:
        return floats(pointer, *(getattr(data, n) for n in shape)) if pointer else None

    return _field(read)


def several(kind: Any, count: str) -> Any:
    """`count` structures one after another, as a tuple of dataclasses; or of texts, for `str`."""

    def read(data: Any, pointer: Any) -> Any:
        each = (lambda x: x.decode()) if kind is str else (lambda x: structure(kind, x))
        return tuple(each(pointer[i]) for i in range(getattr(data, count)))

    return _field(read)


def one(kind: Any) -> Any:
    return _field(lambda data, value: structure(kind, value))


def word(*words: Any) -> Any:
    """An enumerator as one of these words."""
    return _field(lambda data, value: words[value])


def computed(read: Callable[[Any], Any]) -> Any:
    """What is not there as one field."""
    return _field(lambda data, value: read(data))


def structure(kind: Type[T], data: Any, **known: Any) -> T:
    """A `kind` of the fields of `data`; those that it has not are `known`."""
    values = dict(known)
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.name in known:
            continue
        value = getattr(data, field.name, None)
        if "read" in field.metadata:
            value = field.metadata["read"](data, value)
        elif isinstance(value, bytes):
            value = value.decode()
        values[field.name] = value
    return kind(**values)

"""From the structures of the C library to dataclasses: fields of the same name, arrays copied.

A field says in its metadata what a pointer points to, where the name alone does not tell:
`mean: np.ndarray = field(metadata=array("n_out"))`.
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
    return np.array(np.ctypeslib.as_array(pointer, shape))


Metadata = dict[str, Callable[[Any, Any], Any]]


def array(*shape: str) -> Metadata:
    """Doubles in the shape that these fields of the structure tell; None for NULL."""

    def read(data: Any, pointer: Any) -> Any:
        return floats(pointer, *(getattr(data, n) for n in shape)) if pointer else None

    return {"read": read}


def several(kind: Any, count: str) -> Metadata:
    """`count` structures one after another, as a tuple of dataclasses; or of texts, for `str`."""

    def read(data: Any, pointer: Any) -> Any:
        entries = (pointer[i] for i in range(getattr(data, count)))
        return tuple(x.decode() if kind is str else structure(kind, x) for x in entries)

    return {"read": read}


def one(kind: Any) -> Metadata:
    return {"read": lambda data, value: structure(kind, value)}


def word(*words: Any) -> Metadata:
    """An enumerator as one of these words."""
    return {"read": lambda data, value: words[value]}


def computed(read: Callable[[Any], Any]) -> Metadata:
    """What is not there as one field."""
    return {"read": lambda data, value: read(data)}


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

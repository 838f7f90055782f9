"""Detectron2's model-zoo files (``.pkl``): pickles read as data, so that none can run code.

A pickle is a program that may name any function of any library. Here it may name those by which NumPy writes arrays,
and gets stand-ins for them that only note type, shape and bytes, from which NumPy's ``frombuffer`` makes the array.
Dictionaries, lists, tuples, texts, bytes and numbers need no names. Everything else ends the reading.
"""

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtumor.errors import ModelError

_NUMBER = re.compile(r"[<>|=]?[fiub][1248]")


class _Refused(pickle.UnpicklingError):
    """A name that no file of weights needs, or an array that is none."""


class _DataType:
    """Stands in for ``numpy.dtype``: a number of 1 to 8 bytes, and its order of bytes."""

    def __init__(self, code: Any, *_: Any) -> None:
        if not isinstance(code, str) or not _NUMBER.fullmatch(code):
            raise _Refused(f"an array of {code!r:.20}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        if order not in ("<", ">", "|", "="):
            raise _Refused(f"a byte order {order!r:.20}")
        self.dtype = self.dtype.newbyteorder(order)


class _Array:
    """Stands in for an array: ``numpy.core.multiarray._reconstruct`` makes an empty one, its state fills it."""

    def __init__(self, *_: Any) -> None:
        self.values: NDArray[Any] | None = None

    def __setstate__(self, state: Any) -> None:
        if not (isinstance(state, tuple) and len(state) == 5 and isinstance(state[2], _DataType)):
            raise _Refused("an array in a form that NumPy does not write")
        _, shape, kind, by_columns, content = state
        data = content.encode("latin1") if isinstance(content, str) else content  # Python 2 wrote bytes as text
        values = np.frombuffer(data, dtype=kind.dtype)
        self.values = values.reshape(shape, order="F" if by_columns else "C").astype(kind.dtype.newbyteorder("="))


def _of_buffer(content: Any, kind: Any, shape: Any, order: Any) -> _Array:
    """Stands in for ``numpy.core.numeric._frombuffer``, by which protocol 5 writes arrays."""
    array = _Array()
    array.__setstate__((1, shape, kind, order == "F", content))
    return array


def _scalar(kind: Any, content: Any) -> Any:
    """Stands in for ``numpy.core.multiarray.scalar``."""
    data = content.encode("latin1") if isinstance(content, str) else content
    if not isinstance(kind, _DataType):
        raise _Refused("a number in a form that NumPy does not write")
    return np.frombuffer(data, dtype=kind.dtype, count=1)[0].item()


def _no_bytes() -> bytes:
    """Stands in for ``bytes``, which old protocols call for an empty array."""
    return b""


def _latin1(text: Any, encoding: Any = "latin1") -> bytes:
    """Stands in for ``_codecs.encode``, by which old protocols write bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise _Refused("bytes in a form that pickle does not write")
    return text.encode("latin1")


_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy", "dtype"): _DataType,
    ("numpy", "ndarray"): _Array,
    ("_codecs", "encode"): _latin1,
    ("__builtin__", "bytes"): _no_bytes,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _of_buffer for core in ("core", "_core")},
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        stand_in = _KNOWN.get((module, name))
        if stand_in is None:
            raise _Refused(f"it names {module}.{name}"[:100])
        # A new one each time, as a pickle may set attributes of what it has named.
        return lambda *arguments: stand_in(*arguments)


def read_pickle(path: Path) -> dict[str, Any]:
    """Read a pickle of dictionaries, lists, numbers, texts and NumPy arrays.

    Returns:
        dict: what the file holds, arrays as ``numpy.ndarray`` of their own memory.

    Raises:
        ModelError: the file is damaged, holds anything else, or holds no dictionary.
    """
    try:
        with path.open("rb") as file:
            content = _Unpickler(file, encoding="latin1").load()
    except _Refused as refusal:
        raise ModelError(
            f"a pickle of more than weights, which is not read: {refusal}",
            where=path,
            expected="dictionaries, lists, numbers, texts and NumPy arrays, as Detectron2's model zoo has them",
            remedy="Save its weights as a state dict with torch.save, where they came from",
        ) from refusal
    except Exception as error:  # a damaged pickle may raise whatever the next byte says
        raise ModelError(
            "not a readable pickle", where=path, got=f"{type(error).__name__}", remedy="Copy the file again"
        ) from error
    if not isinstance(content, dict):
        raise ModelError("holds no weights", where=path, got=type(content).__name__, expected="a dictionary")
    return {name: _plain(value) for name, value in content.items()}


def _plain(value: Any) -> Any:
    """The arrays of a dictionary, one level deep, in place of what describes them."""
    if isinstance(value, dict):
        return {name: value.values if isinstance(value, _Array) else value for name, value in value.items()}
    return value.values if isinstance(value, _Array) else value

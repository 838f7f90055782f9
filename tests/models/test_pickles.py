"""Pickles of the model zoo are read as data: arrays arrive unchanged, and no payload runs."""

import os
import pickle
import struct

import numpy as np
import pytest

from segtumor.errors import ModelError
from segtumor.models.pickles import read_pickle

pytestmark = pytest.mark.model

ARRAYS = {
    "weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "half": np.array([1.5, -65504], dtype=np.float16),
    "columns first": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big endian": np.array([1.25, -3], dtype=">f4"),
    "whole": np.array([[1], [-2]], dtype=np.int64),
    "flags": np.array([True, False]),
    "nothing": np.zeros((0, 4), dtype=np.float32),
    "single": np.array(2.5),
}


def written(content, path, protocol=4):
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_arrive_with_their_values_whatever_wrote_them(tmp_path, protocol):
    content = {
        "model": {**ARRAYS, "count": np.int64(7), "name": "ü", "none": None},
        "__author__": "zoo",
        "list": [1, 2],
    }
    read = read_pickle(written(content, tmp_path / "model.pkl", protocol))
    for name, expected in ARRAYS.items():
        assert read["model"][name].shape == expected.shape and np.array_equal(read["model"][name], expected)
        assert read["model"][name].dtype == expected.dtype.newbyteorder("=")
        assert read["model"][name].flags.writeable
    assert (read["model"]["count"], read["model"]["name"], read["model"]["none"]) == (7, "ü", None)
    assert read["__author__"] == "zoo" and read["list"] == [1, 2]


class Calls:
    """Unpickling it calls ``function``: what a hostile file could do."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "payload",
    [
        lambda trace: Calls(os.system, f"touch {trace}"),
        lambda trace: Calls(eval, f"open({str(trace)!r}, 'w')"),
        lambda trace: Calls(open, str(trace), "w"),
        lambda trace: Calls(getattr, Calls(__import__, "os"), "system"),
        lambda trace: Calls(np.save, str(trace), np.zeros(1)),
        lambda trace: Calls(np.dtype, "O"),
        lambda trace: Calls(type, "X", (), {}),
        lambda trace: np.array([Calls(os.system, f"touch {trace}")], dtype=object),
        lambda trace: frozenset.__class__,
    ],
    ids=["system", "eval", "open", "getattr", "numpy function", "objects", "type", "array of objects", "a class"],
)
def test_what_is_no_data_is_refused_and_does_not_run(tmp_path, payload, protocol):
    trace = tmp_path / "ran"
    path = written({"model": {"weight": payload(trace)}}, tmp_path / "hostile.pkl", protocol)
    with pytest.raises(ModelError, match="hostile"):
        read_pickle(path)
    assert not trace.exists() and not trace.with_suffix(".npy").exists()


def named(module, name):
    return f"c{module}\n{name}\n".encode()


#: Programs that no pickler writes. "c" names, "(" marks, "t" makes a tuple, "R" calls, "b" sets the state, "." ends.
PROGRAMS = {
    "a persistent name": b"Pfile\n.",
    "a name through a module": named("segtumor.models.pickles", "os.system") + b"(Vtrue\ntR.",
    "a dotted name": b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
    "a registered extension": b"\x82\x01.",
    "attributes of what was named": named("_codecs", "encode") + b"(dVx\nI1\nsb.",
    "the reader itself": named("segtumor.models.pickles", "_KNOWN") + b".",
    "the type of an array as a class": named("numpy", "ndarray") + b")\x81.",
    "an array's state of another kind": named("numpy", "ndarray") + b"(tR(dVx\nI1\nsb.",
    "an array larger than its bytes": named("numpy", "ndarray")
    + b"(tR(I1\n(I9999999\nI9999999\nt"
    + named("numpy", "dtype")
    + b"(Vf4\ntRI00\nVabcd\ntb.",
    "bytes that are not there": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"abc.",
    "a codec that unpacks": named("_codecs", "encode") + b"(Vx\nVzlib_codec\ntR.",
    "nothing": b"",
    "no dictionary": b"I1\n.",
    "an endless list of marks": b"(" * 1000,
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_that_no_pickler_writes_end_in_a_message(tmp_path, program):
    path = tmp_path / "odd.pkl"
    path.write_bytes(PROGRAMS[program])
    with pytest.raises(ModelError, match=r"odd\.pkl"):
        read_pickle(path)


def test_a_pickle_cannot_change_the_reader(tmp_path):
    path = tmp_path / "odd.pkl"
    # The state (None, {"__defaults__": (1,)}) sets an attribute of the function that was named.
    path.write_bytes(named("_codecs", "encode") + b"(N(V__defaults__\n(I1\ntdtb0(d.")
    assert read_pickle(path) == {}
    from segtumor.models import pickles

    assert pickles._latin1.__defaults__ == ("latin1",)


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path, keep):
    path = written({"model": ARRAYS}, tmp_path / "cut.pkl")
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(ModelError, match=r"cut\.pkl: not a readable pickle"):
        read_pickle(path)


def test_damage_anywhere_is_a_message_or_other_data(tmp_path):
    data = bytearray(pickle.dumps({"model": {"weight": np.arange(4, dtype=np.float32)}}))
    path = tmp_path / "damaged.pkl"
    for position in range(len(data)):
        for value in (0, 0x80, data[position] ^ 1, ord("R"), ord("b")):
            path.write_bytes(data[:position] + bytes([value]) + data[position + 1 :])
            try:
                assert isinstance(read_pickle(path), dict)
            except ModelError as error:
                assert "damaged.pkl" in str(error)

"""How libraries say that memory ran out or a process is lost, and what is no such thing."""

import errno

import pytest

from segtumor.errors import BadImageError, ConfigError, ModelError, OutputError
from segtumor.system.resource_errors import resource_error_of

ALLOCATOR = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to"
KILLED = "DataLoader worker (pid 4711) is killed by signal: Killed. "
BUS = "DataLoader worker (pid 4711) is killed by signal: Bus error. It is possible that dataloader's workers are out of"


def meanwhile(error, other):
    error.__context__ = other
    return error


def caused(error, *causes):
    """``error``, raised from the first of ``causes``, which was raised from the second, ..."""
    last = error
    for cause in causes:
        last.__cause__ = cause
        last = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError(ALLOCATOR),
        RuntimeError("std::bad_alloc"),
        RuntimeError("could not create a primitive"),
        RuntimeError("can't start new thread"),
        type("OutOfMemoryError", (RuntimeError,), {})("CUDA"),
        type("Fail", (Exception,), {})("[ONNXRuntimeError] : 1 : FAIL : bad allocation"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        caused(OutputError("cannot write: x"), OSError("x"), RuntimeError(ALLOCATOR)),
        caused(ModelError("not a usable file"), RuntimeError("Failed to allocate 12 bytes of memory")),
        BadImageError("damaged", got="MemoryError: "),
        BadImageError("a.dcm: damaged (got MemoryError)"),  # of a worker process, as its text
    ],
)
def test_memory(error):
    found = resource_error_of(error)
    assert found.exit_code == 4 and found.what == "out of memory" and "smaller batch" in found.remedy


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (RuntimeError(KILLED), "0 reads in the training process"),
        (RuntimeError("DataLoader worker (pid(s) 1, 2) exited unexpectedly"), "0 reads in the training process"),
        (RuntimeError(BUS), "shm-size"),
        (caused(OSError("unexpected pos"), meanwhile(RuntimeError("unexpected pos"), RuntimeError(KILLED))), "0 reads"),
        (caused(OutputError("model_last.pth: cannot write"), OSError(KILLED), RuntimeError(KILLED)), "0 reads"),
    ],
)
def test_a_lost_process_wherever_it_is_noticed(error, remedy):
    found = resource_error_of(error)
    assert found.exit_code == 4 and "a process that reads images was killed" in str(found) and remedy in found.remedy


@pytest.mark.parametrize(
    "error",
    [
        ConfigError("no such file", where="out of memory/config.yaml"),
        caused(ConfigError("out of memory"), KeyError("x")),
        RuntimeError("shape mismatch"),
        OSError(errno.ENOSPC, "No space left on device"),
        ImportError("libgomp.so: cannot allocate memory in static TLS block"),
        KeyError("DataLoader worker (pid 1) is killed by signal"),
    ],
)
def test_anything_else(error):
    assert resource_error_of(error) is None


def test_errors_that_were_raised_from_each_other_come_to_an_end():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert resource_error_of(first) is None

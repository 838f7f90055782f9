"""GDCM in a process of its own.

GDCM 3.2 called abort() on 186 of 7,035 damaged lossless JPEG and JPEG-LS frames, which would take training with it. The
checks of ``codestreams`` refuse 181 of these first, not all. The process starts in about 0.1 s, since it imports GDCM
alone; it gets limited memory and processor time, and its messages go nowhere. Left out: keeping it for the next frame.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np

from segtumor.errors import BadImageError, InstallationError

_DAMAGED = b"Corrupt JPEG data"  # libjpeg's warning, behind which GDCM returns samples all the same
_WORKER = Path(__file__).with_name("gdcm_worker.py")
_LIMIT_BYTES, _LIMIT_BYTES_PER_SAMPLE = 512_000_000, 16
_IMPORTED = b"+"  # what the worker writes first
_PROCESSOR_S, _MEGAPIXELS_PER_S, _WALL_S = 3, 1, 60


def gdcm_samples(data, syntax, layout, precision, path):
    """(H, W) unsigned samples of one gray frame; as ``decoders.decode``, of whose errors it raises the first two."""
    spec = importlib.util.find_spec("gdcm")
    if spec is None or spec.origin is None:
        raise InstallationError(
            "reading lossless JPEG or JPEG-LS in DICOM needs python-gdcm", remedy="Type: pip install python-gdcm"
        )
    pixels = layout.rows * layout.columns
    seconds = _PROCESSOR_S + pixels // (_MEGAPIXELS_PER_S * 1_000_000)
    numbers = (layout.rows, layout.columns, precision, seconds, _LIMIT_BYTES + _LIMIT_BYTES_PER_SAMPLE * pixels)
    folder = Path(spec.origin).parents[0 if spec.submodule_search_locations is None else 1]
    output = _run([folder, syntax.uid, *numbers], data, _WALL_S + seconds)
    dtype = np.dtype("u1" if precision <= 8 else "<u2")
    if len(output) < pixels * dtype.itemsize:
        raise BadImageError(
            f"damaged {syntax.codec} data in a DICOM file", where=path, remedy="Copy or export the file again"
        )
    return np.frombuffer(output, dtype=dtype, count=pixels).reshape(layout.size_hw)


def _run(arguments, data, timeout_s):
    """What the worker decoded, bytes; none if it failed, was killed or took too long."""
    command = [sys.executable, "-I", "-S", str(_WORKER), *map(str, arguments)]
    try:
        result = subprocess.run(command, input=data, capture_output=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired as error:
        output, ended = error.stdout or b"", False
    except OSError as error:  # no memory for a process, or no more of them allowed
        raise _unusable(error) from error
    else:
        output, ended = result.stdout, result.returncode == 0 and _DAMAGED not in result.stderr
    if not output.startswith(_IMPORTED):
        raise _unusable(output[1:].decode("utf-8", "replace") or "it ends while it is imported")
    return output[len(_IMPORTED) :] if ended else b""


def _unusable(reason):
    return InstallationError(
        "GDCM, which reads lossless JPEG and JPEG-LS in DICOM, cannot be used",
        got=str(reason).splitlines()[0][:200],
        remedy="Type: pip install --force-reinstall python-gdcm",
    )

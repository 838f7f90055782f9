"""Run by ``decoders`` as a script: a codestream on standard input -> samples on standard output, decoded by GDCM.

What it writes begins with "+" once GDCM is imported; if it cannot be, with "!" and the reason.

Imports nothing of segtumor and no NumPy, so that it starts fast. Arguments: folder of GDCM, transfer syntax, rows,
columns, precision in bits, seconds of processor time, bytes of memory.
"""

import os
import sys
from typing import Any


def main(arguments: list[str]) -> None:
    folder, syntax, *numbers = arguments
    rows, columns, precision, seconds, memory_bytes = map(int, numbers)
    output = os.dup(1)
    os.dup2(2, 1)  # whatever C++ code prints must not mix with the samples
    sys.path.append(folder)
    with os.fdopen(output, "wb") as file:
        try:
            import gdcm
        except Exception as error:  # noqa: BLE001 - a broken package raises anything
            file.write(f"!{type(error).__name__}: {error}".encode())
            return
        file.write(b"+")
        file.flush()
        _limit(seconds, memory_bytes)
        file.write(_decoded(gdcm, sys.stdin.buffer.read(), syntax, rows, columns, precision))


def _decoded(gdcm: Any, data: bytes, syntax: str, rows: int, columns: int, precision: int) -> bytes:
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(data)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((columns, rows, 1))
    image.SetDataElement(element)
    gray = gdcm.PhotometricInterpretation.GetPIType("MONOCHROME2")
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(gray))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    allocated = 8 if precision <= 8 else 16
    image.SetPixelFormat(gdcm.PixelFormat(1, allocated, precision, precision - 1, 0))
    samples: str = image.GetBuffer()  # its char* arrives as text
    return samples.encode("utf-8", "surrogateescape")


def _limit(seconds: int, memory_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # not POSIX: the caller's timeout remains
        return
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main(sys.argv[1:])

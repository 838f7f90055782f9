"""Damaged DICOM files of every variant that is read, seeded: for the tests and for benchmarks/fuzz_dicom.py."""

import struct

import numpy as np
from dicom_codecs import UIDS, codestream, compressed_dicom_bytes
from imaging_files import GRAY, dicom_bytes

PICTURE = np.kron(GRAY, np.ones((8, 8), np.uint8))
PICTURE12 = PICTURE.astype(np.uint16) * 16
#: Keeps a flipped size from being a legal large picture.
MAX_PIXELS = 100_000

_TABLE = {"LUTDescriptor": ("US", [256, 0, 8]), "LUTData": ("US", list(range(256)))}
_HEADER = {
    "RescaleSlope": 1, "RescaleIntercept": -3, "PixelSpacing": [0.1, 0.1], "WindowCenter": 127, "WindowWidth": 255,
    "PixelPaddingValue": 0,
}  # fmt: skip
_TWELVE = {"BitsStored": 12, "HighBit": 11, "PatientAge": "034Y", "StudyInstanceUID": "1.2.3"}
_FRAMES = {"NumberOfFrames": 2, "PixelData": PICTURE.tobytes() * 2}
_SYNTAXES = {"implicit": "", "explicit": ".1", "big endian": ".2", "deflated": ".1.99"}

#: Values that a careless writer or an attacker puts into an element of two or four bytes.
_HOSTILE = (0, 1, 0xFFFF, 0x7FFF, 0x8000, 0xFFFFFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0x10000)
_MARKS = (
    b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0", b"\xfe\xff\x0d\xe0", b"\x28\x00\x10\x00", b"SQ", b"UN", b"OW",
    b"\xff\xd9", b"\xff\xda", b"\xff\x51", b"nan", b"-inf", b"1e999", b"-0", b"\\\\\\",
)  # fmt: skip


def specimens():
    """Name -> whole file, one of each variant."""
    files = {
        name: dicom_bytes(PICTURE, syntax=f"1.2.840.10008.1.2{suffix}", **_HEADER) for name, suffix in _SYNTAXES.items()
    }
    files["tables"] = dicom_bytes(PICTURE, sequences={"VOILUTSequence": [_TABLE], "ModalityLUTSequence": [_TABLE]})
    files["no preamble"] = files["explicit"][132:]
    files["no meta group"] = files["implicit"][132 + 12 + struct.unpack_from("<I", files["implicit"], 140)[0] :]
    files["windows"] = dicom_bytes(PICTURE, **_HEADER | {"WindowCenter": [127, 5], "WindowWidth": [0, 255]})
    files["12 bit"] = dicom_bytes(PICTURE12, **_HEADER, **_TWELVE)
    files["signed"] = dicom_bytes(PICTURE.astype(np.int16) - 100, PhotometricInterpretation="MONOCHROME1")
    files["colour"] = dicom_bytes(np.stack([PICTURE] * 3, -1))
    files["frames"] = dicom_bytes(PICTURE, **_FRAMES)
    files["enhanced"] = dicom_bytes(
        PICTURE,
        **_FRAMES,
        sequences={
            "PerFrameFunctionalGroupsSequence": [{"FrameVOILUTSequence": [{"WindowCenter": 9, "WindowWidth": 9}]}]
        },
    )
    for codec in UIDS:
        files[codec] = compressed_dicom_bytes(PICTURE, codec, **_HEADER)
        if codec != "JPEG baseline":
            files[f"{codec} 12 bit"] = compressed_dicom_bytes(PICTURE12, codec, bits=12)
    files["RLE frames"] = dicom_bytes(
        PICTURE, syntax=UIDS["RLE"], NumberOfFrames=2, fragments=[codestream(PICTURE, "RLE")] * 2
    )
    return files


def damaged(data, rng):
    """``data`` with one to four injuries and, one time in four, cut off."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        _INJURIES[rng.integers(len(_INJURIES))](data, rng)
    return bytes(data[: rng.integers(0, len(data))] if rng.random() < 1 / 4 else data)


def damaged_files(count, seed):
    """Yield (variant, damaged file) ``count`` times, the variants in turn."""
    rng, files = np.random.default_rng(seed), list(specimens().items())
    for index in range(count):
        name, data = files[index % len(files)]
        yield name, damaged(data, rng)


def _position(data, rng):
    """Anywhere, in the header, or in the last third, where the pixels are."""
    low, high = ((0, len(data)), (132, 700), (len(data) * 2 // 3, len(data)))[rng.integers(3)]
    return int(rng.integers(min(low, len(data) - 1), max(min(high, len(data)), min(low, len(data) - 1) + 1)))


def _flip(data, rng):
    data[_position(data, rng)] = int(rng.integers(256))


def _set_number(data, rng):
    at, size = _position(data, rng), int(rng.integers(1, 3)) * 2
    value = _HOSTILE[rng.integers(len(_HOSTILE))] & (2 ** (8 * size) - 1)
    data[at : at + size] = struct.pack("<I", value)[:size]


def _set_mark(data, rng):
    at, mark = _position(data, rng), _MARKS[rng.integers(len(_MARKS))]
    data[at : at + len(mark)] = mark


def _remove(data, rng):
    at = _position(data, rng)
    if len(data) > 200:
        del data[at : at + int(rng.integers(1, 9))]


def _repeat(data, rng):
    at = _position(data, rng)
    data[at:at] = data[at : at + int(rng.integers(1, 65))]


_INJURIES = (_flip, _flip, _flip, _set_number, _set_mark, _remove, _repeat)

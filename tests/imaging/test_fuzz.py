"""Damaged files: only BadImageError may come out, and what is read is a valid Radiograph."""

import contextlib
import io
import signal
import warnings

import numpy as np
import pytest
from imaging_files import GRAY, dicom_bytes, png_bytes, tiff_bytes
from PIL import Image

from segtumor.errors import BadImageError
from segtumor.imaging import read_radiograph, read_size_hw

PICTURE = np.kron(GRAY, np.ones((3, 3), np.uint8))
MAX_PIXELS = 100_000  # keeps a flipped size from filling the memory


def encoded(file_format, **options):
    buffer = io.BytesIO()
    Image.fromarray(PICTURE).save(buffer, file_format, **options)
    return buffer.getvalue()


def exif():
    tags = Image.Exif()
    tags[274], tags[305] = 6, "a camera"
    return tags


def dicom():
    pytest.importorskip("pydicom")
    table = {"LUTDescriptor": ("US", [256, 0, 8]), "LUTData": ("US", list(range(256)))}
    return dicom_bytes(
        PICTURE,
        WindowCenter=127,
        WindowWidth=255,
        RescaleSlope=1,
        RescaleIntercept=-3,
        PixelSpacing=[0.1, 0.1],
        sequences={"VOILUTSequence": [table]},
    )


FILES = {
    "png": lambda: png_bytes(PICTURE, 0),
    "png rgb 16 bit": lambda: png_bytes(np.stack([PICTURE.astype(np.uint16) * 257] * 3, -1), 2),
    "jpeg": lambda: encoded("JPEG", exif=exif()),
    "jpeg progressive": lambda: encoded("JPEG", progressive=True),
    "jpeg restart marks": lambda: encoded("JPEG", restart_marker_blocks=2),
    "tiff": lambda: tiff_bytes(PICTURE, 1),
    "tiff signed": lambda: tiff_bytes((PICTURE.astype(np.int16) - 128).astype(np.int8), 1, sample_format=2),
    "tiff jpeg": lambda: encoded("TIFF", compression="jpeg"),
    "tiff deflate": lambda: encoded("TIFF", compression="tiff_adobe_deflate", exif=exif()),
    "bmp": lambda: encoded("BMP"),
    "dicom": dicom,
    "dicom without a preamble": lambda: dicom()[132:],
    "dicom implicit": lambda: dicom_bytes(PICTURE, syntax="1.2.840.10008.1.2", PixelSpacing=[0.1, 0.1]),
}


def damaged(data, rng):
    """Flip one to four bytes, half of them within the header; cut every third file."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        end = len(data) if rng.random() < 0.5 else min(len(data), 400)
        data[rng.integers(0, end)] = rng.integers(0, 256)
    return bytes(data[: rng.integers(0, len(data))] if rng.random() < 1 / 3 else data)


@pytest.mark.parametrize("case", FILES)
def test_only_bad_image_error_comes_out_of_damaged_files(case, tmp_path):
    data, rng, path = FILES[case](), np.random.default_rng(20261), tmp_path / "damaged.dcm"
    refused = 0
    for _ in range(150):
        path.write_bytes(damaged(data, rng))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            refused += _is_refused(path)
    assert refused > 30


def _is_refused(path):
    with contextlib.suppress(BadImageError):
        read_size_hw(path)
    try:
        radiograph = read_radiograph(path, max_pixels=MAX_PIXELS)  # checks its own fields
    except BadImageError as error:
        assert "Secret" not in str(error)
        return True
    assert radiograph.pixels.size <= MAX_PIXELS
    return False


class HangsError(BaseException):
    """Not an Exception, which the reader would turn into BadImageError."""


@pytest.mark.fuzz
@pytest.mark.parametrize("seed", range(10))
def test_damaged_dicom_of_every_variant_is_read_or_refused(seed, tmp_path):
    pytest.importorskip("pydicom")
    from damaged_dicoms import damaged_files

    path, refused = tmp_path / "damaged.dcm", 0
    with _ended_after(seconds=60):
        for _, data in damaged_files(200, seed=seed):
            path.write_bytes(data)
            refused += _is_refused(path)
    assert 100 < refused < 195


@contextlib.contextmanager
def _ended_after(seconds):
    """Turn a hanging reader into a failed test, where the system can."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def hang(*_):
        raise HangsError

    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)

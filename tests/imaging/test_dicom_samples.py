"""The files that come with pydicom, from many makers: the same samples as pydicom gives, or refused."""

import contextlib
import logging
import warnings
from pathlib import Path

import numpy as np
import pytest

from segtumor.errors import BadImageError
from segtumor.imaging import read_radiograph

pydicom = pytest.importorskip("pydicom")
from segtumor.imaging.dicom import gray  # noqa: E402 - needs pydicom

FOLDER = Path(pydicom.__file__).parent / "data" / "test_files"
#: At least these are read, where the installed pydicom has them.
READ = (
    "693_J2KI", "J2K_pixelrep_mismatch", "JPEG2000", "JPEGLSNearLossless_08",
    "JPEGLSNearLossless_16", "MR_small_RLE", "MR_small_bigendian", "MR_small_implicit", "MR_small_jp2klossless",
    "MR_small_jpeg_ls_lossless", "MR_small_padded", "image_dfl", "rtdose_rle",
)  # fmt: skip


@pytest.fixture
def stored_samples(monkeypatch):
    """What the reader hands to the gray stage, one entry a file."""
    seen, original = [], gray.gray_of_stored

    def spy(header, stored, *rest):
        seen.append(stored)
        return original(header, stored, *rest)

    monkeypatch.setattr(gray, "gray_of_stored", spy)
    return seen


@pytest.mark.parametrize("name", READ)
def test_samples_agree_with_pydicom(name, stored_samples):
    path = FOLDER / f"{name}.dcm"
    if not path.exists():
        pytest.skip("this pydicom comes without the file")
    read_radiograph(path, frame=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = pydicom.pixels.pixel_array(pydicom.dcmread(path), index=0, raw=True)
    np.testing.assert_array_equal(stored_samples[0], theirs)


def test_every_other_file_is_read_or_refused(caplog):
    paths = sorted(FOLDER.glob("*.dcm"))
    with caplog.at_level(logging.WARNING):
        for path in paths:
            with contextlib.suppress(BadImageError):
                read_radiograph(path, frame=0)
    assert not [record for record in caplog.records if not record.name.startswith("segtumor")]

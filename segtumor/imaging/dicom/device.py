"""Which X-ray device a DICOM file names: its maker and model, only where somebody asks for them.

Both are free text in the header, and small installations can be told by them. What does not look like the name of a
device does not get through. Not here: what leaves the header without being asked for (``attributes``).
"""

import re
from pathlib import Path
from typing import NamedTuple

from segtumor.errors import BadImageError
from segtumor.imaging.dicom.elements import word
from segtumor.imaging.dicom.header import opened
from segtumor.imaging.failures import decoder_errors

#: Field of an image -> keyword of the General Equipment module (PS3.3 C.7.5.1).
DEVICE_FIELDS = {"manufacturer": "Manufacturer", "device": "ManufacturerModelName"}
_NAME = re.compile(r"[A-Z0-9][A-Z0-9 ._/()+&,-]{0,47}")
_NUMBER = re.compile(r"\d{6}")  # a date, or the number of a patient or a serial one


class Device(NamedTuple):
    """Fields of an image, in capitals, and the names of those that were filled with something else."""

    fields: dict[str, str]
    refused: tuple[str, ...]


def dicom_device(path: str | Path) -> Device:
    """The maker and model of the device.

    Raises:
        BadImageError: no DICOM file, or damaged.
        InstallationError: pydicom is missing.
    """
    path = Path(path)
    if not path.is_file():
        raise BadImageError("there is no such file", where=path, remedy="Check the path")
    with decoder_errors(path, kind="DICOM", private=True), opened(path, tuple(DEVICE_FIELDS.values())) as dicom:
        given = {name: word(dicom.header, keyword) for name, keyword in DEVICE_FIELDS.items()}
    filled = {name: text for name, text in given.items() if text}
    sound = {name: text for name, text in filled.items() if _NAME.fullmatch(text) and not _NUMBER.search(text)}
    return Device(sound, tuple(name for name in filled if name not in sound))

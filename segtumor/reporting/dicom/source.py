"""The header of the radiograph that was read, as far as DICOM objects made of its reading need it.

A closed list of elements, each checked: highdicom quotes names of patients in its warnings, and fails on a sex that is
none of its own. What is missing or cannot be used is left empty, as the standard allows (type 2); without the UIDs and
with a damaged patient number an object cannot be filed with its patient, which is an error. Not here: pixels.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtumor.arrays import SizeHW
from segtumor.errors import BadImageError
from segtumor.imaging.dicom.elements import whole_number
from segtumor.imaging.dicom.header import opened
from segtumor.imaging.dicom.layout import choose_frame, read_size_hw
from segtumor.imaging.failures import decoder_errors

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

#: Images of one plane that need no place in the patient, single or one frame of several (PS3.6 annex A).
PLANAR_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.1": "computed radiography",
    "1.2.840.10008.5.1.4.1.1.1.1": "digital X-ray",
    "1.2.840.10008.5.1.4.1.1.1.1.1": "digital X-ray, for processing",
    "1.2.840.10008.5.1.4.1.1.7": "secondary capture",
    "1.2.840.10008.5.1.4.1.1.7.2": "multi-frame grayscale byte secondary capture",
    "1.2.840.10008.5.1.4.1.1.7.3": "multi-frame grayscale word secondary capture",
    "1.2.840.10008.5.1.4.1.1.7.4": "multi-frame true colour secondary capture",
    "1.2.840.10008.5.1.4.1.1.12.1": "X-ray angiography",
    "1.2.840.10008.5.1.4.1.1.12.2": "X-ray radiofluoroscopy",
}
#: Without these nothing can be filed. UIDs are referred to as they are, even where a writer put a zero before a number.
_NEEDED = {
    "StudyInstanceUID": re.compile(r"[0-9.]{3,64}"),
    "SeriesInstanceUID": re.compile(r"[0-9.]{3,64}"),
    "SOPInstanceUID": re.compile(r"[0-9.]{3,64}"),
    "PatientID": re.compile(r"[^\\\x00-\x1f\x7f]{0,64}"),  # empty where the file has none, as the study then has
}
_PERSONS = ("PatientName", "ReferringPhysicianName")
#: Empty where they are missing (type 2).
_OFTEN_EMPTY = (*_PERSONS, "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber", "StudyID")
#: Left out where they are missing (types 3, 1C and 2C).
_OPTIONAL = (
    "IssuerOfPatientID", "PatientAge", "StudyDescription", "Laterality", "ImageLaterality", "PatientOrientation",
    "LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod",
)  # fmt: skip
_SEXES = ("M", "F", "O")
_KEYWORDS = ("SOPClassUID", "Modality", *_NEEDED, *_OFTEN_EMPTY, *_OPTIONAL, "Rows", "Columns", "NumberOfFrames")
_MOST_FRAMES = 1_000_000


@dataclass(frozen=True, eq=False)
class SourceImage:
    """The radiograph that was read.

    Attributes:
        header: its patient, study and identity, for highdicom, without names of persons.
        persons: {keyword: name}, to be set on a finished object.
        size_hw: (H, W), px.
        frame: index from 0 of the frame that was read; None of a file with one.
        left_empty: keywords of elements that are in the file and could not be used.
    """

    header: "Dataset"
    persons: Mapping[str, Any]
    size_hw: SizeHW
    frame: int | None = None
    left_empty: tuple[str, ...] = ()


def read_source(path: str | Path, *, frame: int | None = None) -> SourceImage:
    """The header of a DICOM file.

    Args:
        frame: index from 0 of the frame that was read; of a file with one it is ignored.

    Raises:
        BadImageError: no DICOM file, damaged, not of one plane, or without what it is filed by.
        InstallationError: pydicom is missing.
    """
    path = Path(path)
    with decoder_errors(path, kind="DICOM", private=True), opened(path, _KEYWORDS) as dicom:
        return _checked(dicom.header, frame, path)


def _checked(stored: "Dataset", frame: int | None, path: Path) -> SourceImage:
    from pydicom.dataset import Dataset
    from pydicom.valuerep import PersonName

    header, values = Dataset(), {keyword: _usable(stored, keyword) for keyword in (*_OFTEN_EMPTY, *_OPTIONAL)}
    header.SOPClassUID = _usable(stored, "SOPClassUID")
    if header.SOPClassUID not in PLANAR_CLASSES:
        expected = "a radiograph: computed or digital radiography, secondary capture, X-ray angiography, fluoroscopy"
        raise BadImageError("no DICOM objects are made of this kind of image", where=path, expected=expected)
    for keyword, form in _NEEDED.items():
        setattr(header, keyword, _needed(stored, keyword, form, path))
    header.Modality = _usable(stored, "Modality") or "OT"
    if values["PatientSex"] not in ("", *_SEXES):
        values["PatientSex"] = None
    for keyword, value in values.items():
        if keyword in _OFTEN_EMPTY or value:
            setattr(header, keyword, None if keyword in _PERSONS else value)
    header.Rows, header.Columns = size_hw = read_size_hw(stored, path)
    frames = whole_number(stored, "NumberOfFrames", path, lowest=0, highest=_MOST_FRAMES, default=1) or 1
    chosen = choose_frame(frames, frame if frames > 1 else None, path)
    header.NumberOfFrames = 1  # highdicom takes several only of images with a place in the patient
    return SourceImage(
        header,
        {keyword: PersonName(values[keyword] or "") for keyword in _PERSONS},
        size_hw,
        chosen if frames > 1 else None,
        tuple(keyword for keyword, value in values.items() if value is None),
    )


def _usable(stored: "Dataset", keyword: str) -> Any:
    """The value of an element, text or a list of texts; "" if it is absent or empty, None if it cannot be used."""
    from pydicom import config
    from pydicom.datadict import dictionary_VM, dictionary_VR
    from pydicom.valuerep import DA, TM, validate_value

    try:
        if keyword not in stored or stored[keyword].is_empty:
            return ""
        value, kind = stored[keyword].value, dictionary_VR(keyword)
        values = [str(part).strip(" \0") for part in ([value] if stored[keyword].VM == 1 else value)]
        for text in values:
            validate_value(kind, text, config.RAISE)
            {"DA": DA, "TM": TM}.get(kind, str)(text)  # 30 February, and ranges
        number = dictionary_VM(keyword)
        if number.isdecimal() and len(values) != int(number):
            return None
    except Exception:  # noqa: BLE001 - pydicom converts on access, and raises kinds of its own
        return None
    return values[0] if len(values) == 1 else values


def _needed(stored: "Dataset", keyword: str, form: re.Pattern[str], path: Path) -> str:
    try:
        text = str(stored.get(keyword) or "").strip(" \0")
    except Exception:  # noqa: BLE001 - pydicom converts on access, and raises kinds of its own
        text = "\0"
    if not form.fullmatch(text):
        what = f"DICOM {keyword} is missing or cannot be used, so that nothing can be filed with the image"
        raise BadImageError(what, where=path, remedy="Export the file again")
    return text

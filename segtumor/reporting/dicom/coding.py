"""What the objects say in codes and fixed words: concepts, the algorithm, the marks of research.

Codes of the standard where it has one that is true; for the rest a private scheme, ``99SEGTUMOR`` (PS3.16 8.2). A class
of a model is coded by its name: what "benign" means is the model's affair, and no code of SNOMED promises more. Every
concept is a function's result, since highdicom takes a second to import.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import segtumor
from segtumor.escaping import printable
from segtumor.shipped.entry import ENTRY, read_entry

if TYPE_CHECKING:
    from highdicom.sr import CodedConcept

SCHEME = "99SEGTUMOR"
MANUFACTURER = "segtumor"
#: Begins every SeriesDescription, and is the ContentDescription.
RESEARCH = "RESEARCH ONLY"
_LONGEST_CODE, _LONGEST_TEXT, _SHOWN_DIGITS = 16, 64, 12


@dataclass(frozen=True)
class Algorithm:
    """What identifies the model in an object.

    Attributes:
        name: at most 64 characters, such as "segtumor btxrd-lite".
        version: likewise, such as "3, weights 0123456789ab, segtumor 0.2.0".
    """

    name: str
    version: str


def algorithm_of(entry: Mapping[str, Any]) -> Algorithm:
    """The Algorithm of what identifies a model (``inference.load.InferenceModel.entry``).

    A shipped model has its name and version, any other the name of its folder; of several the first is named. What
    tells one from another for certain is the hash of the weights.
    """
    folder = Path(entry["folder"]) if entry.get("folder") else Path(str(entry.get("weights", "model"))).parent
    name, version = folder.name or "model", ""
    if (folder.parent / ENTRY).is_file():
        shipped = read_entry(folder.parent)
        name, version = shipped.name, f"{shipped.version}, "
    more = len(entry.get("others", ())) + ("cascade" in entry)
    name = f"{MANUFACTURER} {name}" + (f" and {more} more" if more else "")
    weights = entry.get("weights_sha256")
    known = f"weights {str(weights)[:_SHOWN_DIGITS]}, " if weights else ""
    return Algorithm(plain(name), plain(f"{version}{known}segtumor {segtumor.__version__}"))


def plain(text: Any, longest: int = _LONGEST_TEXT) -> str:
    """Text as an element of one value takes it (VR LO): no backslash, no invisible character, not too long."""
    return printable(text).replace("\\", "/")[:longest].strip()


def own(value: str, meaning: str) -> "CodedConcept":
    """A concept of the private scheme; a long or unusual value becomes its hash."""
    from highdicom.sr import CodedConcept

    if len(value) > _LONGEST_CODE or not value.isascii() or not value.isprintable() or "\\" in value:
        value = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:_LONGEST_CODE]
    return CodedConcept(value, SCHEME, plain(meaning) or "unnamed")


def pixels() -> "CodedConcept":
    """The unit of lengths in pixels, and of areas as their number."""
    from highdicom.sr import CodedConcept

    return CodedConcept("{pixels}", "UCUM", "pixels")


def common(what: str, number: int) -> dict[str, Any]:
    """What every object says of itself: new UIDs, who made it, that it is research.

    Args:
        what: of the object, for its SeriesDescription.
        number: of its series.
    """
    return {
        "series_instance_uid": new_uid(),
        "series_number": number,
        "sop_instance_uid": new_uid(),
        "instance_number": 1,
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": MANUFACTURER,
        "software_versions": segtumor.__version__,
        "device_serial_number": "none",
        "series_description": plain(f"{RESEARCH} segtumor {what}"),
        "specific_character_set": "ISO_IR 192",  # names of classes are in any language; the source's are converted
    }


def new_uid() -> str:
    """A UID that nobody had before (of a random UUID, PS3.5 B.2): no two runs make the same object."""
    from pydicom.uid import generate_uid

    return str(generate_uid(prefix=None))

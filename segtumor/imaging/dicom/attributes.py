"""What may leave a DICOM header: a closed list of words and checked numbers, and the patient as a keyed hash.

Nothing that a person typed gets through: every value is a number or one of the words below. Left out for that reason:
descriptions, dates, UIDs, institutions, devices (``device`` reads these for those who ask). ``name_reveals_patient``
warns of file names, without quoting them.
"""

import hashlib
import hmac
import logging
import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from segtumor.ages import OLDEST_YEARS
from segtumor.cases import is_placeholder
from segtumor.errors import BadImageError
from segtumor.imaging.dicom.elements import word
from segtumor.imaging.dicom.header import GROUP_KEYWORDS, lift_groups, opened
from segtumor.imaging.dicom.layout import SPACING_KEYWORDS, read_spacing
from segtumor.imaging.failures import decoder_errors

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_log = logging.getLogger(__name__)

_PATIENT_KEYWORDS = ("PatientID", "IssuerOfPatientID", "StudyInstanceUID")
_KEYWORDS = (
    *_PATIENT_KEYWORDS, *SPACING_KEYWORDS, *GROUP_KEYWORDS,
    "PatientAge", "PatientSex", "ViewPosition", "PatientOrientation", "BodyPartExamined",
)  # fmt: skip

_HASH_CHARACTERS = 16
_SHORTEST_SALT = 16

_AGE = re.compile(r"(\d{3})([DWMY])")  # PS3.5 6.2, AS
_UNITS_A_YEAR = {"D": 365.25, "W": 365.25 / 7, "M": 12, "Y": 1}
_OLDEST_REPORTED = 90  # years; 45 CFR 164.514(b)(2): ages above 89 are reported as one class

#: ViewPosition (PS3.3 C.8.1.3, C.8.11.5) -> view.
_VIEWS = {
    "frontal": ("AP", "PA"),
    "lateral": ("LL", "RL", "LAT", "LATERAL", "ML", "LM"),
    "oblique": ("RLO", "LLO", "RAO", "LAO", "RPO", "LPO", "OBL", "OBLIQUE"),
}
_VIEW_OF = {code: view for view, codes in _VIEWS.items() for code in codes}

#: BodyPartExamined (PS3.16 annex L and what detectors send) -> bones, joints or regions.
_SITES = {
    "HAND": ("hand",), "FINGER": ("hand",), "THUMB": ("hand",), "ULNA": ("ulna",), "RADIUS": ("radius",),
    "FOREARM": ("ulna", "radius"), "HUMERUS": ("humerus",), "UPPERARM": ("humerus",), "FOOT": ("foot",),
    "TOE": ("foot",), "CALCANEUS": ("foot",), "TIBIA": ("tibia",), "FIBULA": ("fibula",),
    "TIBFIB": ("tibia", "fibula"), "TIBIAFIBULA": ("tibia", "fibula"), "LOWERLEG": ("tibia", "fibula"),
    "FEMUR": ("femur",), "THIGH": ("femur",), "HIP": ("hip-joint",), "KNEE": ("knee-joint",),
    "PATELLA": ("knee-joint",), "ANKLE": ("ankle-joint",), "WRIST": ("wrist-joint",), "ELBOW": ("elbow-joint",),
    "SHOULDER": ("shoulder-joint",), "PELVIS": ("pelvis",), "ARM": ("upper limb",), "LEG": ("lower limb",),
    "EXTREMITY": (), "CLAVICLE": ("clavicle",), "SCAPULA": ("scapula",), "RIB": ("rib",), "STERNUM": ("sternum",),
    "CHEST": ("chest",), "ABDOMEN": ("abdomen",), "SKULL": ("skull",), "JAW": ("jaw",), "SPINE": ("spine",),
    "CSPINE": ("spine",), "TSPINE": ("spine",), "LSPINE": ("spine",), "SSPINE": ("sacrum",), "SACRUM": ("sacrum",),
}  # fmt: skip


class Identity(NamedTuple):
    """Keyed hash of the StudyInstanceUID, and whether the PatientID is a placeholder; never in a file."""

    study: str | None
    placeholder: bool


def dicom_identity(path: str | Path, *, salt: bytes) -> tuple[dict[str, Any], Identity]:
    """The attributes of one image that segtumor's COCO form keeps, and its Identity.

    Args:
        salt: secret bytes, at least 16; the same salt gives the same case_id to the same patient.

    Returns:
        (dict, Identity). The dict: case_id ("case-" and 16 hexadecimal digits: HMAC-SHA256 of the PatientID with its
        issuer or, where that is empty or a placeholder, of the StudyInstanceUID; None without both), age (years, 90 for
        all above 89; None), sex ("M", "F", None), view (list of "frontal", "lateral", "oblique"), site (list of words
        of a closed list), spacing_mm ([row, column] or None), spacing_source (str or None).

    Raises:
        BadImageError: no DICOM file, or damaged.
        InstallationError: pydicom is missing.
        ValueError: the salt is too short.
    """
    if len(salt) < _SHORTEST_SALT:
        raise ValueError(f"the salt must have at least {_SHORTEST_SALT} bytes")
    path = _checked(path)
    with decoder_errors(path, kind="DICOM", private=True), opened(path, _KEYWORDS) as dicom:
        header = dicom.header
        lift_groups(header, 0)
        spacing_mm, source, remarks = read_spacing(header)
        for remark in remarks:
            _log.warning("%s: %s", path, remark)
        case_id, identity = _identity(header, salt)
        return {
            "case_id": case_id,
            "age": _age(word(header, "PatientAge")),
            "sex": word(header, "PatientSex") if word(header, "PatientSex") in ("M", "F") else None,
            "view": _views(header),
            "site": list(_SITES.get(re.sub(r"[ _-]", "", word(header, "BodyPartExamined")), ())),
            "spacing_mm": None if spacing_mm is None else list(spacing_mm),
            "spacing_source": source,
        }, identity


def name_reveals_patient(path: str | Path) -> bool:
    """Whether the file's name contains what its header says of the patient: part of the name, the id or birth date.

    Parts of fewer than three letters, ids of fewer than three characters and placeholders do not count; capitals,
    accents and separators make no difference.

    Raises:
        BadImageError: no DICOM file, or damaged.
    """
    path = _checked(path)
    keywords = ("PatientName", "PatientID", "PatientBirthDate")
    with decoder_errors(path, kind="DICOM", private=True), opened(path, keywords) as dicom:
        name, identifier, birth_date = (word(dicom.header, keyword) for keyword in keywords)
    stem = _plain(path.stem)
    parts = [_plain(part) for part in re.split(r"[\^=\s,]+", name)]
    secrets = [part for part in parts if len(part) >= 3 and not part.isdigit()]
    if not is_placeholder(identifier) and len(_plain(identifier)) >= 3:
        secrets.append(_plain(identifier))
    if re.fullmatch(r"\d{8}", birth_date):
        year, month, day = birth_date[:4], birth_date[4:6], birth_date[6:]
        secrets += [year + month + day, day + month + year, month + day + year]
    return any(secret in stem for secret in secrets)


def _checked(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise BadImageError("there is no such file", where=path, remedy="Check the path")
    return path


def _identity(header: "Dataset", salt: bytes) -> tuple[str | None, Identity]:
    """The case_id, None without one, and the Identity."""
    patient, issuer, uid = (word(header, keyword) for keyword in _PATIENT_KEYWORDS)
    known = not is_placeholder(patient)  # taken seriously, it would make one case of a whole collection
    study = None if is_placeholder(uid) else _digest(f"study\0{uid}", salt)
    case = _digest(f"patient\0{patient}\0{issuer}", salt) if known else study
    return case and f"case-{case}", Identity(study, placeholder=bool(patient) and not known)


def _digest(identity: str, salt: bytes) -> str:
    digest = hmac.new(salt, identity.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()
    return digest[:_HASH_CHARACTERS]


def _age(text: str) -> float | None:
    match = _AGE.fullmatch(text)
    if match is None:
        return None
    years = int(match[1]) / _UNITS_A_YEAR[match[2]]
    if years > OLDEST_YEARS:
        return None
    return min(int(years) if match[2] == "Y" else round(years, 2), _OLDEST_REPORTED)


def _views(header: "Dataset") -> list[str]:
    """ViewPosition, else PatientOrientation (PS3.3 C.7.6.1.1.1) if its rows run straight and its columns up or down."""
    position = word(header, "ViewPosition")
    if position in _VIEW_OF:
        return [_VIEW_OF[position]]
    try:
        row, column = (str(value).strip().upper() for value in header.get("PatientOrientation"))
    except Exception:  # noqa: BLE001 - absent, one value, text; pydicom raises kinds of its own
        return []
    if column not in ("H", "F"):
        return []
    return {"L": ["frontal"], "R": ["frontal"], "A": ["lateral"], "P": ["lateral"]}.get(row, [])


def _plain(text: str) -> str:
    """Capitals without accents, separators and spaces."""
    decomposed = unicodedata.normalize("NFKD", text.upper())
    return "".join(character for character in decomposed if character.isalnum())

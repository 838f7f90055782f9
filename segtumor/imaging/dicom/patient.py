"""The patient of a DICOM file, for those who asked to see it on their screen; nothing else may read names."""

from pathlib import Path

from segtumor.imaging.dicom.elements import word
from segtumor.imaging.dicom.header import opened
from segtumor.imaging.failures import decoder_errors


def patient_of(path: str | Path) -> dict[str, str]:
    """{"name", "id", "birth_date"} as the header has them; "" for what it lacks.

    Raises:
        BadImageError: no DICOM file, or damaged.
    """
    path, keywords = Path(path), ("PatientName", "PatientID", "PatientBirthDate")
    with decoder_errors(path, kind="DICOM", private=True), opened(path, keywords) as dicom:
        name, identifier, birth_date = (word(dicom.header, keyword) for keyword in keywords)
    return {"name": name.replace("^", " ").strip(), "id": identifier, "birth_date": birth_date}

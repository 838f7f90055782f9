"""What DICOM headers say about the images of a collection: case, age, sex, view, spacing; never a name, id or date."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from segtumor.annotations.remarks import Remark
from segtumor.cases import case_of
from segtumor.errors import BadImageError
from segtumor.formats.collection import Collection, SourceImage
from segtumor.formats.conversion.case_salt import load_salt

if TYPE_CHECKING:  # pydicom is slow to import
    from segtumor.imaging.dicom.attributes import Identity


def add_dicom_headers(collection: Collection, salt_path: str | Path | None = None) -> None:
    """Add to each DICOM image, in place, what its header says; what is known wins. None: the user's own salt."""
    from segtumor.imaging.dicom.attributes import dicom_identity
    from segtumor.imaging.listing import is_dicom

    salt: bytes | None = None
    identities: dict[str, Identity] = {}
    for index, image in enumerate(collection.images):
        path = collection.root / image.file_name
        if image.content is not None or not is_dicom(path):
            continue
        if salt is None:
            salt = load_salt(salt_path)
        try:
            fields, identities[image.file_name] = dicom_identity(path, salt=salt)
        except BadImageError as error:
            collection.notes.append(Remark(image.file_name, "DICOM header not usable", str(error)))
            continue
        attributes = {**fields, **image.attributes}
        collection.images[index] = dataclasses.replace(image, attributes=attributes)
    collection.notes += _notes_on_cases(collection.images, identities)


def _notes_on_cases(images: Iterable[SourceImage], identities: Mapping[str, "Identity"]) -> Iterator[Remark]:
    """Remarks on placeholders in place of a PatientID, known and supposed: they must not make one case of many."""
    read = [image for image in images if image.file_name in identities]
    for image in read:
        if identities[image.file_name].placeholder:
            yield Remark(image.file_name, "PatientID is a placeholder: the study is the case")
    counts = Counter(filter(None, (case_of(image.attributes) for image in read)))
    case, n = counts.most_common(1)[0] if counts else (None, 0)
    studies = {identities[image.file_name].study for image in read if case_of(image.attributes) == case} - {None}
    if len(studies) > 1 and (n == len(read) or n > max(2, len(read) / 2)):
        what = f"{'all' if n == len(read) else 'most'} DICOM images are of one case, though of several studies"
        detail = f"{n} images, {len(studies)} studies: if their PatientID is a placeholder, give the cases by --table"
        yield Remark("", what, detail)

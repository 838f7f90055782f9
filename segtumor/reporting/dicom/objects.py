"""The DICOM objects of one reading: which there are, and files of them."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from segtumor.arrays import Array
from segtumor.errors import BadImageError, ConfigError, needed
from segtumor.files import atomic_path
from segtumor.reporting.dicom.capture import make_capture
from segtumor.reporting.dicom.coding import Algorithm, new_uid
from segtumor.reporting.dicom.report import make_report
from segtumor.reporting.dicom.segmentation import make_segmentation
from segtumor.reporting.dicom.source import read_source
from segtumor.structures.readings import Reading

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

SEG, SR, SC = "seg", "sr", "sc"
#: {kind of object: what it is}.
KINDS = {SEG: "segmentation", SR: "measurement report", SC: "overlay as a secondary capture"}


def check_kinds(kinds: Collection[str]) -> None:
    """Refuse what cannot be made, before any model is loaded.

    Raises:
        ConfigError: an unknown kind, or none.
        InstallationError: highdicom is missing.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        got = ", ".join(unknown) or "nothing"
        raise ConfigError("unknown DICOM output", got=got, expected=f"one or more of {', '.join(KINDS)}")
    with needed("highdicom", "DICOM output needs highdicom", remedy="Type: pip install 'segtumor[dicom]'"):
        import highdicom  # noqa: F401


def make_objects(
    path: str | Path,
    reading: Reading,
    kinds: Collection[str],
    *,
    score_threshold: float,
    algorithm: Algorithm,
    picture: Array | None = None,
    frame: int | None = None,
    note: str | None = None,
) -> dict[str, "Dataset"]:
    """The objects of a reading of a DICOM file, each in a new series of the patient's study, with new UIDs.

    Args:
        path: the DICOM file that was read; its pixels are not looked at.
        reading: its findings, all of them; those below ``score_threshold`` are left out.
        kinds: of ``KINDS``.
        picture: (H', W', 3) uint8, the overlay, needed for "sc"; without names of files, which may be a patient's.
        frame: index from 0 of the frame that was read, of a file with several.
        note: a sentence that limits the reading, such as that of a model of phantoms.

    Returns:
        {kind: data set}; no "seg" where no shown finding has a mask.

    Raises:
        BadImageError: as ``read_source``, or another image than the one that was read.
        ValueError: no picture for "sc".
    """
    from segtumor.imaging.dicom.silence import silent_pydicom

    source = read_source(path, frame=frame)
    if source.size_hw != reading.size_hw:
        expected = f"{reading.size_hw[1]} x {reading.size_hw[0]} px"
        got = f"{source.size_hw[1]} x {source.size_hw[0]} px"
        raise BadImageError("the file is no longer the one that was read", where=path, got=got, expected=expected)
    numbered = enumerate(reading.findings, start=1)
    shown = [(number, finding) for number, finding in numbered if finding.score >= score_threshold]
    masked = [(number, finding) for number, finding in shown if finding.rle is not None]
    uids = {number: new_uid() for number in (0, *(number for number, _ in shown))}
    made: dict[str, Dataset] = {}
    with silent_pydicom():
        if SEG in kinds and masked:
            made[SEG] = make_segmentation(source, masked, reading.class_names, algorithm, uids)
        if SR in kinds:
            notes = [note] if note else []
            made[SR] = make_report(
                source, reading, shown, algorithm, uids, score_threshold=score_threshold, notes=notes
            )
        if SC in kinds:
            if picture is None:
                raise ValueError("a secondary capture needs the picture")
            made[SC] = make_capture(source, picture)
        for kind, dataset in made.items():
            for keyword, name in source.persons.items():
                setattr(dataset, keyword, name)
            if kind != SR:
                dataset.PatientOrientation = source.header.get("PatientOrientation")  # may be empty, not missing
    return made


def write_objects(objects: Mapping[str, "Dataset"], folder: str | Path, stem: str) -> tuple[str, ...]:
    """Save objects as STEM_seg.dcm and so on; returns the names of the files. Raises OutputError."""
    from segtumor.imaging.dicom.silence import silent_pydicom

    names = {kind: f"{stem}_{kind}.dcm" for kind in objects}
    for kind, name in names.items():
        with atomic_path(Path(folder) / name) as temporary, silent_pydicom():
            objects[kind].save_as(temporary, enforce_file_format=True)
    return tuple(names.values())

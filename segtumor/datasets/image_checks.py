"""What is wrong with the images of an annotation file once they are opened.

Damaged files, sizes that are not the file's, pictures that are listed twice, DICOM files named after the
patient. Not here: images whose file name is unsafe or that are not there; ``validation`` names those, and they are not
opened.
"""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segtumor.annotations.attributes import label_of
from segtumor.annotations.file_names import check_files, file_name_fault
from segtumor.annotations.problems import Problem, ProblemKind, error, place, warning
from segtumor.cases import case_of
from segtumor.datasets.duplicates import INVERTED, MIRRORED, NEAR, Pair, exact_duplicates, near_duplicates
from segtumor.datasets.fingerprints import Fingerprint, fingerprint_images
from segtumor.errors import SegtumorError
from segtumor.imaging import MAX_PIXELS
from segtumor.imaging.listing import is_dicom
from segtumor.progress import Progress

#: {file name: (position, image entry)}.
Entries = dict[str, tuple[int, Mapping[str, Any]]]
_LIKENESS = {
    NEAR: ProblemKind.NEARLY_SAME_PICTURE,
    MIRRORED: ProblemKind.MIRRORED_PICTURE,
    INVERTED: ProblemKind.INVERTED_PICTURE,
}


def image_problems(
    images: Sequence[Any],
    image_root: Path | str,
    *,
    progress: Progress = iter,
    max_pixels: int = MAX_PIXELS,
    near: bool = True,
    workers: int | None = None,
) -> tuple[list[Problem], dict[str, Fingerprint]]:
    """What is wrong with images that are opened, by kind and in their order; and {file name: Fingerprint}.

    Only files inside ``image_root`` are opened, malformed entries skipped. Equal images are always looked for, nearly
    equal ones if ``near``.
    """
    entries = _openable(images, image_root)
    revealing = {name for name in entries if _reveals_patient(Path(image_root) / name)}
    prints, failed = fingerprint_images(entries, image_root, progress=progress, workers=workers, max_pixels=max_pixels)
    listing = _Listing(entries, revealing)
    found = [
        error(listing.place(name), "file_name", ProblemKind.DOES_NOT_OPEN, listing.reason(name, failed[name]))
        for name in failed
    ]
    found += [problem for name in prints if (problem := _size_problem(listing, name, prints[name].size_hw))]
    found += [_exact_problem(listing, pair) for pair in exact_duplicates(prints)]
    if near:
        found += [_near_problem(listing, pair) for pair in near_duplicates(prints)]
    names_the_patient = ProblemKind.NAMES_THE_PATIENT  # the value is not reported
    found += [warning(listing.place(name), "file_name", names_the_patient) for name in sorted(revealing)]
    return found, prints


class _Listing:
    """Image entries by file name, and how to speak of them: DICOM files named after the patient only by their place."""

    def __init__(self, entries: Entries, revealing: set[str]) -> None:
        self._entries, self._revealing = entries, revealing

    def entry(self, name: str) -> Mapping[str, Any]:
        return self._entries[name][1]

    def place(self, name: str) -> str:
        return place("images", *self._entries[name])

    def call(self, name: str) -> str:
        return self.place(name) if name in self._revealing else name

    def reason(self, name: str, failure: SegtumorError) -> str:
        got = f", {failure.got}" if failure.got is not None else ""
        return f"{failure.what}{got}" if name in self._revealing else f"{name}: {failure.what}{got}"


def _openable(images: Sequence[Any], image_root: Path | str) -> Entries:
    """{file name: (position, entry)} of the images that may be opened; the first entry of a duplicate name."""
    named = [
        (index, image)
        for index, image in enumerate(images)
        if isinstance(image, dict) and file_name_fault(image.get("file_name")) is None
    ]
    absent: list[Problem] = []
    check_files(named, image_root, absent)
    if any(problem.where == "image root" for problem in absent):
        return {}
    left_out = {problem.where for problem in absent}
    entries: Entries = {}
    for index, image in named:
        if place("images", index, image) not in left_out:
            entries.setdefault(image["file_name"], (index, image))
    return entries


def _size_problem(listing: _Listing, name: str, size_hw: tuple[int, int]) -> Problem | None:
    entry = listing.entry(name)
    listed = (entry.get("height"), entry.get("width"))
    if listed == tuple(size_hw) or not all(type(value) is int for value in listed):
        return None
    turned = listed == tuple(size_hw)[::-1]
    got = f"{listed[1]} x {listed[0]} px, and the file {size_hw[1]} x {size_hw[0]} px"
    return error(listing.place(name), "width, height", ProblemKind.TURNED if turned else ProblemKind.OTHER_SIZE, got)


def _exact_problem(listing: _Listing, pair: Pair) -> Problem:
    first, second = listing.entry(pair.first), listing.entry(pair.second)
    labels = [label_of(entry) for entry in (first, second)]
    got = f"{listing.call(pair.second)} and {listing.call(pair.first)}{_cases(first, second)}"
    if None not in labels and labels[0] != labels[1]:
        got += f"; {labels[1]} and {labels[0]}"
        return error(listing.place(pair.second), "image_label", ProblemKind.SAME_PICTURE_OTHER_LABEL, got)
    return warning(listing.place(pair.second), "file_name", ProblemKind.SAME_PICTURE, got)


def _near_problem(listing: _Listing, pair: Pair) -> Problem:
    cases = _cases(listing.entry(pair.first), listing.entry(pair.second))
    likeness = f"distance {pair.distance} of 143 bits, correlation {pair.correlation:.2f}"
    got = f"{listing.call(pair.second)} and {listing.call(pair.first)}, {likeness}{cases}"
    return warning(listing.place(pair.second), "file_name", _LIKENESS[pair.kind], got)


def _cases(first: Mapping[str, Any], second: Mapping[str, Any]) -> str:
    cases = [case_of(entry) for entry in (first, second)]
    if None in cases:
        return ""
    return ", of the same case" if cases[0] == cases[1] else ", of different cases"


def _reveals_patient(path: Path) -> bool:
    if not is_dicom(path):
        return False
    from segtumor.imaging.dicom.attributes import name_reveals_patient  # pydicom comes with it

    with contextlib.suppress(SegtumorError):  # a file that does not open is a problem of its own
        return name_reveals_patient(path)
    return False

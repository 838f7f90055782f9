"""What is wrong with the images of an annotation file once they are opened.

Damaged files, sizes that are not the file's, pictures that stand in the list twice, DICOM files named after the
patient. Not here: images whose file name is unsafe or that are not there; ``validation`` names those, and they are not
opened.
"""

import contextlib
from pathlib import Path

from segtumor.annotations.file_names import check_files, file_name_fault
from segtumor.annotations.problem import ERROR, NAMES_THE_PATIENT, WARNING, Problem, place
from segtumor.cases import case_of
from segtumor.datasets.duplicates import INVERTED, MIRRORED, NEAR, exact_duplicates, near_duplicates
from segtumor.datasets.fingerprints import fingerprint_images
from segtumor.errors import SegtumorError
from segtumor.imaging import MAX_PIXELS
from segtumor.imaging.listing import is_dicom

_REPLACE = "copy or export the image again, or remove its entry"
_SIZE = "--fix scales the outlines to the file where both have the same shape, and leaves the image out where not"
_TURNED = "width and height are exchanged: the file is stored turned (EXIF orientation); outlines must fit it upright"
_ONE_PART = "remove one of the two, or keep both in one part of the split"
_RENAME = "rename the file; names end up in every output"
_LOOK = "look at both: if they are one picture, remove one or keep both in one part of the split"
_LIKENESS = {
    NEAR: "shows nearly the same picture as another",
    MIRRORED: "shows the mirrored picture of another",
    INVERTED: "shows the inverted picture of another",
}


def image_problems(images, image_root, *, progress=iter, max_pixels=MAX_PIXELS, near: bool = True, workers=None):
    """Open every image and say what is wrong.

    Args:
        images: COCO image entries, as they stand in the file; malformed ones are passed over.
        image_root: folder of the images. Only files inside it are opened.
        progress: wraps the list of names while they are read.
        max_pixels: larger pictures are problems.
        near: whether to look for images that are nearly the same, too; equal ones are always found.
        workers: processes that read; None takes one per processor.

    Returns:
        list of Problem, by kind and in the order of the images; {file name: Fingerprint} of the images that open.
    """
    entries = _openable(images, image_root)
    revealing = {name for name in entries if _reveals_patient(Path(image_root) / name)}
    prints, failed = fingerprint_images(entries, image_root, progress=progress, workers=workers, max_pixels=max_pixels)
    listing = _Listing(entries, revealing)
    found = [
        Problem(listing.place(name), "file_name", "does not open", listing.reason(name, failed[name]), ERROR, _REPLACE)
        for name in failed
    ]
    found += [problem for name in prints if (problem := _size_problem(listing, name, prints[name].size_hw))]
    found += [_exact_problem(listing, pair) for pair in exact_duplicates(prints)]
    if near:
        found += [_near_problem(listing, pair) for pair in near_duplicates(prints)]
    what = NAMES_THE_PATIENT  # the value stays untold
    found += [Problem(listing.place(name), "file_name", what, "", WARNING, _RENAME) for name in sorted(revealing)]
    return found, prints


class _Listing:
    """Image entries by file name, and how to speak of them: DICOM files named after the patient only by their place."""

    def __init__(self, entries, revealing) -> None:
        self._entries, self._revealing = entries, revealing

    def entry(self, name):
        return self._entries[name][1]

    def place(self, name):
        return place("images", *self._entries[name])

    def call(self, name):
        return self.place(name) if name in self._revealing else name

    def reason(self, name, error):
        got = f", {error.got}" if error.got is not None else ""
        return f"{error.what}{got}" if name in self._revealing else f"{name}: {error.what}{got}"


def _openable(images, image_root):
    """{file name: (position, entry)} of the images that may be opened; the first entry where a name stands twice."""
    named = [
        (index, image)
        for index, image in enumerate(images)
        if isinstance(image, dict) and file_name_fault(image.get("file_name")) is None
    ]
    absent = []
    check_files(named, image_root, absent)
    if any(problem.where == "image root" for problem in absent):
        return {}
    left_out = {problem.where for problem in absent}
    entries = {}
    for index, image in named:
        if place("images", index, image) not in left_out:
            entries.setdefault(image["file_name"], (index, image))
    return entries


def _size_problem(listing, name, size_hw):
    entry = listing.entry(name)
    listed = (entry.get("height"), entry.get("width"))
    if listed == tuple(size_hw) or not all(type(value) is int for value in listed):
        return None
    turned = listed == tuple(size_hw)[::-1]
    got = f"{listed[1]} x {listed[0]} px, and the file {size_hw[1]} x {size_hw[0]} px"
    what = "is not the size of the file"
    return Problem(listing.place(name), "width, height", what, got, ERROR, _TURNED if turned else _SIZE)


def _exact_problem(listing, pair):
    first, second = listing.entry(pair.first), listing.entry(pair.second)
    labels = [entry.get("image_label") for entry in (first, second)]
    got = f"{listing.call(pair.second)} and {listing.call(pair.first)}{_cases(first, second)}"
    if None not in labels and labels[0] != labels[1]:
        what = "is the same picture as another, with another label"
        got += f"; {labels[1]} and {labels[0]}"
        return Problem(listing.place(pair.second), "image_label", what, got, ERROR, "find out which label is right")
    return Problem(listing.place(pair.second), "file_name", "is the same picture as another", got, WARNING, _ONE_PART)


def _near_problem(listing, pair):
    cases = _cases(listing.entry(pair.first), listing.entry(pair.second))
    likeness = f"distance {pair.distance} of 143 bits, correlation {pair.correlation:.2f}"
    got = f"{listing.call(pair.second)} and {listing.call(pair.first)}, {likeness}{cases}"
    return Problem(listing.place(pair.second), "file_name", _LIKENESS[pair.kind], got, WARNING, _LOOK)


def _cases(first, second):
    cases = [case_of(entry) for entry in (first, second)]
    if None in cases:
        return ""
    return ", of the same case" if cases[0] == cases[1] else ", of different cases"


def _reveals_patient(path):
    if not is_dicom(path):
        return False
    from segtumor.imaging.dicom.attributes import name_reveals_patient  # pydicom comes with it

    with contextlib.suppress(SegtumorError):  # a file that does not open is a problem of its own
        return name_reveals_patient(path)
    return False

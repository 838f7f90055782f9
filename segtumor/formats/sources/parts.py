"""What a name says of the part of a split that an image belongs to: train, val or test."""

import re
from pathlib import PurePosixPath

from segtumor.datasets.splits.official import part_name

#: Folders of nnU-Net.
_NNUNET = {"imagestr": "train", "labelstr": "train", "imagests": "test", "labelsts": "test"}


def part_named(text: str) -> str | None:
    """ "train", "val" or "test" of the ways to write them, in any case; None for anything else."""
    return _NNUNET.get(text.strip().lower()) or part_name(text)


def part_of_path(path: str | PurePosixPath) -> str | None:
    """ "train", "val" or "test" if the names of the folders of ``path`` say exactly one of them, else None.

    A folder counts by its whole name or its first word: ``train``, ``valid``, ``test``, ``train2017``, ``images_val``.
    """
    words = {word for folder in PurePosixPath(path).parts[:-1] for word in re.findall("[a-z]+", folder.lower())}
    found = {part_named(word) for word in words} - {None}
    return found.pop() if len(found) == 1 else None

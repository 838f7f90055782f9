"""Images to the place where a data set's annotation files expect them: a link to their folder, or copies.

Not here: reading or changing them.
"""

import filecmp
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from segtumor.errors import OutputError
from segtumor.files import atomic_path
from segtumor.progress import Progress


def place_images(
    source: Path | str, target: Path | str, names: Sequence[str], *, mode: str, progress: Progress = iter
) -> bool:
    """Make images of ``source`` reachable at ``target``: by a link, or by copies of ``names``, as ``mode`` says.

    What is already right is left as it is; something else in its place is never overwritten, but raises OutputError.
    Returns whether a link was made.
    """
    source, target = Path(source), Path(target)
    if target.exists() and target.samefile(source):
        return False
    if mode == "link":
        return _link(source, target, names)
    if target.is_symlink():
        raise OutputError("is a link; a folder to copy into is needed", where=target, remedy="Remove the link")
    for name in progress(names):
        if not _same_file(source / name, target / name):
            if os.path.lexists(target / name):
                remedy = "Choose another --output, or remove it"
                raise OutputError("another picture has that name", where=target / name, remedy=remedy)
            with atomic_path(target / name) as temporary:
                shutil.copyfile(source / name, temporary)
    return False


def _link(source: Path, target: Path, names: Sequence[str]) -> bool:
    if target.is_symlink() or target.exists():
        if all(_same_file(source / name, target / name) for name in names):
            return False
        remedy = "Remove it, choose another --output, or have them copied"
        raise OutputError("exists and does not hold the images of the source", where=target, remedy=remedy)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(source.resolve(), target, target_is_directory=True)
    except OSError as error:
        raise OutputError(f"cannot link: {error.strerror}", where=target, remedy="Have the images copied") from error
    return True


def _same_file(first: Path, second: Path) -> bool:
    """Whether the content is the same: two pictures of one size may be of two patients."""
    return second.is_file() and filecmp.cmp(first, second, shallow=False)

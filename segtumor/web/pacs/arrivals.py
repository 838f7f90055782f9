"""What came from an archive: a file on this disk, named by nothing that a patient could be known by, and from where."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

#: Called with the path of each radiograph that came and a few words on where from, such as "DICOM from XRAY1". The file
#: is whole and belongs to who is called. An exception refuses it: the file is removed, and the sender is told.
OnFile: TypeAlias = Callable[[Path, str], None]

#: Modalities of radiographs: computed, digital, and film or whatever the device called radiographic imaging.
RADIOGRAPHS = ("CR", "DX", "RG")
#: Largest object that is taken, bytes: a detector of 4,000 x 4,000 px gives 32 MB.
MOST_BYTES = 128 * 2**20
_DIGITS = 32


def hand_over(path: Path, origin: str, on_file: OnFile) -> None:
    """Call ``on_file``; where it raises, remove the file and let the exception pass."""
    try:
        on_file(path, origin)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def file_name(instance_uid: str) -> str:
    """The name of the file of an object: a digest of its UID, so that the same object is one file."""
    return f"{hashlib.sha256(instance_uid.encode('utf-8', 'surrogateescape')).hexdigest()[:_DIGITS]}.dcm"

"""From what was sent to images that wait for a reading: archives unpacked, headers read, cases found."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from segtumor.errors import BadImageError, DataError
from segtumor.escaping import printable, shortened
from segtumor.files import open_ordinary, output_errors
from segtumor.formats.conversion.case_salt import load_salt
from segtumor.imaging.dicom.attributes import dicom_identity
from segtumor.imaging.listing import is_dicom
from segtumor.imaging.radiograph import MAX_PIXELS, check_size
from segtumor.imaging.reader import read_size_hw
from segtumor.web.archives import is_archive, unpacked
from segtumor.web.model import reason_of
from segtumor.web.storage.schema import Image
from segtumor.web.storage.store import NewImage, Store

_LONGEST_NAME = 120


@dataclass
class Intake:
    """What became of what was sent: images, those that were there before among them, and (name, reason) of the rest."""

    images: list[Image] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)

    def add(self, other: "Intake") -> None:
        """Take over what another one holds."""
        self.images += other.images
        self.refused += other.refused


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is refused: files larger than ``file_bytes``, radiographs of more than ``pixels`` px."""

    file_bytes: int = 256 * 2**20
    pixels: int = MAX_PIXELS


def take_in(
    store: Store, path: Path, name: str, *, limits: Limits, case_name: str | None = None, origin: str = "page"
) -> Intake:
    """Take in a file, or the members of a zip archive. Nothing is decoded yet, so that a page answers at once.

    Args:
        path: a file that may be removed afterwards.
        name: what it was called; shown, never used on disk.
        case_name: of all of them; None for the DICOM patient's pseudonym, else the name of the file.

    Raises:
        OutputError: there is no space for it.
    """
    found = Intake()
    for member_name, member_path, reason in _files(store, path, name, limits):
        shown = _shown_name(member_name)
        if member_path is None:
            found.refused.append((shown, str(reason)))
            continue
        try:
            found.images.append(_taken(store, member_path, shown, limits, case_name, origin))
        except DataError as error:
            found.refused.append((shown, reason_of(error)))
    return found


def _files(store: Store, path: Path, name: str, limits: Limits) -> Iterator[tuple[str, Path | None, str | None]]:
    with open_ordinary(path) as file:
        head = file.read(4)
    if not is_archive(head):
        yield name, path, None
        return
    try:
        with output_errors(store.folder):
            for member in unpacked(path, store.folder, most_bytes=limits.file_bytes):
                yield member.name, member.path, member.reason
    except DataError as error:
        yield name, None, reason_of(error)


def _taken(store: Store, path: Path, name: str, limits: Limits, case_name: str | None, origin: str) -> Image:
    with open_ordinary(path) as file:
        if is_archive(file.read(4)):
            raise DataError("an archive in an archive is not unpacked", remedy="Unpack it first")
    size_hw = read_size_hw(path)
    check_size(size_hw, limits.pixels, "the image")
    dicom = is_dicom(path)
    case = case_name or (_case_of_dicom(path) if dicom else None) or PurePosixPath(name).stem
    image, _ = store.add(
        NewImage(
            case_name=_shown_name(case),
            name=name,
            path=path,
            is_dicom=dicom,
            size_hw=size_hw,
            origin=origin,
        )
    )
    return image


def _case_of_dicom(path: Path) -> str | None:
    """The patient's pseudonym, the same as in data sets that ``segtumor data convert`` makes."""
    try:
        attributes, _ = dicom_identity(path, salt=load_salt())
    except BadImageError:  # the picture may be sound all the same; the reading says so if not
        return None
    case_id: str | None = attributes["case_id"]
    return case_id


def _shown_name(name: str) -> str:
    """The last part of a path of any system, without signs that would change the text around it."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return shortened(printable(last).strip(), _LONGEST_NAME) or "image"

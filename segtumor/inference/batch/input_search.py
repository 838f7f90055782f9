"""Which files are meant by what was typed: files, folders and what lies deeper, patterns, lists, annotations.

What is not read is kept with its reason, since a radiograph that was passed over must not look like one without a
finding. Not here: what is an image (``imaging.listing``), and names of overlays (``inputs``).
"""

import codecs
import glob
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from segtumor.cases import case_or_own
from segtumor.errors import DataError
from segtumor.files import open_ordinary
from segtumor.imaging.listing import SUPPORTED_SUFFIXES, LeftOut, look_through, why_no_image
from segtumor.inference.batch.earlier_output import is_made, kind_of_output, what_infer_made
from segtumor.inference.batch.inputs import distinct
from segtumor.texts import counted

#: Columns of a table that may hold the files, in the order in which they are looked for.
_PATH_COLUMNS = ("path", "file", "file_name", "filename", "image", "image_name", "image_id", "name")
_LARGEST_LIST_BYTES = 256 * 2**20
_SUB_FOLDER = "a sub-folder; --recursive reads it"
_DEEPER = "Add --recursive, or quote a pattern, such as '{}/**/*'"


@dataclass(frozen=True)
class Inputs:
    """What was found.

    Attributes:
        paths: files to read, each once, in the order given.
        left_out: tuple of ``LeftOut``: files and folders that were passed over.
        case_of: {path: case} of the images of a COCO file.
    """

    paths: list[Path]
    left_out: tuple[LeftOut, ...] = ()
    case_of: Mapping[Path, str] = field(default_factory=dict)


def find_inputs(
    patterns: Iterable[str], *, recursive: bool = False, annotations: str | None = None, image_root: str | None = None
) -> Inputs:
    """Files, folders, glob patterns, lists of files and a COCO file to files.

    A missing file stays among the paths, where it fails alone, if another input is there.

    Args:
        patterns: as typed. A .txt file is a list with a path on each line, a table (.csv, .tsv, .xlsx) one with a
            column such as "path": relative to the folder of the list, or to the working folder.
        recursive: whether what lies in sub-folders of a folder is read too.
        annotations: COCO file whose images are read, or None.
        image_root: folder of its images; None takes ``images`` beside the folder of the file.

    Raises:
        DataError: nothing there, a pattern without a match, a folder without images, or a list that names no files.
    """
    found = [_find(pattern, recursive) for pattern in patterns]
    if annotations is not None:
        from segtumor.annotations.coco import load_coco  # not where images are read alone: a start is waited for

        dataset = load_coco(annotations, image_root, check_files=False, require_masks=False)
        case_of = {dataset.image_root / image["file_name"]: case_or_own(image) for image in dataset.images}
        found.append(Inputs(list(case_of), case_of=case_of))
    paths = [path for inputs in found for path in inputs.paths]
    if not any(map(os.path.lexists, map(_printable, paths))):
        remedy = "Check --images" if annotations is not None else "Check --input"
        raise DataError("no such file or folder", where=paths[0] if paths else annotations, remedy=remedy)
    left_out = {str(item.path): item for inputs in found for item in inputs.left_out}
    case_of = {path: case for inputs in found for path, case in inputs.case_of.items()}
    return Inputs(distinct(paths), tuple(left_out.values()), case_of)


def _printable(path: str | Path) -> str:
    return str(path).replace("\0", "")  # a null character makes lexists raise; no such file exists


def _find(pattern: str, recursive: bool) -> Inputs:
    """Inputs of one thing that was typed."""
    if os.path.isdir(pattern):
        return _of_folder(Path(pattern), recursive)
    suffix = os.path.splitext(pattern)[1].lower()
    if suffix == ".json" and os.path.isfile(pattern):
        raise DataError("a JSON file is no image", where=pattern, remedy="Give an annotation file to --annotations")
    may_be_list = suffix not in SUPPORTED_SUFFIXES and _is_of_list(suffix) and os.path.exists(pattern)
    if may_be_list and why_no_image(Path(pattern)):  # DICOM may be called anything
        return Inputs(_listed(Path(pattern)))
    if os.path.lexists(_printable(pattern)) or not glob.has_magic(pattern):
        return Inputs([Path(pattern)])
    return _of_pattern(pattern, recursive)


def _is_of_list(suffix: str) -> bool:
    from segtumor.annotations.tables.spreadsheets import SHEET_SUFFIXES

    return suffix in (".txt", *SHEET_SUFFIXES)


def _of_pattern(pattern: str, recursive: bool) -> Inputs:
    names = sorted(glob.glob(pattern, recursive=True))
    files = [Path(name) for name in names if not os.path.isdir(name)]
    folders = [Path(name) for name in names if os.path.isdir(name)]
    paths, left_out = [path for path in files if not is_made(path)], _made(files)
    if not names:
        raise DataError("nothing matches", where=pattern, remedy="Check --input")
    if recursive:
        for folder in folders:
            deeper = _walk(folder)
            paths, left_out = paths + deeper.paths, left_out + deeper.left_out
    if not paths:
        got = f"{len(folders)} folders" if folders else f"{len(left_out)} results of earlier runs"
        remedy = _DEEPER.format(folders[0]) if folders else "Check --input"
        raise DataError("no file matches", where=pattern, got=got, remedy=remedy)
    return Inputs(paths, left_out)


def _of_folder(folder: Path, recursive: bool) -> Inputs:
    if recursive:
        found = _walk(folder)
    else:
        images, left_out = look_through(folder)
        deeper = tuple(LeftOut(path, _not_entered(path) or _SUB_FOLDER) for path in _sub_folders(folder))
        found = Inputs([path for path in images if not is_made(path)], (*left_out, *_made(images), *deeper))
    if found.paths:
        return found
    n_folders = len(_sub_folders(folder))
    if n_folders and not recursive:
        n_deeper = counted(n_folders, "sub-folders")
        raise DataError("folder without images", where=folder, got=n_deeper, remedy=_DEEPER.format(folder))
    suffixes = " ".join(sorted(SUPPORTED_SUFFIXES))
    got = f"{len(found.left_out)} others, first: {found.left_out[0].reason}" if found.left_out else None
    expected = f"files that end in {suffixes}, or DICOM of any name"
    raise DataError("folder without images", where=folder, got=got, expected=expected)


def _made(paths: Iterable[Path]) -> tuple[LeftOut, ...]:
    made = ((path, what_infer_made(path)) for path in paths)
    return tuple(LeftOut(path, f"{what} of an earlier run") for path, what in made if what is not None)


def _sub_folders(folder: Path) -> list[Path]:
    """Folders directly in a folder but for hidden ones, sorted, a list of Path."""
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:  # told by look_through
        return []


def _walk(root: Path) -> Inputs:
    """Inputs of a folder and all below it, folder by folder in the order of their names."""
    images, left_out, waiting = [], [], [root]
    while waiting:
        folder = waiting.pop()
        try:
            here, others = look_through(folder)
        except DataError as error:
            if folder == root:
                raise
            left_out.append(LeftOut(folder, error.what))
            continue
        images += [path for path in here if not is_made(path)]
        left_out += [*others, *_made(here)]
        for path in reversed(_sub_folders(folder)):
            reason = _not_entered(path)
            if reason:
                left_out.append(LeftOut(path, reason))
            else:
                waiting.append(path)
    return Inputs(images, tuple(left_out))


def _not_entered(folder: Path) -> str | None:
    """Why a folder is not entered even by --recursive, or None."""
    return "a link to a folder" if folder.is_symlink() else kind_of_output(folder)


def _listed(path: Path) -> list[Path]:
    """Paths that a list names."""
    names = _lines(path) if path.suffix.lower() == ".txt" else _cells(path)
    if not names:
        raise DataError("the list names no files", where=path, expected="a path on each line")
    return [_place(name, path) for name in names]


def _lines(path: Path) -> list[str]:
    try:
        with open_ordinary(path) as file:
            data = file.read(_LARGEST_LIST_BYTES + 1)
    except OSError as error:
        raise DataError(f"the list cannot be read: {error.strerror}", where=path) from error
    is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # as Windows' PowerShell writes it
    # Names of files are bytes; those that are no UTF-8 are kept, as everywhere.
    text = data.decode("utf-16", "replace") if is_utf16 else os.fsdecode(data.removeprefix(codecs.BOM_UTF8))
    if len(data) > _LARGEST_LIST_BYTES or "\0" in text:
        raise DataError("this is not a list of files", where=path, expected="a path on each line, in UTF-8")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def _cells(path: Path) -> list[str]:
    from segtumor.annotations.tables.image_tables import read_cells

    rows = read_cells(path)
    if not rows:
        return []
    column = next((name for name in _PATH_COLUMNS if name in rows[0]), None)
    if column is None:
        got, expected = ", ".join(rows[0]), f"one of {', '.join(_PATH_COLUMNS)}"
        raise DataError("no column of files", where=path, got=got, expected=expected)
    return [row[column] for row in rows if row[column]]


def _place(name: str, path: Path) -> Path:
    """The file that a list means: below the folder of the list, else below the working folder."""
    if "\\" in name and not (path.parent / name).exists():  # written on Windows
        name = name.replace("\\", "/")
    below, as_typed = path.parent / name, Path(name)
    if below != as_typed and below.exists() and as_typed.exists() and not below.samefile(as_typed):
        remedy = "Write absolute paths, or move the list"
        raise DataError(f"'{name}' could be {below} or {as_typed}", where=path, remedy=remedy)
    return below if below.exists() or not as_typed.exists() else as_typed

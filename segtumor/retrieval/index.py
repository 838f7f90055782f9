"""An index: the embeddings of a data set's images by one model, and what is known of each image; and its file.

The file is an uncompressed .npz of plain arrays, read without pickle. It holds no pixels, but names of files and cases.
Letters: N images, D features.
"""

import dataclasses
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segtumor.arrays import Array, Floats32
from segtumor.errors import ConfigError, DataError
from segtumor.files import atomic_path

SCHEMA_VERSION = 1
#: The label of a tumour whose class is not known; no class may be called so.
UNKNOWN = "tumour of unknown class"
_TEXTS = ("file_names", "cases", "labels", "calls", "pixel_sha256")
_AGAIN = "Write the index again with segtumor embed"


@dataclass(frozen=True, eq=False, kw_only=True)
class Index:
    """Embeddings of N images.

    Attributes:
        embeddings: (N, D) float32, none of them zero.
        file_names: (N,) texts, relative to ``image_root``.
        cases: (N,) texts, ``cases.case_or_own``.
        labels: (N,) texts, true class of each image: "normal", a class, or ``UNKNOWN``.
        calls: (N,) texts, what the model called it at its threshold.
        pixel_sha256: (N,) texts, ``datasets.fingerprints.pixel_hash``.
        class_names: K names that the model finds, by ``class_id``.
        model: what identifies model and input (``inference.similar.model_identity``), plain values.
        image_root: folder of the images where the index was written.

    Raises:
        DataError: the arrays do not belong together, or an embedding is zero or not finite.
    """

    embeddings: Floats32
    file_names: Sequence[str]
    cases: Sequence[str]
    labels: Sequence[str]
    calls: Sequence[str]
    pixel_sha256: Sequence[str]
    class_names: tuple[str, ...]
    model: Mapping[str, Any]
    image_root: str

    def __post_init__(self) -> None:
        n = len(self.embeddings)
        lengths = {name: len(getattr(self, name)) for name in _TEXTS}
        if self.embeddings.ndim != 2 or not n or set(lengths.values()) != {n}:
            got = f"embeddings {self.embeddings.shape}, {lengths}"
            raise DataError("the arrays of this index do not belong together", got=got, expected="one row per image")
        broken = np.flatnonzero(~np.isfinite(self.embeddings).all(axis=1) | ~self.embeddings.any(axis=1))
        if len(broken):
            raise DataError("an embedding that is zero or not finite", where=self.file_names[broken[0]])

    def __len__(self) -> int:
        return len(self.embeddings)


def write_index(path: str | Path, index: Index) -> None:
    """Write an index, atomically; raises OutputError."""
    about = {
        "schema_version": SCHEMA_VERSION,
        **{name: getattr(index, name) for name in ("class_names", "model", "image_root")},
    }
    arrays: dict[str, Any] = {name: np.array(getattr(index, name), dtype=np.str_) for name in _TEXTS}
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, about=np.array(json.dumps(about)), embeddings=index.embeddings, **arrays)


def read_index(path: str | Path) -> Index:
    """An index that ``write_index`` wrote.

    Raises:
        DataError: it is missing, damaged, of another version, or no index.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            # Written so; a small file that unpacks to a large one would take all memory.
            stored = all(item.compress_type == zipfile.ZIP_STORED for item in archive.infolist())
        with np.load(path, allow_pickle=False) as file:
            arrays: dict[str, Array] = dict(file) if stored else {}
        about = json.loads(str(arrays.pop("about")))
        version, model, names = about["schema_version"], dict(about["model"]), about["class_names"]
        if version != SCHEMA_VERSION:
            raise DataError("an index of another version", where=path, got=version, expected=SCHEMA_VERSION)
        texts = {name: [str(text) for text in arrays.pop(name).tolist()] for name in _TEXTS}
        return Index(
            embeddings=arrays.pop("embeddings").astype(np.float32, casting="same_kind"),
            **texts,
            class_names=tuple(map(str, names)),
            model=model,
            image_root=str(about["image_root"]),
        )
    except OSError as error:
        raise DataError(f"the index cannot be read: {error.strerror}", where=path, remedy="Check the path") from error
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError("not an index, or damaged", where=path, remedy=_AGAIN) from error


def check_model(index: Index, model: Mapping[str, Any], *, where: str | Path) -> None:
    """Refuse an index whose embeddings are of another model, or of pictures that were prepared in another way.

    Args:
        model: as ``Index.model``, of the model that is to be compared.
        where: the index's file.

    Raises:
        ConfigError: it is of another.
    """
    ours = json.loads(json.dumps(dict(model)))  # tuples are lists
    different = [key for key in {**ours, **index.model} if ours.get(key) != index.model.get(key)]
    if different:
        raise ConfigError(
            "this index was written with another model, or another size or window of its input",
            where=where,
            got="; ".join(f"{key} {index.model.get(key)!s:.20}" for key in different),
            expected="; ".join(f"{key} {ours.get(key)!s:.20}" for key in different),
            remedy=f"{_AGAIN} and this model",
        )


def subset(index: Index, rows: Sequence[int]) -> Index:
    """The index of some images only."""
    texts: dict[str, Any] = {name: [getattr(index, name)[row] for row in rows] for name in _TEXTS}
    return dataclasses.replace(index, embeddings=index.embeddings[list(rows)], **texts)

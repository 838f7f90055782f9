"""The images of an index that a model sees like a radiograph, put into its reading; and their pictures.

Never an image of the radiograph's own case: that is known where the index holds the same pixels, and where the caller
knows the case. A copy of another size or compression is another picture here.
"""

import dataclasses
import functools
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from segtumor.arrays import GrayImage
from segtumor.errors import ConfigError, SegtumorError
from segtumor.files import is_inside, sha256_of_file
from segtumor.imaging import normalize_window, read_radiograph
from segtumor.imaging.resizing import resize
from segtumor.inference.load import InferenceModel
from segtumor.retrieval.index import Index, check_model, read_index
from segtumor.retrieval.neighbours import Neighbours
from segtumor.structures.readings import Reading, Similar

logger = logging.getLogger(__name__)
_THUMBNAIL_PX = 384
_OF_INPUT = ("short_edge_px", "max_long_edge_px", "window_percentiles", "square", "steps")


def model_identity(model: InferenceModel) -> dict[str, Any]:
    """What two models must have in common for their embeddings to be compared: weights, and how pictures come in.

    A training run and its exports are one model: what they compute differs by rounding.
    """
    weights = model.entry.get("weights_sha256") or model.entry.get("export_sha256")
    return {"weights_sha256": weights, **{name: model.settings.get(name) for name in _OF_INPUT}}


class SimilarImages:
    """Finds the k images of an index that are most like a radiograph.

    Args:
        index: of the model whose readings are given.
        k: images for each reading, from 1.
        settings: what identifies the index and k, plain values.
        case_of: {path: case} of radiographs whose case is known, as ``cases.case_or_own``.

    Raises:
        ConfigError: k is out of range.
    """

    def __init__(
        self, index: Index, k: int, *, settings: Mapping[str, Any], case_of: Mapping[Path, str] | None = None
    ) -> None:
        if k < 1:
            raise ConfigError("out of range", where="--similar", got=k, expected="1 or more")
        self.settings, self._k, self._case_of = dict(settings), k, case_of or {}
        self._neighbours, self._root = Neighbours(index), Path(index.image_root)
        self._cases_of_pixels: dict[str, set[str]] = {}
        for pixels, case in zip(index.pixel_sha256, index.cases, strict=True):
            self._cases_of_pixels.setdefault(pixels, set()).add(case)
        self._thumbnail = functools.lru_cache(maxsize=256)(self._read_thumbnail)
        if not self._root.is_dir():
            logger.warning("no pictures of similar images: no folder %s", self._root)

    @classmethod
    def open(
        cls, path: str | Path, model: InferenceModel, k: int, *, case_of: Mapping[Path, str] | None = None
    ) -> "SimilarImages":
        """Those of an index file, for a model.

        Raises:
            DataError: the file is missing or damaged.
            ConfigError: it is of another model, or k is out of range.
        """
        index = read_index(path)
        check_model(index, model_identity(model), where=path)
        settings = {"k": k, "index_sha256": sha256_of_file(path)}
        return cls(index, k, settings=settings, case_of=case_of)

    def found_for(self, reading: Reading, pixel_sha256: str, path: Path | None = None) -> Reading:
        """The reading with its ``similar`` images.

        Args:
            reading: with an embedding.
            pixel_sha256: of the radiograph (``datasets.fingerprints.pixel_hash``).
            path: its file, to know its case by.
        """
        own = set(self._cases_of_pixels.get(pixel_sha256, ()))
        if path is not None and path in self._case_of:
            own.add(self._case_of[path])
        if reading.embedding is None:
            raise ValueError("a reading without an embedding")
        direction = self._neighbours.directions_of(reading.embedding[None])[0]
        index = self._neighbours.index
        return dataclasses.replace(
            reading,
            similar=tuple(
                Similar(index.file_names[row], index.cases[row], index.labels[row], distance)
                for row, distance in self._neighbours.nearest(direction, self._k, own_cases=own)
            ),
        )

    def thumbnails(self, reading: Reading) -> list[GrayImage | None]:
        """The pictures of a reading's similar images, (h, w) in [0, 1], at most 384 px; None where there is none."""
        return [self._thumbnail(similar.file_name) for similar in reading.similar]

    def _read_thumbnail(self, file_name: str) -> GrayImage | None:
        path = self._root / file_name
        if not self._root.is_dir() or not is_inside(path, self._root):
            return None
        try:
            pixels = read_radiograph(path, log=False).pixels
        except SegtumorError as error:
            logger.warning("no picture of a similar image: %s", error)
            return None
        scale = _THUMBNAIL_PX / max(pixels.shape)
        height, width = (max(1, round(edge * min(1.0, scale))) for edge in pixels.shape)
        return np.asarray(resize(normalize_window(pixels), (height, width)), dtype=np.float32)

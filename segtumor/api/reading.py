"""A reading with ways to look at it: a table, a picture, COCO results."""

import base64
import dataclasses
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtumor.annotations.predictions.writing import predictions_document
from segtumor.api.sources import Source, in_unit_range, kind_of, radiograph_of
from segtumor.errors import BadImageError, DataError, SegtumorError
from segtumor.imaging import normalize_window
from segtumor.structures import readings
from segtumor.structures.lesions import Lesion
from segtumor.structures.outcomes import InferenceOutcome
from segtumor.structures.postprocessing import keep_above

if TYPE_CHECKING:
    import pandas
    from PIL import Image


@dataclass(frozen=True, kw_only=True)
class Reading(readings.Reading):
    """What a model says about one radiograph, with ways to look at it.

    ``findings`` are all that the model returned, the uncertain ones too, since average precision needs them. What is
    shown, in tables and pictures, reaches ``score_threshold``, as in findings.csv and overlays of ``segtumor infer``.

    Attributes:
        source: what was read: a path, an array, or a radiograph. A file is read again when the reading is drawn.
        score_threshold: from which on findings are shown, [0, 1].
        window_percentiles: gray values made black and white in pictures.
        max_pixels: larger files are refused, px.
    """

    source: Source = field(compare=False, repr=False)
    score_threshold: float
    window_percentiles: tuple[float, float] = (0.5, 99.5)
    max_pixels: int = 64_000_000

    def above(self, threshold: float | None = None) -> "Reading":
        """The reading without findings below a score, [0, 1]; None for ``score_threshold``."""
        return dataclasses.replace(self, findings=keep_above(self.findings, self._threshold(threshold)))

    def to_frame(self, threshold: float | None = None) -> "pandas.DataFrame":
        """A table with a row for each finding of at least ``threshold``; one row without numbers where there is none.

        Returns:
            pandas.DataFrame with the columns of findings.csv that say something of a finding: ``file``, ``finding``
            (from 1), ``class``, ``score``, ``probability_<class>``, box (``x0_px``, ...), ``width_px``, ``height_px``,
            ``area_px``, the same in mm where the spacing is known, ``spacing_source``, ``note``, and of models that
            judge whole images ``image_probability_<class>`` and ``uncertainty``. What does not apply is missing.
        """
        import pandas

        from segtumor.reporting.files.findings_files import findings_columns, rows_of_one

        outcome = InferenceOutcome(self.file_name, self.above(threshold))
        columns = [
            name
            for name in findings_columns(self.class_names, judges_images=True)
            if name not in ("status", "overlay", "reason")
        ]
        rows = rows_of_one(outcome, self.class_names, judges_images=True)
        frame = pandas.DataFrame(rows, columns=columns).replace({"": None, "none": None})
        texts = ("file", "class", "spacing_source", "note")
        types = {name: "str" if name in texts else "Int64" if name == "finding" else "float64" for name in columns}
        return frame.astype(types)

    def to_coco(self) -> dict[str, Any]:
        """The content of a predictions.json with this image alone: COCO results with all findings."""
        return to_coco([self])

    def draw(self, threshold: float | None = None, *, true_lesions: Sequence[Lesion] = ()) -> "Image.Image":
        """The radiograph with what was found, as ``segtumor infer`` draws it.

        Args:
            threshold: findings below it are not drawn, [0, 1]; None for ``score_threshold``.
            true_lesions: drawn dashed.

        Returns:
            PIL image, RGB, long side of the radiograph between 768 and 2,000 px, with a header and a footer.

        Raises:
            BadImageError: the file that was read is gone, or its size is another now.
            ConfigError: the threshold is out of range.
        """
        from PIL import Image

        from segtumor.reporting.pictures.overlay import draw_reading

        radiograph = radiograph_of(self.source, self.max_pixels)
        if tuple(radiograph.size_hw) != self.size_hw:
            raise BadImageError("the file is no longer the one that was read", where=self.file_name)
        picture = draw_reading(
            normalize_window(radiograph.pixels, *self.window_percentiles),
            self,
            score_threshold=self._threshold(threshold),
            note=self.note,
            file_name=self.name or None,
            true_lesions=true_lesions,
        )
        return Image.fromarray(picture)

    @property
    def file_name(self) -> str:
        """The path as it was given; of pixels, the radiograph's name."""
        return str(self.source) if isinstance(self.source, (str, Path)) else self.name

    def _threshold(self, threshold: float | None) -> float:
        return self.score_threshold if threshold is None else in_unit_range("threshold", threshold)

    def _repr_png_(self) -> bytes:
        written = io.BytesIO()
        self.draw().save(written, format="png")
        return written.getvalue()

    def _repr_html_(self) -> str:
        try:
            picture = f'<img src="data:image/png;base64,{base64.b64encode(self._repr_png_()).decode()}" width="512">'
        except SegtumorError as error:
            picture = f"<p>{html.escape(str(error))}</p>"
        table = self.to_frame().dropna(axis="columns", how="all").to_html(index=False, border=0)
        return f"<div>{picture}{table}</div>"


def to_coco(readings_of_images: Sequence[Reading]) -> dict[str, Any]:
    """The content of a predictions.json: COCO results with the images and categories they speak of.

    Args:
        readings_of_images: of one model.

    Returns:
        plain values for ``json.dump``; ``segtumor evaluate`` and ``segtumor.evaluate`` read them.

    Raises:
        DataError: no readings, or of models with different classes.
    """
    expected = "a list of readings of one model, at least one"
    if not isinstance(readings_of_images, Sequence) or not all(isinstance(r, Reading) for r in readings_of_images):
        raise DataError("these are not readings", got=kind_of(readings_of_images), expected=expected)
    names = {reading.class_names for reading in readings_of_images}
    if len(names) != 1:
        got = f"readings with {len(names)} different lists of classes" if names else "none"
        raise DataError("these readings do not go into one file", got=got, expected=expected)
    outcomes = [InferenceOutcome(reading.file_name, reading) for reading in readings_of_images]
    return predictions_document(outcomes, names.pop())

"""The Python API: load a model, let it read radiographs, look at what it says, evaluate it.

What is here is what ``import segtumor`` offers by name; everything else may move. Not here: training, exporting and
data sets, which are commands and the rooms behind them.
"""

import base64
import dataclasses
import functools
import html
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import numpy as np

from segtumor.annotations.predictions.writing import predictions_document
from segtumor.arrays import Array, GrayImage
from segtumor.errors import BadImageError, ConfigError, DataError, SegtumorError
from segtumor.imaging import Radiograph, normalize_window, read_radiograph
from segtumor.imaging.contrast import remarks_on
from segtumor.inference.cascade import with_points
from segtumor.inference.load import InferenceModel, check_model, folds_in
from segtumor.inference.several import load_models
from segtumor.inference.similar import SimilarImages
from segtumor.shipped.registry import model_folder
from segtumor.structures import readings
from segtumor.structures.lesions import Finding, Lesion
from segtumor.structures.outcomes import InferenceOutcome
from segtumor.structures.postprocessing import keep_above
from segtumor.structures.readings import Note
from segtumor.tabular.encoder import Context
from segtumor.tabular.values import source_of

if TYPE_CHECKING:
    import pandas
    from PIL import Image

    from segtumor.evaluation.facts.settings import StudySettings
    from segtumor.evaluation.study.values import Study

#: What a model reads: a file, its pixels, or a radiograph that was read before.
Source: TypeAlias = str | Path | Array | Radiograph
#: Several of them; of any kind, since a list of paths is no list of sources to a type checker.
Several: TypeAlias = list[Any] | tuple[Any, ...]

_FROM_ELSEWHERE = {
    "Study": "segtumor.evaluation.study.values",
    "StudySettings": "segtumor.evaluation.facts.settings",
}


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

        radiograph = _radiograph(self.source, self.max_pixels)
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
        return self.score_threshold if threshold is None else _in_unit_range("threshold", threshold)

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


class Model:
    """A model, loaded by ``segtumor.load``.

    Safe from threads: files are read side by side, the model itself answers one call after the other (a lock in
    ``runtime.predictor``), and each reading depends on its own radiograph only. Pickled or copied, it is loaded again
    from its folder, for worker processes.

    Attributes:
        class_names: K names of what it finds, by ``class_id``.
        score_threshold: from which on findings are shown, [0, 1].
        about: what identifies it, such as the hash of its weights and what it was trained on; plain values.
        context_columns: names of what it takes beside pixels, such as age and sex; () for most models.
    """

    def __init__(
        self, loaded: InferenceModel, load_again: "Callable[[], Model]", similar: "SimilarImages | None" = None
    ) -> None:
        self.class_names: tuple[str, ...] = loaded.predictor.class_names
        self.score_threshold = float(loaded.settings["confidence_threshold"])
        self.about = dict(loaded.entry)
        self.context_columns = loaded.predictor.context_columns
        self._loaded, self._load_again, self._similar = loaded, load_again, similar

    def __reduce__(self) -> tuple[Any, ...]:
        return self._load_again, ()

    def __repr__(self) -> str:
        return f"<segtumor.Model of {', '.join(self.class_names)}>"

    @overload
    def read(self, source: Source, *, context: Context | None = None) -> Reading: ...

    @overload
    def read(self, source: Several, *, context: Sequence[Context] | None = None) -> list[Reading]: ...

    def read(
        self, source: Source | Several, *, context: Context | Sequence[Context] | None = None
    ) -> Reading | list[Reading]:
        """Read a radiograph, or a list of them one after the other.

        Args:
            source: path of a PNG, JPEG, TIFF, BMP or DICOM file; or its gray values, (H, W): uint8 or uint16 from
                black to white, or floats in [0, 1], bright is dense; or a ``Radiograph``; or a list of these.
            context: what is known of the patient, {"age": 12, "sex": "F"}, by ``context_columns``; what is missing is
                replaced by the training set's usual value, and a note says so. Of a list of sources, a list.

        Raises:
            ConfigError: a context with other names, of another number, or for a model that takes none.
            BadImageError: a file that cannot be read, or pixels that are none: another type, shape or range, or NaN.
            NonFiniteOutputError: the model broke down; nothing is known of the radiograph.
        """
        sources = source if isinstance(source, (list, tuple)) else [source]
        given = [context] if isinstance(context, Mapping) else list(context or [{}] * len(sources))
        if len(given) != len(sources):
            raise ConfigError("not a context for each source", got=len(given), expected=len(sources))
        for one in given:
            self._check_context(one)
        found = [self._read(one, known) for one, known in zip(sources, given, strict=True)]
        return found if isinstance(source, (list, tuple)) else found[0]

    def _check_context(self, context: Context) -> None:
        known = set(map(source_of, self.context_columns))
        if not isinstance(context, Mapping) or not set(context) <= known:
            got = ", ".join(map(str, context)) if isinstance(context, Mapping) else _kind_of(context)
            expected = ", ".join(sorted(known)) or "none: this model takes no context"
            raise ConfigError("unknown names in the context", got=got, expected=expected)

    def _read(self, source: Source, context: Context) -> Reading:
        loaded = self._loaded
        radiograph = _radiograph(source, loaded.max_pixels)
        found = loaded.read(radiograph, context)
        if self._similar:
            from segtumor.datasets.fingerprints import pixel_hash

            found = self._similar.found_for(found, pixel_hash(radiograph.pixels))
        low, high = loaded.settings["window_percentiles"]
        return Reading(
            **{field.name: getattr(found, field.name) for field in dataclasses.fields(found)},
            source=source,
            score_threshold=self.score_threshold,
            window_percentiles=(low, high),
            max_pixels=loaded.max_pixels,
        )


def load(
    path_or_name: str | Path | Sequence[str | Path],
    *,
    cascade: str | Path | Sequence[str | Path] = (),
    tta: bool | Sequence[str] = False,
    fusion: str = "wbf",
    mc_dropout: int = 0,
    device: str | None = None,
    runtime: str | None = None,
    threads: int | None = None,
    confidence_threshold: float | None = None,
    operating_point: str | None = None,
    prediction_sets: str | None = None,
    points: str | Path | None = None,
    opts: Sequence[str] = (),
    index: str | Path | None = None,
    similar: int = 5,
) -> Model:
    """Load a model, or several as one.

    Args:
        path_or_name: folder of a training run, whose best weights are used, or of an exported model; or the name of
            a model (``segtumor models`` lists them). A list of them, or the folder of a cross-validation, is an
            ensemble: what its members say becomes one reading, and how far they disagree its uncertainty.
        cascade: the same of a model that is asked first whether there is a tumour at all; ``path_or_name`` then says
            which, and where. Empty for none. ``operating_point`` is the first model's.
        tta: whether the model also looks at the mirrored picture (test-time augmentation); or a list of "flip" and
            "scale", which looks at it smaller and larger.
        fusion: how findings of several looks become one: "wbf", weighted boxes fusion, or "nms", the highest score.
        mc_dropout: passes with dropout left on, of a training run of a model with dropout; 0 for none.
        device: "cpu" or "cuda", of a training run; None for its ``MODEL.DEVICE``.
        runtime: "torch" or "detectron2", of a training run; None for torch where it can.
        threads: of the model; None for one on each core.
        confidence_threshold: findings below it are not shown, [0, 1]; None for the model's own.
        operating_point: name of the threshold that validation chose, such as "youden" or "sensitivity", in place of
            ``confidence_threshold``.
        prediction_sets: "marginal" or "by-class": readings list the classes that the image may be of
            (``prediction_set``), at the risk for which validation chose.
        points: a file of operating points, as of an ensemble; None for the model's own.
        opts: settings of a training run, ("KEY", "value", ...), as after ``--opts``.
        index: file of ``segtumor embed``, in which the images most like each radiograph are looked up
            (``Reading.similar``); None looks up none. Of an ensemble, its first member does.
        similar: how many of them, from 1.

    Raises:
        ConfigError: no model there, options that do not fit it, an index of another model, members of an ensemble
            that differ, or a cascade of models whose classes do not fit.
        DataError: the index is missing or damaged.
        ModelError: it is damaged or of another version.
        InstallationError: what runs it is not installed.
    """
    _check_options(threads, confidence_threshold, operating_point)
    folders, first = (
        [run for name in ([given] if isinstance(given, (str, Path)) else given) for run in folds_in(model_folder(name))]
        for given in (path_or_name, cascade)
    )
    if not folders:
        raise ConfigError("no model is named", got="an empty list", expected="a folder, a name, or several")
    if first and index is not None:
        raise ConfigError("similar images are looked up by one model", got="a cascade", remedy="Leave out one of them")
    for folder in (*folders, *first):
        check_model(folder, remedy="Give the folder itself, not a file in it or the folder above")
    options: dict[str, Any] = {
        "tta": tta,
        "fusion": fusion,
        "mc_dropout": mc_dropout,
        "device": device,
        "runtime": runtime,
        "opts": opts,
    }
    options |= {"threads": threads, "confidence_threshold": confidence_threshold}
    chosen: dict[str, Any] = {"operating_point": operating_point, "prediction_sets": prediction_sets}
    found: dict[str, Any] = {"index": None if index is None else Path(index).resolve(), "similar": similar}
    again = functools.partial(
        load,
        [folder.resolve() for folder in folders],
        cascade=[folder.resolve() for folder in first],
        **options,
        **chosen,
        points=points,
        **found,
    )
    whole = load_models(folders, **options, embedding=index is not None)
    asked_first = load_models(first, **options) if first else None
    loaded = with_points(whole, folders, asked_first, first, **chosen, points_file=points)
    return Model(loaded, again, None if index is None else SimilarImages.open(index, loaded, similar))


def _check_options(threads: int | None, confidence_threshold: float | None, operating_point: str | None) -> None:
    if confidence_threshold is not None:
        _in_unit_range("confidence threshold", confidence_threshold)
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        raise ConfigError("number of threads out of range", got=repr(threads), expected="1 or more, or None")
    if confidence_threshold is not None and operating_point is not None:
        raise ConfigError("two thresholds", got="confidence_threshold and operating_point", expected="one of them")


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
        raise DataError("these are not readings", got=_kind_of(readings_of_images), expected=expected)
    names = {reading.class_names for reading in readings_of_images}
    if len(names) != 1:
        got = f"readings with {len(names)} different lists of classes" if names else "none"
        raise DataError("these readings do not go into one file", got=got, expected=expected)
    outcomes = [InferenceOutcome(reading.file_name, reading) for reading in readings_of_images]
    return predictions_document(outcomes, names.pop())


def evaluate(
    truth: str | Path,
    predictions: str | Path | Sequence[Reading],
    settings: "StudySettings | None" = None,
    *,
    only_annotated: bool = False,
    allow_absent: bool = False,
) -> "Study":
    """Measure what a model found against the truth, as ``segtumor evaluate`` does.

    Args:
        truth: COCO file with the true lesions.
        predictions: a predictions.json, a COCO results list, or readings.
        settings: thresholds, rule for patients, resamples; None: the defaults.
        only_annotated: leave out predicted images that are not annotated; otherwise they are an error.
        allow_absent: count annotated images that were not predicted as images without findings; otherwise they are an
            error.

    Returns:
        estimates with intervals, subgroups, tests, rows and curves; ``to_frame()`` is the table of estimates.

    Raises:
        DataError: a file that cannot be read or used, or that does not fit the other.
    """
    from segtumor.evaluation.facts.settings import StudySettings
    from segtumor.evaluation.pairing import evaluate_files

    if not isinstance(settings, (StudySettings, type(None))):
        raise ConfigError(
            "these are not settings", got=_kind_of(settings), expected="segtumor.StudySettings(...) or None"
        )
    given = predictions if isinstance(predictions, (str, Path)) else to_coco(predictions)
    return evaluate_files(truth, given, settings, only_annotated=only_annotated, allow_absent=allow_absent)


def _radiograph(source: Source, max_pixels: int) -> Radiograph:
    if isinstance(source, Radiograph):
        return source
    if isinstance(source, (str, Path)):
        return read_radiograph(source, max_pixels=max_pixels, log=False)
    if isinstance(source, np.ndarray):
        pixels = _gray_values(source)
        return Radiograph(pixels, None, None, "array", source.dtype.name, tuple(remarks_on(pixels)))
    raise BadImageError(
        "this cannot be read as a radiograph",
        got=_kind_of(source),
        expected="a path, a (H, W) NumPy array, a segtumor.Radiograph, or a list of these",
        remedy="Make a generator a list, list(paths), or a picture an array, numpy.asarray(image.convert('L'))",
    )


def _kind_of(given: object) -> str:
    kinds = sorted({type(one).__name__ for one in given}) if isinstance(given, (list, tuple)) else []
    return f"{type(given).__name__} of {', '.join(kinds)}" if kinds else type(given).__name__


def _in_unit_range(what: str, value: float) -> float:
    if not isinstance(value, (int, float, np.floating)) or not 0 <= value <= 1:
        raise ConfigError(f"{what} out of range", got=repr(value), expected="0 to 1")
    return float(value)


def _gray_values(pixels: Array) -> GrayImage:
    """Gray values of any of the types that are read -> (H, W) float32 in [0, 1]."""
    if isinstance(pixels, np.ma.MaskedArray):
        raise BadImageError("a masked array", expected="a value for every pixel", remedy="Fill it: pixels.filled(0)")
    if pixels.ndim != 2 or pixels.size == 0:
        remedy = "Give one gray channel: numpy.asarray(image.convert('L')), or pixels[..., 0]"
        raise BadImageError("not a gray picture", got=f"shape {pixels.shape}", expected="(H, W)", remedy=remedy)
    if pixels.dtype in (np.uint8, np.uint16):
        return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    if not np.issubdtype(pixels.dtype, np.floating):
        expected = "uint8, uint16, or floats in [0, 1]"
        remedy = "Divide by the largest value that the samples can have, e.g. pixels / 4095"
        raise BadImageError("gray values of another type", got=pixels.dtype.name, expected=expected, remedy=remedy)
    if not np.isfinite(pixels).all():
        remedy = "Replace them: numpy.nan_to_num(pixels, posinf=1, neginf=0)"
        raise BadImageError("the picture has pixels that are NaN or infinite", expected="0 to 1", remedy=remedy)
    low, high = float(pixels.min()), float(pixels.max())
    if low < 0 or high > 1:
        remedy = "Divide by the largest value that the samples can have, e.g. pixels / 4095"
        raise BadImageError("gray values out of range", got=f"{low:g} to {high:g}", expected="0 to 1", remedy=remedy)
    return pixels.astype(np.float32)


def __getattr__(name: str) -> object:
    if name not in _FROM_ELSEWHERE:
        raise AttributeError(f"module 'segtumor.api' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_FROM_ELSEWHERE[name]), name)


__all__ = [
    "Finding",
    "Model",
    "Note",
    "Radiograph",
    "Reading",
    "SegtumorError",
    "Study",
    "StudySettings",
    "evaluate",
    "load",
    "read_radiograph",
    "to_coco",
]

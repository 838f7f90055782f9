"""A loaded model, and loading one."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

from segtumor.api.reading import Reading
from segtumor.api.sources import Several, Source, in_unit_range, kind_of, radiograph_of
from segtumor.errors import ConfigError
from segtumor.inference.cascade import with_points
from segtumor.inference.load import InferenceModel, check_model, folds_in
from segtumor.inference.several import load_models
from segtumor.inference.similar import SimilarImages
from segtumor.shipped.registry import model_folder
from segtumor.tabular.encoder import Context
from segtumor.tabular.values import source_of


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
            got = ", ".join(map(str, context)) if isinstance(context, Mapping) else kind_of(context)
            expected = ", ".join(sorted(known)) or "none: this model takes no context"
            raise ConfigError("unknown names in the context", got=got, expected=expected)

    def _read(self, source: Source, context: Context) -> Reading:
        loaded = self._loaded
        radiograph = radiograph_of(source, loaded.max_pixels)
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
        in_unit_range("confidence threshold", confidence_threshold)
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        raise ConfigError("number of threads out of range", got=repr(threads), expected="1 or more, or None")
    if confidence_threshold is not None and operating_point is not None:
        raise ConfigError("two thresholds", got="confidence_threshold and operating_point", expected="one of them")

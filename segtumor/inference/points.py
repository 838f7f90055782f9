"""A loaded model at one of its operating points, and with prediction sets: what validation has chosen for it.

The points are looked for where the model is: in the folder of a training run or an export, beside a shipped one, or in
a file, as for an ensemble. Not here: their file (``evaluation.operating_points``) and their choice.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from segtumor.errors import ConfigError
from segtumor.runs import OPERATING_POINTS
from segtumor.shipped.entry import ENTRY, read_entry

if TYPE_CHECKING:
    from segtumor.evaluation.operating_points import OperatingPoints
    from segtumor.inference.load import InferenceModel

#: How the names in entries of shipped models, which are for people, begin or end, and their keys.
_KEYS_OF_NAMES = (
    *(("sensitivity ", "sensitivity"), ("specificity ", "specificity"), ("Youden", "youden")),
    *((" findings per normal image", "false-positives"), ("largest mean Dice", "dice")),
    *((" of a missed tumour image", "risk"), (" of a missed lesion", "lesion-risk")),
)


def at_points(
    model: "InferenceModel",
    runs: Sequence[str | Path | None],
    *,
    operating_point: str | None = None,
    prediction_sets: str | None = None,
    points_file: str | Path | None = None,
) -> "InferenceModel":
    """The model with another threshold, with prediction sets, or both.

    Args:
        runs: folders that it was loaded from; None for one of a configuration.
        operating_point: key of the point whose score is its threshold; None leaves that.
        prediction_sets: one of ``evaluation.operating_points.SET_KINDS``; None gives none.
        points_file: a file of operating points; None for the model's own.

    Raises:
        ConfigError: the model has no such points; or it is several looks as one, whose scores are others, and no file
            is named.
        DataError: the file is damaged.
    """
    if operating_point is None and prediction_sets is None:
        return model
    points = points_of(model, runs, points_file=points_file)
    settings, thresholds = dict(model.settings), model.set_thresholds
    if operating_point is not None:
        point = points.point(operating_point)
        settings |= {"confidence_threshold": point.score_threshold, "operating_point": operating_point}
    if prediction_sets is not None:
        thresholds = points.sets(prediction_sets)
        settings["prediction_sets"] = {"kind": prediction_sets, "risk": points.risk, "thresholds": list(thresholds)}
    return dataclasses.replace(model, settings=settings, set_thresholds=thresholds)


def points_of(
    model: "InferenceModel", runs: Sequence[str | Path | None], *, points_file: str | Path | None = None
) -> "OperatingPoints":
    """The operating points of a loaded model; arguments and errors as ``at_points``."""
    from segtumor.evaluation.operating_points import read_points

    names, sha256 = model.predictor.class_names, model.entry.get("weights_sha256")
    several = len(runs) > 1 or any(name in model.settings for name in ("fusion", "mc_dropout"))
    if points_file is not None:
        return read_points(points_file, class_names=names, weights_sha256=None if several else sha256)
    run = runs[0]
    if several or run is None:
        what = "the scores of several looks as one are not those of a run that chose operating points"
        what = "operating points are kept with a training run" if run is None else what
        remedy = "Choose them with segtumor evaluate --choose-operating-points FILE, and name it with --points"
        raise ConfigError(what, where="--operating-point", remedy=remedy)
    run = Path(run)
    if not (run / OPERATING_POINTS).is_file() and (run.parent / ENTRY).is_file():
        return _of_shipped(run.parent)
    return read_points(run / OPERATING_POINTS, class_names=names, weights_sha256=sha256)


def _of_shipped(folder: Path) -> "OperatingPoints":
    """Those that the entry of a shipped model lists; it has no prediction sets."""
    from segtumor.evaluation.operating_points import OperatingPoint, OperatingPoints

    points = []
    for point in read_entry(folder).operating_points:
        reached = point.score_threshold, point.sensitivity, point.specificity
        keys = [key for text, key in _KEYS_OF_NAMES if point.name.startswith(text) or point.name.endswith(text)]
        points += [OperatingPoint(key, point.name, point.of, *reached) for key in keys]
    return OperatingPoints((), tuple(points), 0.0, (), (), 0, 0, "")

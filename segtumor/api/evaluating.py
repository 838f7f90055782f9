"""What a model found against the truth."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from segtumor.api.reading import Reading, to_coco
from segtumor.api.sources import kind_of
from segtumor.errors import ConfigError

if TYPE_CHECKING:
    from segtumor.evaluation.facts.settings import StudySettings
    from segtumor.evaluation.study.values import Study


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
            "these are not settings", got=kind_of(settings), expected="segtumor.StudySettings(...) or None"
        )
    given = predictions if isinstance(predictions, (str, Path)) else to_coco(predictions)
    return evaluate_files(truth, given, settings, only_annotated=only_annotated, allow_absent=allow_absent)

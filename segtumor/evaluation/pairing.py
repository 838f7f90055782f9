"""Truth and predictions side by side, from their files to a study: for every command that measures, and for Python."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypedDict

from segtumor.annotations.class_scheme import ClassScheme
from segtumor.annotations.coco import CocoDataset, load_coco
from segtumor.annotations.predictions.document import read_predictions
from segtumor.annotations.regions import CROWDS_AS_LESIONS, Crowds
from segtumor.errors import DataError
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.facts.truth import n_normal
from segtumor.evaluation.study.remarks import list_remark, outside_remark, unpredicted_remarks
from segtumor.evaluation.study.study import study
from segtumor.evaluation.study.values import Study
from segtumor.progress import StepProgress
from segtumor.structures.lesions import ImageResult
from segtumor.structures.readings import image_result


class Unseen(TypedDict):
    """Keyword arguments of ``evaluate`` and ``study``: how many images the predictions do not mention, or None if they
    list none, and how many could not be predicted."""

    n_images_absent: int | None
    n_images_failed: int


@dataclass(frozen=True)
class Pairing:
    """A data set and what was predicted on it.

    Attributes:
        results: one for each of its images.
        absent_ids: images that the predictions do not mention, or None if they list no images.
        failed_ids: images that could not be predicted.
        n_left_out: predicted images that are not annotated.
        seconds: {image id: time for reading the file, model and drawing}, as far as the predictions say.
    """

    truth: CocoDataset
    results: list[ImageResult]
    absent_ids: tuple[int, ...] | None
    failed_ids: tuple[int, ...]
    n_left_out: int
    seconds: Mapping[int, float] = field(default_factory=dict)

    @property
    def unseen(self) -> Unseen:
        """Keyword arguments of ``evaluate`` and ``study``."""
        n_absent = None if self.absent_ids is None else len(self.absent_ids)
        return {"n_images_absent": n_absent, "n_images_failed": len(self.failed_ids)}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user must know before any number: images that were not predicted, boxes that are likely misread."""
        mostly_empty = self._list_remark if 2 * self._n_without_finding > len(self.results) else ""
        outside = outside_remark(self.results)
        unpredicted = self._unpredicted(absent_ids=self.absent_ids, failed_ids=self.failed_ids)
        return tuple(filter(None, [*unpredicted, mostly_empty, outside]))

    @property
    def sentences(self) -> tuple[str, ...]:
        """What a user must know of images that were not predicted or not annotated, ``warnings`` included."""
        warnings = self.warnings
        others = [*self._unpredicted(n_left_out=self.n_left_out), self._list_remark]
        return (*warnings, *(sentence for sentence in others if sentence and sentence not in warnings))

    def remarked(self, study: Study) -> Study:
        """A Study of ``results`` whose remarks begin with ``sentences``, so that its report repeats them."""
        return replace(study, remarks=(*self.sentences, *study.remarks))

    def study(self, settings: StudySettings | None = None, *, progress: StepProgress | None = None) -> Study:
        """The study of these results, its remarks those of the predictions first. Errors: as ``study``."""
        return self.remarked(study(self.results, self.truth.taxonomy.names, settings, progress=progress, **self.unseen))

    @property
    def _n_without_finding(self) -> int:
        return sum(not result.findings for result in self.results)

    @property
    def _list_remark(self) -> str:
        """ "" unless the predictions are a list that names no images."""
        if self.absent_ids is not None:
            return ""
        found_ids = [result.truth.image_id for result in self.results if result.findings]
        return list_remark(self.truth.annotated_images, self.truth.taxonomy.names, found_ids=found_ids)

    def _unpredicted(
        self, *, absent_ids: Collection[int] | None = (), failed_ids: Collection[int] = (), n_left_out: int = 0
    ) -> tuple[str, ...]:
        images, names = self.truth.annotated_images, self.truth.taxonomy.names
        return unpredicted_remarks(images, names, absent_ids=absent_ids, failed_ids=failed_ids, n_left_out=n_left_out)


def evaluate_files(
    truth_path: str | Path,
    predictions: str | Path | Mapping[str, Any],
    settings: StudySettings | None = None,
    *,
    only_annotated: bool = False,
    allow_absent: bool = False,
    progress: StepProgress | None = None,
) -> Study:
    """Measure a predictions file against a file of annotations, as ``segtumor evaluate`` does.

    Args:
        truth_path: COCO file with the true lesions.
        predictions: a predictions.json or a COCO results list, or the content of one.
        settings: thresholds, rule for patients, resamples; None: the defaults.
        only_annotated: leave out predicted images that are not annotated; otherwise they are an error.
        allow_absent: count annotated images that a predictions.json does not list, or lists as failed, as images
            without findings; otherwise they are an error.
        progress: shows how far each long loop is; None: nothing is shown.

    Returns:
        a Study: estimates with intervals, subgroups, tests, rows and curves; ``to_frame()`` is the table of estimates.

    Raises:
        DataError: a file that cannot be read or used, or that does not fit the other.
    """
    pairing = pair(truth_path, predictions, only_annotated=only_annotated, allow_absent=allow_absent)
    return pairing.study(settings, progress=progress)


def pair(
    annotations: str | Path,
    predictions: str | Path | Mapping[str, Any],
    *,
    truth: CocoDataset | None = None,
    only_annotated: bool = False,
    allow_absent: bool = False,
    scheme: ClassScheme | None = None,
) -> Pairing:
    """Read both files.

    Args:
        predictions: path, or the content of such a file.
        truth: the data set of ``annotations`` if it was read before.
        only_annotated: whether predicted images that are not annotated are left out.
        allow_absent: whether annotated images that a predictions.json does not list, or lists as failed, count as
            without findings.
        scheme: classes of the truth to join, and whether its normal images count; None: as the file has them.

    Raises:
        ConfigError: the scheme names a class that the annotations lack.
        DataError: as ``load_coco`` and ``read_predictions``; all lesions are crowds; every image failed; annotated
            images that are not listed or failed.
    """
    truth = truth or load_coco(annotations, check_files=False, require_masks=False, scheme=scheme)
    _refuse_crowds_only(annotations, truth.crowds)
    found = read_predictions(
        predictions,
        truth.annotated_images,
        class_names=truth.taxonomy.names,
        category_id_of_class=truth.category_id_of_class,
        only_annotated=only_annotated,
    )
    where = predictions if isinstance(predictions, (str, Path)) else annotations
    if truth.annotated_images and len(found.failed_ids) == len(truth.annotated_images):
        _refuse_failed(where, truth)
    if not allow_absent:
        _refuse_unpredicted(where, truth, found.absent_ids or (), "are absent from the predictions")
        _refuse_unpredicted(where, truth, found.failed_ids, "failed when predicting")
    return Pairing(
        truth,
        [image_result(image, found.readings[image.image_id]) for image in truth.annotated_images],
        found.absent_ids,
        found.failed_ids,
        found.n_left_out,
        {i: sum(reading.timings_s.values()) for i, reading in found.readings.items() if reading.timings_s},
    )


def _refuse_crowds_only(annotations: str | Path, crowds: Crowds) -> None:
    """Nothing could be found or missed, though lesions are drawn."""
    if crowds.all_regions:
        raise DataError(
            f"all {crowds.n_regions} regions, in {len(crowds.images)} images, are crowds (iscrowd 1), which are "
            "neither found nor missed",
            where=annotations,
            expected="a lesion to measure on",
            remedy=f"If each is one lesion, drawn with a brush: segtumor data check {annotations} --fix lesions.json "
            f"{CROWDS_AS_LESIONS}",
        )


def _refuse_failed(predictions: str | Path | Mapping[str, Any], truth: CocoDataset) -> None:
    """Every normal image would count as called right, a perfect specificity of a model that read nothing."""
    raise DataError(
        f"all {len(truth.annotated_images)} images failed when predicting: there is nothing to measure",
        where=_name_of(predictions),
        remedy="See the reasons in findings.csv and summary.json beside it, and predict again",
    )


def _name_of(predictions: str | Path | Mapping[str, Any]) -> str | Path:
    return predictions if isinstance(predictions, (str, Path)) else "predictions"


def _refuse_unpredicted(
    predictions: str | Path | Mapping[str, Any], truth: CocoDataset, ids: Collection[int], what: str
) -> None:
    """Half a file would otherwise look like a model that calls nearly every normal image right."""
    if not ids:
        return
    n, n_all = len(ids), len(truth.annotated_images)
    normal = n_normal(truth.annotated_images, truth.taxonomy.names, ids)
    raise DataError(
        f"{n} of {n_all} annotated images {what}, {normal} of them normal",
        where=_name_of(predictions),
        remedy="Add --allow-absent to count them as without findings, or give the annotations of the predicted images "
        "only",
    )

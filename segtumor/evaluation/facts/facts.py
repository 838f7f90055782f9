"""What is known of each image and lesion, computed once, of which the measures of any subgroup are sums.

Not here: the measures (``measure_set``).
Letters: N images, M lesions, C cases.
"""

from dataclasses import dataclass

import numpy as np

from segtumor.evaluation.facts.cases import CaseTable, case_table
from segtumor.evaluation.facts.froc_events import FrocEvents, froc_events
from segtumor.evaluation.facts.image_level import Calls, check_scores, image_calls
from segtumor.evaluation.facts.lesion_table import LesionTable, lesion_table
from segtumor.evaluation.facts.matching import MatchedImage, match_image
from segtumor.evaluation.facts.patient_level import patient_calls
from segtumor.evaluation.facts.study_types import StudySettings
from segtumor.evaluation.measures.outlines import image_overlap
from segtumor.evaluation.summary.summary import check_results
from segtumor.structures.lesions import ImageResult


@dataclass(frozen=True, kw_only=True)
class Facts:
    """N images, matched and summed up.

    Attributes:
        results: N ImageResults.
        images: N MatchedImages.
        class_names: names by ``class_id``.
        settings: what was assumed.
        cases: their CaseTable.
        lesions: their LesionTable.
        calls: the images' Calls.
        n_hits, n_false_positives: (N,) int.
        overlap: (N,) float, ``image_overlap``.
        events: hits and false positives of the free-response curve.
    """

    results: tuple[ImageResult, ...]
    images: tuple[MatchedImage, ...]
    class_names: tuple[str, ...]
    settings: StudySettings
    cases: CaseTable
    lesions: LesionTable
    calls: Calls
    n_hits: np.ndarray
    n_false_positives: np.ndarray
    overlap: np.ndarray
    events: FrocEvents

    @property
    def patients(self):
        """The Calls of the cases."""
        return patient_calls(
            self.calls,
            self.n_hits > 0,
            rule=self.settings.rule,
            score_threshold=self.settings.score_threshold,
            require_located=self.settings.require_located,
        )

    @property
    def lesion_case(self):
        """(M,) int, case of each lesion."""
        return self.cases.case_of_image[self.lesions.image]

    def take(self, chosen):
        """The facts of some images.

        Args:
            chosen: int indices of images.

        Returns:
            Facts with a CaseTable of their own, and the (C',) indices of its cases in this one.
        """
        chosen = np.asarray(chosen, dtype=np.int64)
        results = tuple(self.results[i] for i in chosen)
        cases = case_table([result.truth for result in results])
        parents = np.zeros(len(cases), dtype=np.int64)
        parents[cases.case_of_image] = self.cases.case_of_image[chosen]
        facts = Facts(
            results=results,
            images=tuple(self.images[i] for i in chosen),
            class_names=self.class_names,
            settings=self.settings,
            cases=cases,
            lesions=self.lesions.of_images(chosen),
            calls=self.calls.take(chosen, cases),
            n_hits=self.n_hits[chosen],
            n_false_positives=self.n_false_positives[chosen],
            overlap=self.overlap[chosen],
            events=_events_of(self.events, chosen),
        )
        return facts, parents


def _events_of(events, chosen):
    """The events of the images ``chosen`` (int indices), which are numbered anew."""
    number = np.full(events.n_images, -1)
    number[chosen] = np.arange(len(chosen))
    hits, false = number[events.hit_images], number[events.false_images]
    return FrocEvents(
        len(chosen), events.hit_scores[hits >= 0], hits[hits >= 0], events.false_scores[false >= 0], false[false >= 0]
    )


def facts_of(results, class_names, settings, *, progress=None):
    """The Facts of ImageResults.

    Raises:
        DataError: an image twice, a class outside ``class_names``, a mask of another size than its image, a score or
            probability that is NaN or outside [0, 1].
    """
    results, class_names = tuple(results), tuple(class_names)
    check_results(results, class_names)
    check_scores(results, class_names)
    thresholds = {"score_threshold": settings.score_threshold, "iou_threshold": settings.iou_threshold}
    images = tuple(match_image(r, **thresholds) for r in (progress("matching", results) if progress else results))
    cases = case_table([result.truth for result in results])
    tolerances = {"tolerance_px": settings.surface_tolerance_px, "tolerance_mm": settings.surface_tolerance_mm}
    return Facts(
        results=results,
        images=images,
        class_names=class_names,
        settings=settings,
        cases=cases,
        lesions=lesion_table(images, **tolerances, progress=progress),
        calls=image_calls(results, class_names, cases, score_threshold=settings.score_threshold),
        n_hits=np.array([len(image.hits) for image in images], dtype=np.int64),
        n_false_positives=np.array([len(image.false_positives) for image in images], dtype=np.int64),
        overlap=np.array([image_overlap(image) for image in images], dtype=np.float64),
        events=froc_events(results, criterion=settings.froc_criterion, iou_threshold=settings.iou_threshold),
    )

"""All measures of a set of images, as functions of case weights. Not here: intervals (``estimates``).

The order of the measures is that of the tables. What a set of images cannot define is NaN; distances in mm are absent
if no spacing is known.
"""

from segtumor.evaluation.facts.facts import facts_of
from segtumor.evaluation.facts.study_types import StudySettings
from segtumor.evaluation.measures.calls import call_measures
from segtumor.evaluation.measures.lesions import finding_measures, recall_measures
from segtumor.evaluation.measures.measure import MeasureSet
from segtumor.evaluation.measures.outlines import image_overlap_measures, overlap_measures, surface_measures
from segtumor.evaluation.measures.ranking import ap_measures, froc_measures
from segtumor.evaluation.study.remarks import remarks_of


def measures_of(results, class_names, settings=None, *, progress=None):
    """Every measure of a set of images.

    Args:
        results: ImageResults, normal images included.
        class_names: names by ``class_id``.
        settings: StudySettings.
        progress: None, or a function (what, iterable) -> iterable.

    Returns:
        a MeasureSet.

    Raises:
        DataError: an image twice, a class outside ``class_names``, a mask of another size than its image, a score or
            probability that is NaN or outside [0, 1].
    """
    facts = facts_of(results, class_names, settings or StudySettings(), progress=progress)
    measures = {measure.name: measure for measure in all_measures(facts)}
    return MeasureSet(measures, facts.cases, remarks_of(facts))


def all_measures(facts, ap_kinds=("mask", "box")):
    """The Measures of Facts, a list; average precision, which takes time, of ``ap_kinds``."""
    cases, settings = facts.cases, facts.settings
    image_measures, image_calibration = call_measures(facts.calls, temperature=settings.temperature)
    patient_measures, patient_calibration = call_measures(facts.patients, temperature=settings.temperature)
    return [
        *overlap_measures(facts.lesions, cases.case_of_image, len(cases)),
        *image_overlap_measures(facts.overlap, cases.case_of_image, len(cases)),
        *surface_measures(facts.lesions, cases.case_of_image, len(cases)),
        *recall_measures(facts.lesions, facts.lesion_case, len(cases)),
        *finding_measures(facts),
        *froc_measures(facts),
        *ap_measures(facts, ap_kinds),
        *image_measures,
        *patient_measures,
        *image_calibration,
        *patient_calibration,
    ]

"""All measures of a set of images, as functions of case weights. Not here: intervals (``estimates``).

The order of the measures is that of the tables. What a set of images cannot define is NaN; distances in mm are absent
if no spacing is known.
"""

from collections.abc import Sequence

from segtumor.evaluation.facts.facts import StudyFacts
from segtumor.evaluation.measures.calls import call_measures
from segtumor.evaluation.measures.lesions import finding_measures, recall_measures
from segtumor.evaluation.measures.measure import Measure
from segtumor.evaluation.measures.outlines import (
    image_overlap_measures,
    overlap_measures,
    pixel_measures,
    surface_measures,
)
from segtumor.evaluation.measures.ranking import AP_KINDS, ap_measures, froc_measures


def all_measures(facts: StudyFacts, ap_kinds: Sequence[str] = AP_KINDS) -> list[Measure]:
    """The Measures of a study; average precision, which takes time, of ``ap_kinds``."""
    cases, settings = facts.cases, facts.settings
    image_measures, image_calibration = call_measures(facts.calls, temperature=settings.temperature)
    patient_measures, patient_calibration = call_measures(facts.patients, temperature=settings.temperature)
    return [
        *overlap_measures(facts.lesions, cases.case_of_image, len(cases)),
        *image_overlap_measures(facts.overlap, cases.case_of_image, len(cases)),
        *pixel_measures(facts.pixels, cases.case_of_image, len(cases)),
        *surface_measures(facts.lesions, facts.surfaces, cases.case_of_image, len(cases)),
        *recall_measures(facts.lesions, facts.lesion_case, len(cases)),
        *finding_measures(facts),
        *froc_measures(facts),
        *ap_measures(facts, ap_kinds),
        *image_measures,
        *patient_measures,
        *image_calibration,
        *patient_calibration,
    ]

"""The measures by subgroup, with intervals, from the draws of the whole: a case comes with what it has of the group.

Of a lesion's field: overlap, surface distances, recall and localisation of those lesions, the sensitivity of the images
that hold one, and of a class its average precision. Of an image's field: all measures on those images, but average
precision, which takes time, of masks only, or of boxes where there are no masks; and of a label of the image no
predictive values, as there all images have a tumour or none. Small groups give wide intervals; many
groups give some that differ by chance (see ``group_tests``).
Letters: C cases.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from segtumor.arrays import Ints
from segtumor.evaluation.facts.coco import has_masks
from segtumor.evaluation.facts.facts import StudyFacts
from segtumor.evaluation.measures.calls import image_sensitivity
from segtumor.evaluation.measures.lesions import recall_measures
from segtumor.evaluation.measures.measure import IMAGES
from segtumor.evaluation.measures.measure_set import all_measures
from segtumor.evaluation.measures.outlines import overlap_measures, surface_measures
from segtumor.evaluation.measures.ranking import BOX, MASK, class_ap_measures
from segtumor.evaluation.study.estimates import Draws, delong_of, estimates_of
from segtumor.evaluation.study.subgroup_fields import CLASS, IMAGE_LABEL, Division
from segtumor.evaluation.study.values import Estimate, SubgroupEstimate
from segtumor.progress import StepProgress, silent

PREDICTIVE_VALUES = ("image_ppv", "image_npv", "patient_ppv", "patient_npv")


def subgroup_estimates(
    facts: StudyFacts, divisions: Sequence[Division], draws: Draws, *, progress: StepProgress = silent
) -> tuple[list[SubgroupEstimate], list[str]]:
    """Estimates of every level of every Division, and sentences about levels that were left out as too small."""
    levels = [(d, level, members) for d in divisions for level, members in d.levels.items()]
    counted = [(d, level, members) for d, level, members in levels if len(members) >= facts.settings.min_group]
    ap_of_class = class_ap_measures(facts) if any(d.field == CLASS for d, _, _ in counted) else {}
    found = []
    for division, level, members in progress("subgroups", counted):
        if division.of == IMAGES:
            without = PREDICTIVE_VALUES if division.field == IMAGE_LABEL else ()
            estimates = image_group(facts, members, draws, without=without)
        else:
            estimates = lesion_group(facts, members, draws)
        if division.field == CLASS:
            estimates = [*estimates, *estimates_of(ap_of_class.get(level, []), draws)]
        found += [SubgroupEstimate(field=division.field, level=level, estimate=estimate) for estimate in estimates]
    small = [f"{d.field} {level}" for d, level, members in levels if len(members) < facts.settings.min_group]
    remarks = [f"Subgroups below {facts.settings.min_group} left out: {', '.join(small)}."] if small else []
    return found, remarks


def image_group(facts: StudyFacts, chosen: Ints, draws: Draws, *, without: Sequence[str] = ()) -> list[Estimate]:
    """Estimates on some images (indices), but of the measures named in ``without``."""
    group, cases = facts.take(chosen)
    intervals = delong_of(group.patients, level=draws.level)
    ap_kinds = (MASK,) if has_masks(facts.results) else (BOX,)
    measures = [measure for measure in all_measures(group, ap_kinds) if measure.name not in without]
    return estimates_of(measures, draws.of_cases(cases), intervals=intervals)


def lesion_group(facts: StudyFacts, chosen: Ints, draws: Draws) -> list[Estimate]:
    """Estimates on some lesions (indices)."""
    lesions = facts.lesions.take(chosen)
    cases = np.unique(facts.lesion_case[chosen])
    number = np.zeros(len(facts.cases), dtype=np.int64)
    number[cases] = np.arange(len(cases))
    case_of_image, n_cases = number[facts.cases.case_of_image], len(cases)
    holding = np.zeros(len(facts.results), dtype=np.bool_)
    holding[lesions.image] = True
    measures = [
        *overlap_measures(lesions, case_of_image, n_cases),
        *surface_measures(lesions, facts.surfaces.take(chosen), case_of_image, n_cases),
        *recall_measures(lesions, case_of_image[lesions.image], n_cases),
        image_sensitivity(replace(facts.calls, case_of=case_of_image, n_cases=n_cases), holding),
    ]
    return estimates_of(measures, draws.of_cases(cases))

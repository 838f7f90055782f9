"""Every number, row and line of text is what segtumor has always given: ``same_numbers.json`` was written when plain
values and intervals had an evaluator each, COCO's average precision by faster-coco-eval."""

import json
import math
from pathlib import Path

import pytest
from awkward_sets import awkward_sets, plain, table

from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.study.headline import headline_table
from segtumor.evaluation.study.metrics import evaluate
from segtumor.evaluation.study.study import study

pytestmark = pytest.mark.command

EXPECTED = json.loads((Path(__file__).parent / "same_numbers.json").read_text(encoding="utf-8"))


#: How the names of measures begin that a study has since.
ADDED_MEASURES = ("pixel_", "image_aurc", "image_accuracy_referring_", "image_missed_whole")
#: What ``metrics.json`` says of images since there are classifiers.
ADDED = ("auc", "brier", "class_macro_f1", "image_class_accuracy")
#: Curves since there is referral.
ADDED_CURVES = ("referral", "decision")


def evaluated(results, class_names, score_threshold, iou_threshold):
    found = evaluate(results, class_names, score_threshold=score_threshold, iou_threshold=iou_threshold)
    curves = {
        f"{kind} {name}": [len(curve.recall), curve.n_lesions, *plain(curve.precision[::10])]
        for kind, by_class in found.curves.items()
        for name, curve in by_class.items()
    }
    metrics = {key: value for key, value in found.metrics.items() if key != "definitions"}
    metrics["images"] = {key: value for key, value in metrics["images"].items() if key not in ADDED}
    return {
        "metrics": plain(metrics),
        "definitions": [name for name in found.metrics["definitions"] if name not in ADDED],
        "per_lesion": table(found.per_lesion),
        "per_image": table(found.per_image),
        "curves": curves,
        "headline": headline_table(found).splitlines(),
    }


def studied(results, class_names, score_threshold, iou_threshold):
    settings = StudySettings(score_threshold=score_threshold, iou_threshold=iou_threshold, n_resamples=60)
    found = study(results, class_names, settings)
    estimates = [e for e in found.estimates if not e.name.startswith(ADDED_MEASURES)]
    return {
        "estimates": {e.name: plain([e.value, e.low, e.high, e.n, e.n_defined, e.method]) for e in estimates},
        "subgroups": by_level([s for s in found.subgroups if not s.estimate.name.startswith(ADDED_MEASURES)]),
        "tests": [plain([t.field, t.measure, t.p_value, t.p_holm]) for t in found.tests],
        "per_lesion": table(found.per_lesion),
        "per_image": table(found.per_image),
        "per_case": table(found.per_case),
        "curves": [name for name in found.curves if name not in ADDED_CURVES],
        "confusions": plain({name: counts for name, (_, counts) in found.confusions.items()}),
    }


def by_level(subgroups):
    """{field and level: number of estimates, and sums of their defined values and lower limits}."""
    levels = {}
    for s in subgroups:
        sums = levels.setdefault(f"{s.field} {s.level}", [0, 0.0, 0.0])
        for i, value in enumerate((1, s.estimate.value, s.estimate.low)):
            sums[i] += 0 if math.isnan(value) else value
    return levels


def differing(found, expected, where=""):
    """Places of values that differ, floats by more than 1e-12 of their size."""
    if isinstance(expected, float) and isinstance(found, (int, float)):
        return [] if found == pytest.approx(expected, rel=1e-11, abs=1e-12) else [(where, found, expected)]
    if isinstance(expected, dict) and isinstance(found, dict) and list(found) == list(expected):
        return [x for key, value in expected.items() for x in differing(found[key], value, f"{where}/{key}")]
    if isinstance(expected, list) and isinstance(found, list) and len(found) == len(expected):
        pairs = zip(found, expected, strict=True)
        return [x for i, pair in enumerate(pairs) for x in differing(*pair, f"{where}/{i}")]
    return [] if found == expected and type(found) is type(expected) else [(where, found, expected)]


@pytest.mark.parametrize("name", EXPECTED["evaluated"])
def test_plain_values(name, random_cases, build):
    found = json.loads(json.dumps(evaluated(*awkward_sets(random_cases, build)[name])))
    assert differing(found, EXPECTED["evaluated"][name]) == []


@pytest.mark.parametrize("name", EXPECTED["studied"])
def test_studies(name, random_cases, build):
    found = json.loads(json.dumps(studied(*awkward_sets(random_cases, build)[name])))
    assert differing(found, EXPECTED["studied"][name]) == []

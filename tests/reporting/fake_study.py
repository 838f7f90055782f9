"""A Study of squares on small images, with made-up estimates: for the tests of its report only."""

import dataclasses

import numpy as np

from segtumor.evaluation.facts.cases import case_table
from segtumor.evaluation.facts.matching import match_image
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.evaluation.measures.froc import froc
from segtumor.evaluation.study.metrics import evaluate
from segtumor.evaluation.study.values import Estimate, GroupTest, Study, SubgroupEstimate
from segtumor.reporting.words.metric_texts import metric_texts
from segtumor.retrieval.index import Index
from segtumor.statistics.calibration import reliability
from segtumor.statistics.interval import UNDEFINED, Method
from segtumor.statistics.roc import pr_curve, roc_curve
from segtumor.structures.lesions import AnnotatedImage, Finding, ImageResult, Lesion
from segtumor.structures.masks import rle_from_mask

CLASSES = ("benign", "malignant")
PROPORTIONS = ("lesion_recall", "image_sensitivity", "image_specificity", "patient_sensitivity")


def square(size_hw, x, y, side):
    mask = np.zeros(size_hw, dtype=bool)
    mask[y : y + side, x : x + side] = True
    return (float(x), float(y), float(x + side), float(y + side)), rle_from_mask(mask)


def lesion(number, size_hw, x, y, side, class_id=0):
    box, rle = square(size_hw, x, y, side)
    return Lesion(number, class_id, box, rle, float(side * side))


def finding(size_hw, x, y, side, score, class_id=0):
    box, rle = square(size_hw, x, y, side)
    return Finding(class_id, score, box, rle)


def some_results(n_images=12, size_hw=(40, 40), seed=0, file_name="{}.png", case_id="p{}"):
    """Every third image is normal; findings are off by some pixels, some missing, some of normal images."""
    rng = np.random.default_rng(seed)
    results = []
    for i in range(n_images):
        class_id, side = i % 2, int(rng.integers(4, 14))
        x, y = (int(value) for value in rng.integers(2, 18, size=2))
        lesions = () if i % 3 == 2 else (lesion(i + 1, size_hw, x, y, side, class_id),)
        findings = []
        if rng.random() < (0.8 if lesions else 0.4):
            shift = int(rng.integers(0, 4))
            findings.append(finding(size_hw, x + shift, y, side, round(float(rng.uniform(0.3, 1)), 3), class_id))
        attributes = {
            "case_id": case_id.format(i // 2),
            "sex": "MF"[i % 2],
            "site": ["femur", "tibia", "hand"][i % 5 % 3],
        }
        truth = AnnotatedImage(i + 1, file_name.format(i + 1), size_hw, lesions, attributes)
        results.append(ImageResult(truth, tuple(findings)))
    return results


def as_classifier(results, seed=0):
    """What a model says of the same images that judges them as a whole, mostly right, and marks no lesions."""
    rng = np.random.default_rng(seed)
    judged = []
    for result in results:
        chances = rng.dirichlet([1, 1, 1])
        chances[1 + result.truth.lesions[0].class_id if result.truth.lesions else 0] += 0.8
        probabilities = tuple(map(float, chances / chances.sum()))
        judged.append(dataclasses.replace(result, findings=(), image_probabilities=probabilities, marks_lesions=False))
    return judged


def estimate(name, value, n, **options):
    group = "images" if name.startswith("image_") else "patients" if name.startswith("patient_") else "lesions"
    of_group = {"images": "images", "patients": "patients", "lesions": "lesions"}[group]
    defined = not np.isnan(value)
    fields = {
        "label": name.replace("_", " "),
        "group": group,
        "unit": of_group,
        "low": max(0.0, value - 0.1) if defined else np.nan,
        "high": min(1.0, value + 0.1) if defined else np.nan,
        "method": Method("bca") if defined else Method(UNDEFINED, "nothing to measure"),
        "successes": round(value * n) if name in PROPORTIONS and defined else None,
        "n_cases": n,
        "n_defined": 2000 if defined else 0,
        "wilson_low": value / 2 if name in PROPORTIONS else np.nan,
        "in_percent": name.endswith(("_ap", "_ap50")),
        "wilson_high": (1 + value) / 2 if name in PROPORTIONS else np.nan,
    }
    return Estimate(name=name, value=value, n=n, **{**fields, **options})


def index_of_study(study, without=0):
    """An Index of made-up embeddings of the study's images, but for the first ones."""
    rows, rng = study.per_image[without:], np.random.default_rng(0)
    return Index(
        embeddings=rng.normal(size=(len(rows), 5)).astype(np.float32),
        file_names=[row["file_name"] for row in rows],
        labels=[CLASSES[0] if row["tumor_true"] else "normal" for row in rows],
        class_names=CLASSES,
        model={},
        image_root="",
        **{name: ["x"] * len(rows) for name in ("cases", "calls", "pixel_sha256")},
    )


def fake_study(results=None, *, settings=None, seed=0, **changes):
    """A Study of ``results``; with nothing positive or nothing negative every estimate is undefined."""
    results = some_results() if results is None else results
    settings = settings or StudySettings()
    rng = np.random.default_rng(seed)
    images = tuple(match_image(r, score_threshold=0.5, iou_threshold=0.5) for r in results)
    evaluation = evaluate(results, CLASSES)
    scores = np.array([max((f.score for f in r.findings), default=0.0) for r in results], dtype=float)
    tumor = np.array([bool(r.truth.lesions) for r in results], dtype=bool)
    defined = bool(tumor.any() and not tumor.all())
    n = len(images)
    estimates = tuple(
        estimate(name, float(rng.uniform(0.3, 0.9)) if defined else np.nan, n if defined else 0)
        for name in metric_texts()
        if not name.endswith("_mm")
    )
    known = {e.name: e for e in estimates}
    levels = [("sex", "F"), ("sex", "M"), ("site", "femur"), ("site", "tibia"), ("age", "0 to 17")]
    subgroups = tuple(
        SubgroupEstimate(field, level, estimate(name, np.nan if field == "age" else known[name].value, n // 2))
        for field, level in levels
        for name in ("dice", "lesion_recall", "image_sensitivity", "image_specificity")
        if defined
    )
    tests = (
        GroupTest("sex", "dice", "Kruskal-Wallis", 1.5, 0.0004, 0.0012, 2, ""),
        GroupTest("age", "dice", "Kruskal-Wallis", np.nan, np.nan, np.nan, 1, "one group"),
    )
    curves = {"reliability": reliability(scores, tumor)} if n else {}
    if defined:
        curves |= {"roc_image": roc_curve(scores, tumor), "pr_image": pr_curve(scores, tumor), "froc": froc(results)}
        curves |= {"roc_patient": curves["roc_image"], "pr_patient": curves["pr_image"]}
    cases = case_table([image.truth for image in images])
    names = ("normal", *CLASSES)
    counts = np.zeros((3, 3), dtype=int)
    for image in images:
        true = image.truth.lesions[0].class_id + 1 if image.truth.lesions else 0
        counts[true, image.findings[0].class_id + 1 if image.findings else 0] += 1
    fields = {
        "settings": settings,
        "evaluation": evaluation,
        "class_names": CLASSES,
        "images": images,
        "cases": cases,
        "estimates": estimates,
        "subgroups": subgroups,
        "tests": tests if defined else (),
        "per_lesion": evaluation.per_lesion,
        "per_image": [
            {**row, "score": row["max_score"] or 0.0, "predicted_class": "normal"} for row in evaluation.per_image
        ],
        "per_case": [
            {"case_id": case_id, "score": scores[of].max(), "tumor_true": bool(tumor[of].any()), "note": float("nan")}
            for number, case_id in enumerate(cases.case_ids)
            for of in [cases.case_of_image == number]
        ],
        "curves": curves,
        "confusions": {"image_class": (names, counts), "patient_class": (names, counts)},
        "remarks": ("An image without case_id is its own case.",),
    }
    return Study(**{**fields, **changes})

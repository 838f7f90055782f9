#!/usr/bin/env python
"""Time and peak memory of evaluating a made-up study, and segtumor's AP beside pycocotools' on the same results.

The study is random (seeded): cases of one to four views, about half of them normal, lesions and findings with masks,
patients with age, sex, site, centre and pixel spacing. No image is read. AP is measured for boxes and masks, from the
results in memory to the numbers. The contenders take turns; processor time is counted, not the clock, and the shortest
turn stands first, as a busy machine only adds to it. The statistics of a study and its page are timed as well.
"""

import argparse
import gc
import os
import resource
import sys
import time
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402  after the number of its threads

EXAMPLES = """examples:
  python benchmarks/evaluation.py
  python benchmarks/evaluation.py --images 200 --resamples 500 --repeats 1
"""
NAMES = ("benign", "malignant")
SITES = ("femur", "tibia", "humerus", "hand", "pelvis")
VIEWS = ("frontal", "lateral", "oblique", "frontal")


def main(argv=None):
    """Run the benchmark; returns 0."""
    args = _parser().parse_args(argv)
    results = made_up_study(
        n_images=args.images, n_findings=args.findings, size_px=args.size, rng=np.random.default_rng(args.seed)
    )
    rows = [("images, lesions, findings", " ".join(map(str, _counts(results)))), ("memory of the study", _memory())]
    rows += _average_precision(results, args.repeats) + _resampling(results, args.resamples)
    rows += _study(results, args.resamples)
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=751, metavar="N", help="radiographs (default 751)")
    parser.add_argument("--findings", type=int, default=30, metavar="N", help="findings of each image (default 30)")
    parser.add_argument("--size", type=int, default=512, metavar="PX", help="edge of the radiographs (default 512)")
    parser.add_argument("--resamples", type=int, default=2000, metavar="N", help="bootstrap resamples (default 2000)")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="turns of each AP contender (default 3)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the study (default 0)")
    return parser


def made_up_study(*, n_images, n_findings, size_px, rng):
    """A list of ImageResults of random lesions and model-like findings."""
    results = []
    while len(results) < n_images:
        case = _case(rng, len(results))
        for view in range(min(int(rng.integers(1, 5)), n_images - len(results))):
            results.append(_image_result(rng, len(results) + 1, {**case, "view": [VIEWS[view]]}, n_findings, size_px))
    return results


def _case(rng, number):
    label = str(rng.choice(("normal", *NAMES), p=(0.5, 0.3, 0.2)))
    return {
        "case_id": f"case{number}",
        "image_label": label,
        "site": [str(rng.choice(SITES))],
        "center": f"center {rng.integers(1, 4)}",
        "age": int(np.clip(rng.normal(30, 18), 1, 90)),
        "sex": str(rng.choice(("M", "F"))),
        "spacing_mm": [0.4, 0.4] if rng.random() < 0.8 else None,
    }


def _image_result(rng, image_id, attributes, n_findings, size_px):
    from segtumor.structures.lesions import AnnotatedImage, ImageResult, Lesion

    lesions, findings = [], []
    n_lesions = 0 if attributes["image_label"] == "normal" else rng.choice((1, 2, 3), p=(0.75, 0.18, 0.07))
    for i in range(n_lesions):
        class_id, radius = NAMES.index(attributes["image_label"]), size_px * rng.uniform(0.02, 0.15)
        center = size_px * rng.uniform(0.2, 0.8, 2)
        box_xyxy, rle, area_px = _blob(rng, center, radius, size_px)
        lesions.append(Lesion(10 * image_id + i, class_id, box_xyxy, rle, area_px))
        for _ in range(rng.integers(0, 5)):
            guess = class_id if rng.random() < 0.8 else 1 - class_id
            moved = center + rng.normal(0, 0.2 * radius, 2)
            findings.append(_finding(rng, guess, rng.beta(3, 2), moved, radius * rng.uniform(0.8, 1.2), size_px))
    while len(findings) < n_findings:
        center, radius = size_px * rng.uniform(0.1, 0.9, 2), size_px * rng.uniform(0.02, 0.12)
        findings.append(_finding(rng, int(rng.integers(2)), rng.beta(1, 8), center, radius, size_px))
    truth = AnnotatedImage(image_id, f"{image_id}.png", (size_px, size_px), tuple(lesions), attributes)
    return ImageResult(truth, tuple(sorted(findings, key=lambda finding: -finding.score)))


def _finding(rng, class_id, score, center, radius, size_px):
    from segtumor.structures.lesions import Finding

    box_xyxy, rle, _ = _blob(rng, center, radius, size_px)
    score = float(np.float32(score))
    rest = float(rng.uniform(0, min(score, 1 - score)))
    return Finding(class_id, score, box_xyxy, rle, (score, rest) if class_id == 0 else (rest, score))


def _blob(rng, center, radius, size_px):
    """A round outline of 40 points: box, RLE and area."""
    from pycocotools import mask as coco_mask

    from segtumor.structures.masks import rle_area, rle_from_polygons

    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    distances = radius * (1 + 0.15 * np.cos(3 * angles + rng.uniform(0, 6)) + rng.normal(0, 0.03, 40))
    points = np.clip(center + distances[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1), 0, size_px)
    rle = rle_from_polygons([points.ravel().tolist()], (size_px, size_px))
    x0, y0, width, height = coco_mask.toBbox(rle).tolist()
    return (x0, y0, x0 + width, y0 + height), rle, float(rle_area(rle))


def _counts(results):
    return len(results), sum(len(r.truth.lesions) for r in results), sum(len(r.findings) for r in results)


def _memory():
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB at the peak so far"


def _seconds(function, *arguments, **keywords):
    gc.collect()  # what others left behind is not counted
    started = time.process_time()
    value = function(*arguments, **keywords)
    return time.process_time() - started, value


def _average_precision(results, repeats):
    """Rows: time of AP by both for boxes and masks, their ratio, and the greatest difference of their numbers."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "evaluation"))
    from coco_oracle import STAT_NAMES, coco_numbers

    from segtumor.evaluation.study.metrics import evaluate

    times, numbers = {"pycocotools": [], "ours, with all other plain values": []}, {}
    for _ in range(repeats):
        spent, found = _seconds(lambda: {kind: coco_numbers(results, NAMES, kind)[0] for kind in ("bbox", "segm")})
        times["pycocotools"].append(spent)
        numbers["pycocotools"] = found
        spent, evaluation = _seconds(evaluate, results, NAMES)
        times["ours, with all other plain values"].append(spent)
        numbers["ours"] = evaluation.metrics["detection"]
    rows = [(f"AP, {name}", f"{min(spent):.2f} s, {_spread(spent)}") for name, spent in times.items()]
    pairs = [(numbers["ours"][k][s], numbers["pycocotools"][k][s]) for k in ("bbox", "segm") for s in STAT_NAMES]
    gap = np.nanmax(np.abs(np.subtract(*np.transpose(pairs))))
    return [*rows, ("greatest difference", f"{gap:.1e} percent points")]


def _spread(values):
    return f"{min(values):.2f} to {max(values):.2f}"


def _resampling(results, n_resamples):
    from segtumor.evaluation.facts.coco import BBOX, SEGM
    from segtumor.evaluation.measures.resampled_ap import ResampledAP

    _, case_of_image = np.unique([r.truth.attributes["case_id"] for r in results], return_inverse=True)
    n_cases = int(case_of_image.max()) + 1
    weights = np.random.default_rng(0).multinomial(n_cases, np.full(n_cases, 1 / n_cases), n_resamples).astype(float)
    rows = []
    for kind in (BBOX, SEGM):
        built, machine = _seconds(ResampledAP.of, results, NAMES, kind)
        spent, found = _seconds(machine.resample, weights, case_of_image)
        text = f"{spent:.2f} s for {n_resamples} of {n_cases} cases, after {built:.2f} s of matching"
        rows.append((f"resampled {kind} AP", f"{text}; AP {found['AP'].mean():.2f} +- {found['AP'].std():.2f}"))
    return rows


def _study(results, n_resamples):
    try:
        from segtumor.evaluation.facts.settings import StudySettings
        from segtumor.evaluation.study.study import study
    except ImportError as error:
        return [("study", f"not measured: {error}")]
    spent, found = _seconds(study, results, NAMES, StudySettings(n_resamples=n_resamples))
    rows = [("study", f"{spent:.1f} s with {n_resamples} resamples"), ("memory of the study", _memory())]
    try:
        from segtumor.reporting.pages.study_page import study_page
    except ImportError as error:
        return [*rows, ("page", f"not measured: {error}")]
    spent, page = _seconds(study_page, found, title="benchmark", provenance={}, examples=())
    return [*rows, ("page", f"{spent:.1f} s, {len(page) / 1e6:.1f} MB"), ("memory at the end", _memory())]


if __name__ == "__main__":
    sys.exit(main())

"""Builders shared by the tests of this room: small COCO files, images in memory, entries and estimates."""

import json

import numpy as np
import pytest

from segtumor.evaluation.study.values import Estimate
from segtumor.literature.entries.reading import load_entry
from segtumor.structures.lesions import AnnotatedImage, Finding, ImageResult, Lesion
from segtumor.structures.masks import rle_from_mask

SIDE = 20
CLASSES = ("benign", "malignant")


def rectangle(x0, y0, x1, y1):
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    mask[y0:y1, x0:x1] = True
    return rle_from_mask(mask)


class Scene:
    """Images with lesions and findings; ``results`` in memory, ``write`` as files."""

    def __init__(self):
        self.results = []

    def image(self, lesions=(), findings=(), **attributes):
        """lesions: (class_id, x0, y0, x1, y1); findings: (class_id, score, x0, y0, x1, y1)."""
        number = len(self.results) + 1
        truths = tuple(
            Lesion(10 * number + i, c, tuple(map(float, box)), rectangle(*box), float(np.prod(np.subtract(*corners))))
            for i, (c, *box) in enumerate(lesions)
            for corners in [(box[2:], box[:2])]
        )
        found = tuple(Finding(c, s, tuple(map(float, box)), rectangle(*box)) for c, s, *box in findings)
        attributes = {name: value for name, value in attributes.items() if value is not None}
        truth = AnnotatedImage(number, f"{number}.png", (SIDE, SIDE), truths, attributes)
        self.results.append(ImageResult(truth, found))
        return self

    def write(self, folder, name="test", chosen=None, **info):
        """(annotation file, predictions file) of the images, or of those ``chosen`` by number."""
        results = [r for r in self.results if chosen is None or r.truth.image_id in chosen]
        folder.mkdir(parents=True, exist_ok=True)
        annotations, predictions = folder / f"{name}.json", folder / f"{name}_predictions.json"
        annotations.write_text(json.dumps(coco(results, info)))
        predictions.write_text(json.dumps([row for r in results for row in coco_findings(r)]))
        return annotations, predictions


def coco(results, info):
    return {
        "info": info,
        "images": [
            {"id": r.truth.image_id, "file_name": r.truth.file_name, "width": SIDE, "height": SIDE}
            | dict(r.truth.attributes)
            for r in results
        ],
        "annotations": [
            {
                "id": lesion.lesion_id,
                "image_id": r.truth.image_id,
                "category_id": lesion.class_id + 1,
                "bbox": xywh(lesion.box_xyxy),
                "segmentation": lesion.rle,
                "area": lesion.area_px,
                "iscrowd": 0,
            }
            for r in results
            for lesion in r.truth.lesions
        ],
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(CLASSES)],
    }


def coco_findings(result):
    for finding in result.findings:
        yield {
            "image_id": result.truth.image_id,
            "category_id": finding.class_id + 1,
            "bbox": xywh(finding.box_xyxy),
            "score": finding.score,
            "segmentation": finding.rle,
        }


def xywh(box):
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]


def six_images():
    """Cases a to f, one image each: two benign, two malignant, two normal; hits, a wrong class, a miss, an alarm."""
    scene = Scene()
    scene.image([(0, 2, 2, 8, 8)], [(0, 0.9, 2, 2, 8, 8)], case_id="a", center="2", image_label="benign")
    scene.image([(0, 4, 4, 12, 12)], [(1, 0.8, 4, 4, 12, 10)], case_id="b", center="2", image_label="benign")
    scene.image([(1, 1, 1, 9, 9)], [(1, 0.7, 1, 1, 9, 9)], case_id="c", center="3", image_label="malignant")
    scene.image([(1, 9, 9, 18, 18)], [], case_id="d", center="3", image_label="malignant")
    scene.image([], [(0, 0.6, 0, 0, 4, 4)], case_id="e", center="3", image_label="normal")
    scene.image([], [(0, 0.2, 0, 0, 4, 4)], case_id="f", center="2", image_label="normal")
    return scene


@pytest.fixture
def scene():
    return Scene()


@pytest.fixture
def six():
    return six_images()


@pytest.fixture
def make_entry(tmp_path):
    """Function of overrides and results -> Entry of BTXRD with one split, read from YAML as all are."""

    def make(*results, entry_id="mine_2026", split=None, **keys):
        document = {
            "id": entry_id,
            "citation": {"authors": "Somebody", "year": 2026},
            "read": True,
            "dataset": "BTXRD",
            "modality": "radiograph",
            "task": "boxes",
            "unit": "image",
            "splits": {"test": {"kind": "grouped", **(split or {})}},
            "results": [{"comparable": True, "split": "test", **result} for result in results],
        }
        path = tmp_path / f"{entry_id}.yaml"
        path.write_text(json.dumps({**document, **keys}))  # JSON is YAML
        return load_entry(path)

    return make


@pytest.fixture
def make_estimate():
    def make(name, value=0.5, n=10, **options):
        nan = float("nan")
        plain = {"group": "images", "unit": "images", "low": nan, "high": nan, "method": "bca", "successes": None}
        plain |= {"n_cases": n, "n_defined": 100, "wilson_low": nan, "wilson_high": nan, "label": name}
        return Estimate(name=name, value=value, n=n, **{**plain, **options})

    return make

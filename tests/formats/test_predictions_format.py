"""predictions.json as annotations to correct: what infer showed, on the images that it showed it on."""

import json

import numpy as np
import pytest
from PIL import Image

from segtumor.annotations.predictions.writing import predictions_document
from segtumor.errors import DataError
from segtumor.formats import predictions
from segtumor.formats.sources.image_folder import ImageFolder
from segtumor.formats.table import detect_format
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import rle_from_mask
from segtumor.structures.outcomes import InferenceOutcome, failed
from segtumor.structures.readings import Reading

NAMES = ("benign", "malignant")
MASK = np.zeros((4, 6), dtype=bool)
MASK[1:3, 2:5] = True
FINDINGS = (
    Finding(1, 0.9, (2.0, 1.0, 5.0, 3.0), rle_from_mask(MASK), (0.05, 0.9)),
    Finding(0, 0.4, (0.0, 0.0, 1.0, 2.0), None, (0.4, 0.1)),
)


def reading(size_hw, findings=()):
    return Reading(class_names=NAMES, size_hw=size_hw, findings=findings)


@pytest.fixture
def read(tmp_path):
    """Function of outcomes and the threshold in summary.json -> Collection; images p1/a.png, p2/a.png, b.png."""
    for name in ("p1/a.png", "p2/a.png", "b.png"):
        path = tmp_path / "scans" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (6, 4)).save(path)

    def read(*outcomes, threshold=None):
        (tmp_path / "found").mkdir(exist_ok=True)
        (tmp_path / "found" / "predictions.json").write_text(json.dumps(predictions_document(outcomes, NAMES)))
        if threshold is not None:
            settings = {"settings": {"confidence_threshold": threshold}}
            (tmp_path / "found" / "summary.json").write_text(json.dumps(settings))
        return predictions.read(tmp_path / "found", ImageFolder(tmp_path / "scans"))

    return read


@pytest.mark.parametrize(("threshold", "count"), [(None, 1), (0.3, 2), (0.95, 0), ("x", 1)])
def test_findings_from_the_threshold_of_the_run_become_regions(read, threshold, count):
    collection = read(InferenceOutcome("/elsewhere/p2/a.png", reading((4, 6), FINDINGS)), threshold=threshold)
    (image,) = collection.images
    assert (image.file_name, image.size_hw, collection.labels) == ("p2/a.png", (4, 6), NAMES)
    regions = [(r.label, r.segmentation, r.box_xywh, r.extra) for r in image.regions]
    expected = [
        ("malignant", FINDINGS[0].rle, None, {"description": "predicted, score 0.90"}),
        ("benign", None, (0, 0, 1, 2), {"description": "predicted, score 0.40"}),
    ]
    assert regions == expected[:count]
    notes = [(note.kind[:19], note.detail) for note in collection.notes if "score" in note.kind]
    assert notes == ([("findings with a sco", str(2 - count))] if count < 2 else [])


def test_what_is_not_known_is_left_out_and_named(read):
    collection = read(
        InferenceOutcome("p1/a.png", reading((4, 6))),
        failed("p2/a.png", "r"),
        InferenceOutcome("b.png", reading((6, 4), FINDINGS)),
        InferenceOutcome("p3/a.png", reading((4, 6))),
        InferenceOutcome("a.png", reading((4, 6))),
    )
    assert [(image.file_name, image.regions) for image in collection.images] == [("p1/a.png", ())]
    assert [(remark.image, remark.kind) for remark in collection.left_out] == [
        ("p2/a.png", "not predicted"),
        ("b.png", "predicted at another size than the image has"),
        ("p3/a.png", "image listed but not in the folder"),
        ("a.png", "several images of that name"),
    ]


def test_other_files_are_no_predictions(read, tmp_path):
    read(InferenceOutcome("b.png", reading((4, 6), FINDINGS)))
    path = tmp_path / "found" / "predictions.json"
    assert detect_format(path) == "predictions" and predictions.recognises(tmp_path / "found")
    path.write_text(json.dumps([{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 0.5}]))
    assert not predictions.recognises(path)
    with pytest.raises(DataError, match="names neither images nor classes"):
        predictions.read(path, ImageFolder(tmp_path / "scans"))
    assert not predictions.recognises(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"annotations": [{"image_id": [1]}]}, r"annotations\[0\]: a finding of no listed image"),
        ({"annotations": [{"image_id": 7}]}, "a finding of no listed image"),
        ({"annotations": 3}, "'annotations' is not a list of objects"),
        ({"images": [{"image_id": 1}, {"image_id": 1}]}, "two of one id"),
        ({"images": [{"image_id": None}]}, "images without an id"),
        ({"categories": [{"id": 1}]}, "malformed categories"),
        ({"categories": [{"id": [1], "name": "a"}]}, "malformed categories"),
    ],
)
def test_ids_that_do_not_fit_together_are_refused(read, tmp_path, change, message):
    read(InferenceOutcome("b.png", reading((4, 6), FINDINGS)))
    path = tmp_path / "found" / "predictions.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(DataError, match=message):
        predictions.read(path, ImageFolder(tmp_path / "scans"))

import csv
import json

import numpy as np
import pytest

import segtumor
from segtumor import files
from segtumor.annotations.predictions.writing import predictions_document
from segtumor.reporting.files.findings_files import count, findings_columns, rows_of_one, summary_entry, summary_head
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import mask_from_rle, rle_from_mask
from segtumor.structures.outcomes import InferenceOutcome, failed
from segtumor.structures.readings import SIZE_REDUCED, UNLIKE_TRAINING, Note, Reading

NAMES = ("benign", "malignant")
MASK = np.zeros((8, 10), dtype=bool)
MASK[2:5, 1:5] = True
MASK[2, 1] = False
SEEN = Finding(1, 0.875, (1.0, 2.0, 5.0, 5.0), rle_from_mask(MASK), (0.125, 0.875))
BOX_ONLY = Finding(0, 0.5, (0.0, 0.0, 2.0, 1.0), None)


def reading(size_hw, *findings, **fields):
    return Reading(class_names=NAMES, size_hw=size_hw, findings=findings, **fields)


OUTCOMES = (
    InferenceOutcome("a.png", reading((8, 10), SEEN, BOX_ONLY), seconds=0.5),
    InferenceOutcome("normal.png", reading((4, 4)), seconds=0.25),
    failed("broken.png", "broken.png: truncated."),
    InferenceOutcome("b.dcm", reading((8, 10), SEEN, spacing_mm=(0.5, 0.2), spacing_source="mm at detector")),
)


def rows_of(outcomes):
    return [row for outcome in outcomes for row in rows_of_one(outcome, NAMES)]


def test_predictions_are_coco_results_with_what_they_speak_of():
    document = predictions_document(OUTCOMES, NAMES)
    assert document["schema_version"] == 2
    assert document["segtumor_version"] == segtumor.__version__
    assert document["notice"] == segtumor.NOTICE
    assert [(c["id"], c["name"]) for c in document["categories"]] == [(1, "benign"), (2, "malignant")]
    assert document["images"] == [
        {"image_id": 1, "file_name": "a.png", "width": 10, "height": 8, "status": "ok"},
        {"image_id": 2, "file_name": "normal.png", "width": 4, "height": 4, "status": "ok"},
        {"image_id": 3, "file_name": "broken.png", "width": None, "height": None, "status": "failed"},
        {"image_id": 4, "file_name": "b.dcm", "width": 10, "height": 8, "status": "ok"},
    ]
    first, second, third = document["annotations"]
    assert (first["image_id"], second["image_id"], third["image_id"]) == (1, 1, 4)
    assert first["category_id"] == 2
    assert first["bbox"] == [1.0, 2.0, 4.0, 3.0]
    assert first["score"] == 0.875
    assert first["class_probabilities"] == {"benign": 0.125, "malignant": 0.875}
    np.testing.assert_array_equal(mask_from_rle(first["segmentation"]), MASK)
    assert second["segmentation"] is None
    assert second["class_probabilities"] == {}


def test_predictions_survive_the_file_and_pycocotools_reads_them(tmp_path):
    from pycocotools.coco import COCO

    files.write_json(tmp_path / "p.json", predictions_document(OUTCOMES, NAMES))
    document = json.loads((tmp_path / "p.json").read_text())
    truth = COCO()
    truth.dataset = {"images": [{"id": i["image_id"], **i} for i in document["images"]], "annotations": []}
    truth.dataset["categories"] = document["categories"]
    truth.createIndex()
    results = truth.loadRes([annotation for annotation in document["annotations"] if annotation["segmentation"]])
    assert sorted(a["area"] for a in results.dataset["annotations"]) == [12, 12]  # of the box, as loadRes takes it


def test_each_finding_has_a_row_and_so_has_a_file_without_one():
    rows = rows_of(OUTCOMES)
    assert [(r["file"], r["status"], r["finding"], r["class"]) for r in rows] == [
        ("a.png", "ok", 1, "malignant"),
        ("a.png", "ok", 2, "benign"),
        ("normal.png", "ok", "none", ""),
        ("broken.png", "failed", "", ""),
        ("b.dcm", "ok", 1, "malignant"),
    ]
    assert rows[3]["reason"] == "broken.png: truncated."
    assert (rows[0]["width_px"], rows[0]["height_px"], rows[0]["area_px"]) == (4, 3, 11)
    assert rows[1]["area_px"] == ""
    assert rows[1]["probability_benign"] == ""


def test_millimetres_only_with_a_spacing_and_its_source():
    rows = rows_of(OUTCOMES)
    millimetres = ("width_mm", "height_mm", "area_mm2", "spacing_source")
    assert [rows[0][key] for key in millimetres] == ["", "", "", ""]
    # Width 4 px of 0.2 mm between columns, height 3 px of 0.5 mm between rows, 11 px of 0.1 mm^2.
    assert [rows[4][key] for key in millimetres] == [0.8, 1.5, 1.1, "mm at detector"]


def test_rows_fit_their_columns_as_a_file(tmp_path):
    files.write_csv(tmp_path / "f.csv", rows_of(OUTCOMES), findings_columns(NAMES))
    with open(tmp_path / "f.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5
    assert rows[0]["probability_malignant"] == "0.875"


def test_an_unknown_probability_is_an_empty_cell_and_null(tmp_path):
    finding = Finding(0, 0.5, (0, 0, 1, 1), None, (0.5, float("nan")))
    outcomes = [InferenceOutcome("a.png", reading((2, 2), finding))]
    assert rows_of(outcomes)[0]["probability_malignant"] == ""
    files.write_json(tmp_path / "p.json", predictions_document(outcomes, NAMES))
    written = json.loads((tmp_path / "p.json").read_text())["annotations"][0]["class_probabilities"]
    assert written == {"benign": 0.5, "malignant": None}


def test_the_summary_counts_images_that_are_called_tumour_where_images_are_judged():
    readings = [Reading(class_names=NAMES, size_hw=(2, 2), image_probabilities=(p, 0.0, 1 - p)) for p in (0.25, 0.5, 1)]
    outcomes = [InferenceOutcome(str(i), one) for i, one in enumerate(readings)] + [OUTCOMES[2]]
    assert count(outcomes, tumor_from=0.5)["called_tumor"] == 2
    assert "called_tumor" not in count(outcomes)


def test_the_summary_counts_images_that_are_unlike_the_training_images():
    unlike = (Note(UNLIKE_TRAINING, "do not rely on it"),)
    finding = Finding(0, 0.5, (0, 0, 1, 1))
    outcomes = [
        InferenceOutcome(str(i), Reading(class_names=NAMES, size_hw=(2, 2), notes=notes, findings=findings))
        for i, (notes, findings) in enumerate([((), (finding,)), (unlike, ()), (unlike, (finding,)), ((), ())])
    ]
    counts = count(outcomes, tumor_from=0.5)
    assert counts["unlike_training"] == 2 and counts["unlike_training_with_findings"] == 1
    assert counts["with_findings"] == 2


def test_the_summary_counts_every_input():
    counts = count(OUTCOMES)
    assert counts == {
        "inputs": 4,
        "ok": 3,
        "failed": 1,
        "not_reached": 0,
        "with_findings": 2,
        "without_findings": 1,
        "findings": 3,
    }
    assert [(i["file"], i["status"], i["n_findings"]) for i in map(summary_entry, OUTCOMES)] == [
        ("a.png", "ok", 2),
        ("normal.png", "ok", 0),
        ("broken.png", "failed", None),
        ("b.dcm", "ok", 1),
    ]
    assert summary_entry(OUTCOMES[2])["reason"] == "broken.png: truncated."
    document = summary_head(settings={"confidence_threshold": 0.5}, model={"file": "model_best.pth"}, counts=counts)
    assert document["counts"] == counts
    assert document["settings"] == {"confidence_threshold": 0.5}
    assert document["model"] == {"file": "model_best.pth"}
    assert document["notice"] == segtumor.NOTICE


def test_a_note_is_in_the_table_and_in_the_summary():
    note = Note(SIZE_REDUCED, "at 400 px")
    outcomes = [InferenceOutcome("a.png", reading((8, 10), SEEN, BOX_ONLY, notes=(note,))), OUTCOMES[1]]
    assert [row["note"] for row in rows_of(outcomes)] == ["at 400 px", "at 400 px", ""]
    assert [summary_entry(outcome)["note"] for outcome in outcomes] == ["at 400 px", None]


def test_nothing_at_all_gives_complete_documents():
    assert predictions_document((), NAMES)["annotations"] == []
    assert count(())["inputs"] == 0


def test_an_input_that_was_not_reached_has_not_failed():
    outcome = InferenceOutcome("a.png", status="not reached", reason="the run was stopped before it")
    counts = count([outcome])
    assert (counts["not_reached"], counts["ok"], counts["failed"], counts["without_findings"]) == (1, 0, 0, 0)
    (row,) = rows_of_one(outcome, ("benign",))
    assert (row["status"], row["finding"], row["reason"]) == ("not reached", "", "the run was stopped before it")
    assert summary_entry(outcome)["n_findings"] is None


def test_mistakes_of_the_caller_are_not_written_down():
    with pytest.raises(ValueError, match="status"):
        InferenceOutcome("a.png", reading((2, 2)), status="maybe")
    with pytest.raises(ValueError, match="reason"):
        InferenceOutcome("a.png", status="failed")
    with pytest.raises(ValueError, match="reading"):
        InferenceOutcome("a.png")
    with pytest.raises(ValueError, match="3 probabilities for 2 classes"):
        finding = Finding(0, 0.5, (0, 0, 1, 1), None, (0.5, 0.2, 0.3))
        predictions_document([InferenceOutcome("a.png", reading((2, 2), finding))], NAMES)

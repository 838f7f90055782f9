"""A classifier and a segmenter, written against ``runtime.protocols`` only, go the whole way that a detector goes."""

import csv
import json

import numpy as np
import pytest
from dummy_models import BRIGHT, MODELS, NAMES, Brightness, Threshold, predictor_of, write_export
from PIL import Image

from segtumor.commands import infer as infer_command
from segtumor.errors import ModelError, NonFiniteOutputError
from segtumor.evaluation.pairing import pair
from segtumor.imaging import Radiograph
from segtumor.inference.batch.options import Options
from segtumor.inference.batch.run import infer
from segtumor.runtime import reading_models
from segtumor.runtime.breakdown import broken_output
from segtumor.structures.lesions import Finding
from segtumor.structures.readings import Reading

pytestmark = pytest.mark.command

SQUARE = (slice(10, 30), slice(20, 45))


@pytest.fixture
def scans(tmp_path):
    """Folder of three pictures: with a bright square, with nothing, and bright all over; and the truth of them."""
    folder = tmp_path / "scans"
    folder.mkdir()
    rng = np.random.default_rng(0)
    pictures = {"square": (60, 140), "dark": (0, 80), "bright": (150, 220)}
    for name, (low, high) in pictures.items():
        pixels = rng.integers(low, high, (64, 64), dtype=np.uint8)
        pixels[0, :30] = 255  # so that windowing changes nothing
        pixels[1, :30] = 0
        if name == "square":
            pixels[SQUARE] = 255
        Image.fromarray(pixels).save(folder / f"{name}.png")
    box = [20, 10, 25, 20]
    truth = {
        "categories": [{"id": i, "name": name} for i, name in enumerate(NAMES, start=1)],
        "images": [
            {"id": i, "file_name": f"{name}.png", "height": 64, "width": 64, "case_id": name, "image_label": label}
            for i, (name, label) in enumerate(
                [("square", "malignant"), ("dark", "normal"), ("bright", "normal")], start=1
            )
        ],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 2,
                "bbox": box,
                "area": 500,
                "iscrowd": 0,
                "segmentation": _outline(box),
            }
        ],
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    return folder


def _outline(box):
    x, y, width, height = box
    return [[x, y, x + width, y, x + width, y + height, x, y + height]]


def run(model, scans, output):
    paths = [scans / f"{name}.png" for name in ("square", "dark", "bright")]
    return infer(predictor_of(model), paths, output, Options(confidence_threshold=BRIGHT), settings={}, model={})


def rows_of(output):
    with (output / "findings.csv").open() as file:
        return list(csv.DictReader(file))


def report_of(tmp_path, predictions):
    from segtumor.commands import evaluate

    output = tmp_path / "evaluation"
    argv = ["--annotations", str(tmp_path / "truth.json"), "--predictions", str(predictions), "--output", str(output)]
    assert (
        evaluate.main(
            [*argv, "--resamples", "50", "--images", str(tmp_path / "scans"), "--score-threshold", str(BRIGHT)]
        )
        == 0
    )
    assert (output / "report.html").stat().st_size > 10_000
    return json.loads((output / "metrics.json").read_text())


def test_a_classifier_from_files_to_a_report(scans, tmp_path):
    result = run(Brightness(), scans, tmp_path / "found")
    assert (result.counts["ok"], result.counts["findings"]) == (3, 0)
    document = json.loads((tmp_path / "found" / "predictions.json").read_text())
    assert document["annotations"] == []
    square, dark, bright = (image["image_probabilities"] for image in document["images"])
    assert list(square) == ["normal", "benign", "malignant"]
    assert dark["malignant"] < square["malignant"] < bright["malignant"]
    rows = rows_of(tmp_path / "found")
    assert [row["finding"] for row in rows] == ["none"] * 3
    assert float(rows[2]["image_probability_malignant"]) == pytest.approx(bright["malignant"], abs=1e-4)
    summary = json.loads((tmp_path / "found" / "summary.json").read_text())
    assert summary["inputs"][0]["image_probabilities"] == square
    called = sum(1 - image["normal"] >= BRIGHT for image in (square, dark, bright))
    assert summary["counts"]["called_tumor"] == result.counts["called_tumor"] == called > 0
    assert len(list((tmp_path / "found" / "overlays").glob("*.png"))) == 3
    results = pair(tmp_path / "truth.json", tmp_path / "found" / "predictions.json").results
    assert [r.image_probabilities for r in results] == [tuple(p.values()) for p in (square, dark, bright)]


def test_what_a_classifier_says_of_images_is_what_is_measured(scans, tmp_path):
    run(Brightness(), scans, tmp_path / "found")
    metrics = report_of(tmp_path, tmp_path / "found" / "predictions.json")
    assert metrics["images"]["sensitivity"] == 1
    assert metrics["images"]["specificity"] == 0.5  # the bright one is called a tumour


def test_a_segmenter_from_files_to_a_report(scans, tmp_path):
    result = run(Threshold(), scans, tmp_path / "found")
    assert result.counts["with_findings"] == 3  # the white stripe of each, too
    document = json.loads((tmp_path / "found" / "predictions.json").read_text())
    assert "image_probabilities" not in document["images"][0]
    assert "image_probability_normal" not in rows_of(tmp_path / "found")[0]
    largest = max((a for a in document["annotations"] if a["image_id"] == 1), key=lambda a: a["bbox"][3])
    assert largest["bbox"] == [20.0, 10.0, 25.0, 20.0]
    assert largest["class_probabilities"] == pytest.approx({"benign": 0.1, "malignant": 0.9}, abs=1e-6)
    metrics = report_of(tmp_path, tmp_path / "found" / "predictions.json")
    assert metrics["lesions"]["recall"] == 1
    assert metrics["overlap"]["dice"] == 1


def test_a_run_goes_on_with_readings_of_whole_images(scans, tmp_path):
    class Stopping(Brightness):
        def classify(self, windows):
            if windows[0].mean() > BRIGHT:
                raise KeyboardInterrupt
            return super().classify(windows)

    with pytest.raises(KeyboardInterrupt):
        run(Stopping(), scans, tmp_path / "found")
    paths = [scans / f"{name}.png" for name in ("square", "dark", "bright")]
    options = Options(confidence_threshold=BRIGHT, continued=True)
    infer(predictor_of(Brightness()), paths, tmp_path / "found", options, settings={}, model={})
    run(Brightness(), scans, tmp_path / "whole")
    parts, whole = (json.loads((tmp_path / name / "predictions.json").read_text()) for name in ("found", "whole"))
    assert parts == whole


@pytest.mark.parametrize("kind", MODELS)
def test_an_export_of_another_kind_is_run_by_the_command(kind, scans, tmp_path, capsys):
    folder = write_export(tmp_path / "exported", kind)
    argv = ["--run", str(folder), "--input", str(scans), "--output", str(tmp_path / "found")]
    assert infer_command.main(argv) == 0
    assert "3 inputs" in capsys.readouterr().out
    summary = json.loads((tmp_path / "found" / "summary.json").read_text())
    assert summary["settings"]["runtime"] == {"runtime": "dummy", "version": "1"}
    run(MODELS[kind](), scans, tmp_path / "own")
    by_name = [
        json.loads((tmp_path / name / "predictions.json").read_text())["annotations"] for name in ("found", "own")
    ]
    assert sorted(map(str, by_name[0])) != [] or kind == "brightness"
    assert len(by_name[0]) == len(by_name[1])


def test_the_picture_of_a_classifier_says_class_and_probability(monkeypatch):
    from segtumor.reporting.pictures import overlay

    written = []
    text = overlay.ImageDraw.ImageDraw.text
    monkeypatch.setattr(
        overlay.ImageDraw.ImageDraw,
        "text",
        lambda self, xy, said, **o: written.append(said) or text(self, xy, said, **o),
    )
    found = Reading(class_names=NAMES, size_hw=(64, 64), image_probabilities=(0.125, 0.25, 0.625))
    overlay.draw_reading(np.full((64, 64), 0.5), found, score_threshold=0.5)
    assert "malignant 0.62" in written and "whole image" in written
    assert "Whole image: normal 0.12, benign 0.25, malignant 0.62." in written
    overlay.draw_reading(np.full((64, 64), 0.5), found, score_threshold=0.9)
    assert "normal 0.12" in written
    unplaced = Reading(class_names=NAMES, size_hw=(64, 64), findings=(Finding(0, 0.75),))
    overlay.draw_reading(np.full((64, 64), 0.5), unplaced, score_threshold=0.5)
    assert "#1 benign 0.75" in written and "no place given" in written


class Answering:
    """A classifier that answers with whatever it was given."""

    def __init__(self, *answers):
        self.answers = answers

    def classify(self, windows):
        return list(self.answers)


def radiograph(name="a.png"):
    return Radiograph(np.full((8, 8), 0.5, np.float32), None, None, name, "uint8")


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (((0.5, 0.5),), r"Answering: the model does not answer as it should \(got \(2,\) probabilities"),
        (((0.5, 0.5, 1.5),), "0.5 to 1.5"),
        ((), "0 answers; expected 1"),
    ],
)
def test_wrong_answers_are_errors_of_the_model(answers, message):
    with pytest.raises(ModelError, match=message):
        predictor_of(Answering(*answers)).read(radiograph())


@pytest.mark.parametrize("answer", [(0.5, float("nan"), 0.5), broken_output()])
def test_a_classifier_that_breaks_down_fails_its_radiograph(answer):
    with pytest.raises(NonFiniteOutputError, match=r"a\.png"):
        predictor_of(Answering(answer)).read(radiograph())


def test_a_model_without_a_method_is_none():
    with pytest.raises(TypeError, match="neither read, detect, segment nor classify"):
        predictor_of(object())


def test_a_model_may_say_everything_itself():
    class Everything:
        def read(self, windows, sizes_hw):
            return [
                Reading(class_names=NAMES, size_hw=size_hw, findings=(Finding(1, 0.5),), uncertainty=0.25)
                for size_hw in sizes_hw
            ]

    found = predictor_of(Everything()).read(radiograph())
    assert (found.uncertainty, found.tumor_score, found.name) == (0.25, 0.5, "a.png")


def test_regions_of_maps_by_eye():
    maps = np.zeros((2, 4, 6), np.float32)
    maps[0, :2, :2] = 0.5  # benign, one finding
    maps[1, 1, 1] = 0.75  # malignant wins its pixel, and touches nothing of its class
    maps[1, 3, 3] = maps[1, 2, 4] = 1.0  # diagonal neighbours are one finding
    maps[0, 3, 5] = 0.4375  # not likely enough
    found = reading_models.findings_from_maps(maps)
    assert [(f.class_id, f.score, f.box_xyxy) for f in found] == [
        (1, 1.0, (3, 2, 5, 4)),
        (1, 0.75, (1, 1, 2, 2)),
        (0, 0.5, (0, 0, 2, 2)),
    ]
    assert found[2].mask.sum() == 3
    assert found[1].probabilities == (0.5, 0.75)

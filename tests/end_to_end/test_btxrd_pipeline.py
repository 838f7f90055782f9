"""From a folder laid out as BTXRD to numbers and overlays, by the commands of the README, on made-up images."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from segtumor.synthesis.phantoms import make_phantoms

pytestmark = pytest.mark.end_to_end

ROOT = Path(__file__).resolve().parents[2]
VIEWS = ("frontal", "lateral", "oblique")
SUBTYPES = {"benign": "simple bone cyst", "malignant": "osteosarcoma"}


def write_release(folder, cases):
    """Phantoms laid out as BTXRD: images, LabelMe files that hold each lesion twice, tables."""
    import cv2

    (folder / "images").mkdir(parents=True)
    (folder / "Annotations").mkdir()
    rows, groups = [], []
    for number, case in enumerate(make_phantoms(cases, seed=3, size_px=96)):
        margin = 16 * (number % 3)  # images of three shapes
        for view in case.views:
            name = f"IMG{len(rows) + 1:06d}.jpeg"
            cv2.imwrite(str(folder / "images" / name), np.pad(view.pixels, ((0, 0), (0, margin))))
            rows.append(_row(name, case, view))
            groups.append({"image_id": name, "case_id": case.case_id})
            if view.lesions:
                shapes = [shape for lesion in view.lesions for shape in _shapes(lesion, SUBTYPES[case.image_label])]
                document = {"shapes": shapes, "imageHeight": 96, "imageWidth": 96 + margin}
                (folder / "Annotations" / name.replace(".jpeg", ".json")).write_text(json.dumps(document))
    _write_table(folder / "dataset.csv", rows)
    _write_table(folder / "cases.csv", groups)


def _row(name, case, view):
    from segtumor.formats.btxrd.dataset_table import BONES_AND_JOINTS, REGIONS
    from segtumor.taxonomy import SUBTYPE_ENTITY

    columns = (*BONES_AND_JOINTS, "tumor", "benign", "malignant", *SUBTYPE_ENTITY, *REGIONS, *VIEWS)
    row = {"image_id": name, "center": 1, "age": case.age, "gender": case.sex, **dict.fromkeys(columns, 0)}
    row[view.view] = 1
    if view.lesions:
        row |= {"tumor": 1, case.image_label: 1, SUBTYPES[case.image_label]: 1, "tibia": 1}
    return row


def _shapes(lesion, label):
    import cv2

    contours, _ = cv2.findContours(lesion.mask.astype("uint8"), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = max(contours, key=len).reshape(-1, 2)
    corners = [points.min(axis=0).tolist(), points.max(axis=0).tolist()]
    return [
        {"label": label, "shape_type": "rectangle", "points": corners, "group_id": None},
        {"label": label, "shape_type": "polygon", "points": points.tolist(), "group_id": None},
    ]


def _write_table(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with a converted data set and a short training on it."""
    work = tmp_path_factory.mktemp("btxrd")
    write_release(work / "release", cases=20)
    data = work / "datasets" / "btxrd256"
    convert = ["datasets/prepare_btxrd.py", "--source", work / "release", "--output", data]
    run([*convert, "--groups", work / "release" / "cases.csv", "--split", "grouped", "--seed", "0"], work)
    # A model that has hardly learnt is sure of nothing: every score counts.
    settings = {
        "INPUT.MIN_SIZE_TRAIN": "[64]",
        "INPUT.MIN_SIZE_TEST": 64,
        "SOLVER.MAX_ITER": 6,
        "TEST.EVAL_PERIOD": 3,
        "TEST.CONFIDENCE_THRESHOLD": 0,
    }
    train = ["tools/train_net.py", "--config-file", "configs/tiny_btxrd256.yaml", "OUTPUT_DIR", work / "run"]
    run([*train, *(str(text) for pair in settings.items() for text in pair)], work)
    return work


def run(arguments, work, code=0):
    environment = {**os.environ, "DETECTRON2_DATASETS": str(work / "datasets")}
    command = [sys.executable, *map(str, arguments)]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == code, result.stderr
    return result


def test_no_case_is_in_two_parts(work):
    cases = {}
    for part in ("train", "val", "test"):
        coco = json.loads((work / "datasets" / "btxrd256" / "annotations" / f"{part}.json").read_text())
        cases[part] = {image["case_id"] for image in coco["images"]}
    assert sum(map(len, cases.values())) == len(set().union(*cases.values())) == 20


def test_infer_and_evaluate_agree_with_the_run(work):
    """Inference on all images, evaluated on the test part, gives the numbers that the training printed."""
    data = work / "datasets" / "btxrd256"
    infer = ["tools/infer.py", "--run", work / "run", "--input", data / "images", "--output", work / "found"]
    run(infer, work)
    evaluate = ["tools/evaluate.py", "--annotations", data / "annotations" / "test.json", "--output", work / "eval"]
    evaluate += ["--predictions", work / "found" / "predictions.json", "--score-threshold", "0", "--resamples", "100"]
    assert "--only-annotated" in run(evaluate, work, code=5).stderr
    assert "are not annotated and were left out" in run([*evaluate, "--only-annotated"], work).stdout
    ours = json.loads((work / "eval" / "metrics.json").read_text())
    in_training = json.loads((work / "run" / "inference" / "btxrd256_test" / "metrics.json").read_text())
    assert in_training["overlap"]["n_matched"] > 0  # else zeros would be compared
    for part, name in (
        ("overlap", "dice"),
        ("overlap", "n_matched"),
        ("lesions", "n_findings"),
        ("images", "accuracy"),
    ):
        assert ours[part][name] == pytest.approx(in_training[part][name], rel=1e-3), name
    for kind in ("bbox", "segm"):
        assert ours["detection"][kind]["AP50"] == pytest.approx(in_training["detection"][kind]["AP50"], rel=1e-3)


def test_a_bad_file_among_good_ones_does_not_stop_the_others(work):
    folder = work / "mixed"
    folder.mkdir()
    good = next((work / "release" / "images").iterdir()).read_bytes()
    (folder / "good.jpeg").write_bytes(good)
    (folder / "half.jpeg").write_bytes(good[: len(good) // 2])
    (folder / "text.png").write_text("no picture")
    infer = ["tools/infer.py", "--run", work / "run", "--input", folder, "--output", work / "mixed_out"]
    assert "Traceback" not in run(infer, work, code=6).stderr
    summary = json.loads((work / "mixed_out" / "summary.json").read_text())
    assert [entry["status"] for entry in summary["inputs"]] == ["ok", "failed", "failed"]
    assert [path.name for path in (work / "mixed_out" / "overlays").iterdir()] == ["good.png"]


def test_eval_only_repeats_the_numbers_of_the_run(work):
    path = work / "run" / "inference" / "btxrd256_test" / "metrics.json"
    before = json.loads(path.read_text())["detection"]
    config = ["--config-file", work / "run" / "config.yaml"]
    run(["tools/train_net.py", *config, "--eval-only"], work)
    assert json.loads(path.read_text())["detection"] == before


def test_a_second_run_into_the_same_folder_is_refused(work):
    config = ["--config-file", work / "run" / "config.yaml"]
    error = run(["tools/train_net.py", *config], work, code=2).stderr
    assert "--resume" in error and "--overwrite" in error

"""The main job of the README, as a user types it, with few cases and iterations."""

import csv
import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.end_to_end

#: Of what is said of images, that which their probabilities have no part in.
COUNTED_BY_FINDINGS = {
    "false_positives_per_normal_image",
    "false_positives_per_image",
    "n_images",
    "n_tumor_images",
    "n_normal_images",
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A finished short demo: its folder and what it printed."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    command = [sys.executable, "-m", "segtumor", "demo", "--output", folder, "--cases", "12"]
    # A threshold of 0.05 draws findings of a model that has hardly learnt.
    settings = ["SOLVER.MAX_ITER", "10", "TEST.EVAL_PERIOD", "5", "TEST.CONFIDENCE_THRESHOLD", "0.05"]
    result = subprocess.run([*command, *settings], capture_output=True, text=True, timeout=400)
    assert result.returncode == 0, result.stderr
    return folder, result.stdout


def test_demo_prints_the_table_and_where_to_look(demo):
    folder, output = demo
    for text in ("mask AP50", "mean lesion Dice", "false positives per normal image", "SYNTHETIC", "Research use only"):
        assert text in output
    assert str(folder / "found" / "overlays") in output


def test_demo_leaves_a_complete_run(demo):
    folder, _ = demo
    for name in ("config.yaml", "run.json", "log.txt", "metrics.json", "model_final.pth", "model_best.pth"):
        assert (folder / "run" / name).stat().st_size > 0
    assert list((folder / "run").glob("events.out.tfevents.*"))
    run = json.loads((folder / "run" / "run.json").read_text())
    assert run["seed"] == 42
    (train,) = run["datasets"]["train"]
    assert len(train["annotations_sha256"]) == 64
    assert len(train["split_file_sha256"]) == 64


def test_every_held_out_image_has_an_overlay_and_a_row(demo):
    folder, _ = demo
    test = json.loads((folder / "phantoms" / "annotations" / "test.json").read_text())
    names = {image["file_name"].removesuffix(".png") for image in test["images"]}
    assert {path.stem for path in (folder / "found" / "overlays").iterdir()} == names
    with open(folder / "found" / "findings.csv", newline="") as file:
        assert {row["file"].split("/")[-1].removesuffix(".png") for row in csv.DictReader(file)} == names


def test_evaluate_gives_the_same_numbers_as_training(demo, tmp_path):
    """The table of the run, recomputed by the separate command from the files that inference wrote."""
    folder, _ = demo
    in_training = folder / "run" / "inference" / "phantoms_test"
    command = [sys.executable, "tools/evaluate.py", "--annotations", folder / "phantoms" / "annotations" / "test.json"]
    for predictions in (in_training / "predictions.json", in_training / "coco_instances_results.json"):
        output = tmp_path / predictions.stem
        arguments = ["--predictions", predictions, "--output", output, "--score-threshold", "0.05"]
        result = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=120)
        assert result.returncode == 0, result.stderr
        ours = json.loads((output / "metrics.json").read_text())
        theirs = json.loads((in_training / "metrics.json").read_text())
        if predictions.name != "predictions.json":  # COCO results know nothing of whole images
            for images in (ours["images"], theirs["images"]):
                for name in set(images) - COUNTED_BY_FINDINGS:
                    del images[name]
        for part in ("detection", "overlap", "lesions", "images", "confusion"):
            assert ours[part] == theirs[part], part

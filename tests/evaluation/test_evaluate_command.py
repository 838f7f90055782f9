import csv
import json
import subprocess
import sys

import numpy as np
import pytest

from segtumor.commands.evaluate import main

pytestmark = pytest.mark.command


@pytest.fixture
def files(tmp_path, random_coco):
    """Annotations, plain results of them, and the same as infer.py would write them; as option lists."""
    truth, results = random_coco(np.random.default_rng(1), 8)
    own_ids = {image["id"]: n for n, image in enumerate(reversed(truth["images"]), start=1)}
    own = {
        "schema_version": 1,
        "categories": [{"id": 1, "name": "benign"}, {"id": 2, "name": "malignant"}],
        "images": [
            {"image_id": own_ids[i["id"]], "file_name": i["file_name"], "status": "ok"} for i in truth["images"]
        ],
        "annotations": [
            {**r, "image_id": own_ids[r["image_id"]], "category_id": {3: 1, 7: 2}[r["category_id"]]} for r in results
        ],
    }
    for name, content in (("gt", truth), ("plain", results), ("own", own)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return lambda name: [
        *("--annotations", str(tmp_path / "gt.json")),
        *("--predictions", str(tmp_path / f"{name}.json")),
        *("--output", str(tmp_path / f"out_{name}"), "--overwrite"),
    ]


@pytest.fixture
def no_pictures(monkeypatch):
    """Plots take most of the time."""
    for module in ("figures.canvas", "pages.study_figures"):
        monkeypatch.setattr(f"segtumor.reporting.{module}.png_bytes", lambda *_, **__: b"")


def test_both_forms_give_the_same_numbers(no_pictures, files, tmp_path, capsys):
    thresholds = ["--score-threshold", "0.3", "--iou-threshold", "0.6", "--resamples", "20", "--group-by", "class"]
    assert main([*files("plain"), *thresholds]) == 0
    shown = capsys.readouterr().out
    assert "mask AP50" in shown
    assert "per_lesion.csv" in shown
    assert main([*files("own"), *thresholds]) == 0
    plain, own = (json.loads((tmp_path / f"out_{name}/metrics.json").read_text()) for name in ("plain", "own"))
    assert plain["counts"].pop("n_images_absent") is None
    assert own["counts"].pop("n_images_absent") == 0
    for part in ("counts", "detection", "overlap", "lesions", "images", "confusion"):
        assert plain[part] == own[part]
    assert plain["settings"] == {"score_threshold": 0.3, "iou_threshold": 0.6}


def test_mistakes_are_one_line(files, tmp_path, capsys):
    assert main([*files("plain"), "--score-threshold", "2"]) == 2
    assert main([*files("nothing")]) == 5
    assert main([*files("plain"), "--run", str(tmp_path)]) == 5
    errors = capsys.readouterr().err
    assert "Traceback" not in errors
    assert errors.count("error:") == 3


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from segtumor.commands.evaluate import build_parser; text = build_parser().format_help(); "
        "assert 'Not a medical device' in text; "
        "print([m for m in ('numpy', 'pycocotools', 'matplotlib', 'cv2', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_report_and_its_tables_hold_the_numbers(files, tmp_path, capsys):
    assert main([*files("own"), "--resamples", "20", "--title", "A <b>title</b>"]) == 0
    out = tmp_path / "out_own"
    page = (out / "report.html").read_text()
    assert "A &lt;b&gt;title&lt;/b&gt;" in page
    assert "Research use only" in page
    metrics = json.loads((out / "metrics.json").read_text())
    dice = metrics["estimates"]["dice"]
    assert dice["value"] == pytest.approx(metrics["overlap"]["dice"])
    assert dice["low"] <= dice["value"] <= dice["high"]
    with (out / "estimates.csv").open(newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["name"] == "dice")
    assert float(row["value"]) == dice["value"]
    assert "hausdorff_95_px" in (out / "per_lesion.csv").read_text().splitlines()[0]
    assert "no radiographs in the report" in capsys.readouterr().out  # there is no folder of images


def test_the_same_command_gives_the_same_bytes(files, tmp_path):
    command = [*files("own"), "--resamples", "20", "--seed", "5", "--no-examples"]
    kept = []
    for _ in range(2):
        assert main(command) == 0
        kept.append({path.name: path.read_bytes() for path in (tmp_path / "out_own").iterdir()})
    assert kept[0] == kept[1]


def test_subgroups_with_chosen_limits(no_pictures, files, tmp_path):
    truth = json.loads((tmp_path / "gt.json").read_text())
    for number, image in enumerate(truth["images"]):
        image |= {"age": 10 + 5 * number, "spacing_mm": [0.5, 0.5]}
    (tmp_path / "gt.json").write_text(json.dumps(truth))
    limits = ["--age-limits", "18", "--size-limits-mm", "median", "--group-by", "class", "--resamples", "5"]
    assert main([*files("plain"), *limits]) == 0
    with open(tmp_path / "out_plain" / "subgroups.csv", newline="", encoding="utf-8") as file:
        levels = {(row["field"], row["level"]) for row in csv.DictReader(file)}
    assert {"<18", ">=18"} == {level for field, level in levels if field == "age_group"}
    sizes = [level for field, level in levels if field == "size_mm"]
    assert len(sizes) == 2 and all(level.endswith(" mm (median)") for level in sizes)


def test_subgroups_by_a_column_that_is_missing_are_refused(files, capsys):
    assert main([*files("own"), "--group-by", "device"]) == 5
    error = capsys.readouterr().err
    assert "device" in error and "class" in error


@pytest.mark.parametrize(
    "option",
    [
        ("--resamples", "0"),
        ("--level", "1"),
        ("--rule", "most"),
        ("--surface-tolerance", "-1"),
        ("--age-limits", "60", "18"),
        ("--size-limits-mm", "large"),
        ("--size-limits-mm", "80", "40"),
    ],
)
def test_bad_settings_are_refused(files, option, capsys):
    try:
        assert main([*files("own"), *option]) == 2
    except SystemExit as leaving:  # argparse refuses an unknown choice
        assert leaving.code == 2
    assert "Traceback" not in capsys.readouterr().err


def renamed(document, prefix="val_"):
    """A document as if it were of other images and cases."""
    images = [{**i, "file_name": prefix + i["file_name"]} for i in document["images"]]
    images = [{**i, "case_id": prefix + i["case_id"]} if i.get("case_id") else i for i in images]
    return {**document, "images": images}


def test_a_temperature_comes_from_other_images(no_pictures, files, tmp_path, capsys):
    truth, found = (json.loads((tmp_path / name).read_text()) for name in ("gt.json", "own.json"))
    for name, content in (("val", renamed(truth)), ("val_own", renamed(found)), ("same", {**truth, "info": {"a": 1}})):
        (tmp_path / f"{name}.json").write_text(json.dumps(content, indent=1))

    def calibrated(annotations, predictions):
        on = [str(tmp_path / f"{name}.json") for name in (annotations, predictions)]
        return main([*files("own"), "--resamples", "20", "--calibrate-on", *on])

    for same in ("gt", "same"):  # written anew, they are still the same images
        assert calibrated(same, "own") == 2
        assert "must not be fitted on what is evaluated: 8 images" in capsys.readouterr().err
    assert calibrated("val", "val_own") == 0
    assert "temperature of the scores" in capsys.readouterr().out
    page = (tmp_path / "out_own" / "report.html").read_text()
    assert "fitted on annotations, sha256" in page and "val.json" in page


def test_predictions_of_more_images_may_calibrate_and_be_evaluated(no_pictures, files, tmp_path, capsys):
    truth, found = (json.loads((tmp_path / name).read_text()) for name in ("gt.json", "own.json"))
    both = renamed(found)
    shift = 1000
    both["images"] = [*found["images"], *({**i, "image_id": i["image_id"] + shift} for i in both["images"])]
    both["annotations"] = [
        *found["annotations"],
        *({**a, "image_id": a["image_id"] + shift} for a in found["annotations"]),
    ]
    (tmp_path / "own.json").write_text(json.dumps(both))
    (tmp_path / "val.json").write_text(json.dumps(renamed(truth)))
    options = ["--resamples", "20", "--calibrate-on", str(tmp_path / "val.json"), str(tmp_path / "own.json")]
    assert main([*files("own"), *options]) == 5
    assert "--only-annotated" in capsys.readouterr().err
    assert main([*files("own"), *options, "--only-annotated"]) == 0
    assert "8 predicted images are not annotated and were left out." in (tmp_path / "out_own/report.html").read_text()


def test_the_report_tells_of_images_that_were_not_predicted(no_pictures, files, tmp_path, capsys):
    found = json.loads((tmp_path / "own.json").read_text())
    *found["images"], last = found["images"]
    found["annotations"] = [a for a in found["annotations"] if a["image_id"] != last["image_id"]]
    found["images"][0]["status"] = "failed: unreadable"
    (tmp_path / "own.json").write_text(json.dumps(found))
    assert main([*files("own"), "--resamples", "20", "--allow-absent"]) == 0
    page, shown = (tmp_path / "out_own" / "report.html").read_text(), capsys.readouterr().out
    for words in ("1 images are absent from the predictions", "1 images failed when predicting"):
        assert words in page and shown.count(words) == 1
        assert shown.index(words) < shown.index("95% interval")  # above the table
    assert "could not be predicted or are absent" in page


def test_an_earlier_report_leaves_nothing_behind(no_pictures, files, tmp_path):
    assert main([*files("own"), "--resamples", "20"]) == 0
    out = tmp_path / "out_own"
    assert (out / "curve_froc.csv").exists() and (out / "curve_roc_image.csv").exists()
    truth = json.loads((tmp_path / "gt.json").read_text())
    (tmp_path / "gt.json").write_text(json.dumps({**truth, "annotations": []}))
    assert main([*files("own"), "--resamples", "20"]) == 0
    assert not (out / "curve_froc.csv").exists() and not (out / "curve_roc_image.csv").exists()


def test_half_a_predictions_file_is_refused(no_pictures, files, tmp_path, capsys):
    truth, found = (json.loads((tmp_path / name).read_text()) for name in ("gt.json", "own.json"))
    ids = {i["image_id"] for i in found["images"][:4]}
    half = {**found, "images": found["images"][:4]}
    half["annotations"] = [a for a in found["annotations"] if a["image_id"] in ids]
    (tmp_path / "own.json").write_text(json.dumps(half))
    with_lesions = {a["image_id"] for a in truth["annotations"]}
    normal = sum(i["id"] not in with_lesions for i in truth["images"][4:])
    assert main([*files("own"), "--resamples", "20"]) == 5
    error = capsys.readouterr().err
    assert f"4 of 8 annotated images are absent from the predictions, {normal} of them normal" in error
    assert "--allow-absent" in error and not (tmp_path / "out_own").exists()


def test_images_that_failed_are_not_images_without_findings(no_pictures, files, tmp_path, capsys):
    found = json.loads((tmp_path / "own.json").read_text())
    for image in found["images"][:2]:
        image["status"] = "failed: the model's output is NaN or infinite"
    failed = {image["image_id"] for image in found["images"][:2]}
    found["annotations"] = [a for a in found["annotations"] if a["image_id"] not in failed]
    (tmp_path / "own.json").write_text(json.dumps(found))
    assert main([*files("own"), "--resamples", "20"]) == 5
    error = capsys.readouterr().err
    assert "2 of 8 annotated images failed when predicting" in error and "--allow-absent" in error
    assert not (tmp_path / "out_own").exists()


def test_predictions_of_another_part_are_refused(files, tmp_path, capsys):
    found = renamed(json.loads((tmp_path / "own.json").read_text()))
    (tmp_path / "own.json").write_text(json.dumps(found))
    for more in ((), ("--only-annotated",), ("--only-annotated", "--allow-absent")):
        assert main([*files("own"), *more]) == 5
    assert "no image in common" in capsys.readouterr().err


@pytest.mark.parametrize(("n_kept", "above"), [(6, False), (2, True)])
def test_a_list_cannot_say_what_was_predicted(no_pictures, files, tmp_path, capsys, n_kept, above):
    truth, found = (json.loads((tmp_path / name).read_text()) for name in ("gt.json", "plain.json"))
    kept = [i["id"] for i in truth["images"][:n_kept]]
    plain = [{**found[0], "image_id": i} for i in kept]
    (tmp_path / "plain.json").write_text(json.dumps(plain))
    assert main([*files("plain"), "--resamples", "20"]) == 0
    shown, words = capsys.readouterr().out, f"{8 - n_kept} of 8 images ("
    assert shown.count(words) == 1 and "have no finding in this list" in shown
    assert (shown.index(words) < shown.index("95% interval")) == above
    assert words in (tmp_path / "out_plain" / "report.html").read_text()


def test_corners_in_the_place_of_sizes_are_warned_of(no_pictures, files, tmp_path, capsys):
    found = json.loads((tmp_path / "plain.json").read_text())
    boxes = [{key: value for key, value in item.items() if key != "segmentation"} for item in found]
    for item in boxes:
        x, y, width, height = item["bbox"]
        item["bbox"] = [x, y, x + width, y + height]
    words = "are they x0, y0, x1, y1 instead of x, y, width, height?"
    (tmp_path / "plain.json").write_text(json.dumps(boxes))
    assert main([*files("plain"), "--resamples", "20"]) == 0
    assert words in capsys.readouterr().out.partition("95% interval")[0]
    assert words in (tmp_path / "out_plain" / "report.html").read_text()


def test_the_work_is_announced_and_each_number_printed_once(no_pictures, files, capsys):
    assert main([*files("own"), "--resamples", "20", "--no-examples"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "20 resamples of 8 cases, 8 images ..."
    assert (
        "11 lesions, 2 crowd regions (not counted), " in lines[1]
        and "findings with a score of at least 0.50" in lines[1]
    )
    assert sum(line.lower().startswith("mask ap50") for line in lines) == 1
    assert sum(line.lower().startswith("lesion recall") for line in lines) == 1


def test_predictions_of_nothing_but_failures_are_no_perfect_specificity(files, tmp_path, capsys):
    path = tmp_path / "own.json"
    found = json.loads(path.read_text())
    path.write_text(
        json.dumps({**found, "annotations": [], "images": [{**i, "status": "failed"} for i in found["images"]]})
    )
    assert main(files("own")) == 5
    assert "all 8 images failed when predicting" in capsys.readouterr().err
    assert not (tmp_path / "out_own" / "metrics.json").exists()

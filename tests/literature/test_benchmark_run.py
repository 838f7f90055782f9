"""``segtumor benchmark run``: leaks, what is printed and written, and bad input in one line."""

import csv
import dataclasses
import json

import pytest

from segtumor.commands.benchmark.run import main
from segtumor.evaluation.facts.settings import StudySettings
from segtumor.literature.comparison.measuring import measure
from segtumor.literature.entries import reading
from segtumor.literature.entries.reading import load_entries
from segtumor.literature.protocols import PROTOCOLS

pytestmark = pytest.mark.command

QUICK = ("--resamples", "20")


@pytest.fixture(autouse=True, scope="module")
def read_once():
    """The sources that come with segtumor are read once: they take longer than all else here."""
    shipped, load = load_entries(), reading.load_entries
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "load_entries", lambda folder=None: load(folder) if folder else shipped)
        yield


@pytest.fixture
def run(capsys, tmp_path):
    """Function of protocol, (annotations, predictions) and further arguments -> (code, stdout, stderr)."""

    def runner(protocol, files, *more):
        annotations, predictions = map(str, files)
        arguments = ["--annotations", annotations, "--predictions", predictions, "--output", str(tmp_path / "out")]
        code = main(["--protocol", protocol, *arguments, *QUICK, "--overwrite", *map(str, more)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return runner


@pytest.fixture
def rows(tmp_path):
    def read():
        with open(tmp_path / "out" / "benchmark.csv", newline="", encoding="utf-8") as file:
            return {row["metric"]: row for row in csv.DictReader(file)}

    return read


def train(scene_type, folder, cases, **attributes):
    scene = scene_type()
    for case in cases:
        scene.image([(0, 2, 2, 8, 8)], case_id=case, **attributes)
    return scene.write(folder, "train", description="BTXRD", split_kind="grouped")[0]


def test_a_leak_is_counted_and_measured_without(run, rows, six, tmp_path):
    train(type(six), tmp_path / "d", ["a", "e", "z"])
    files = six.write(tmp_path / "d", description="BTXRD", split_kind="grouped")
    code, out, _ = run("btxrd-grouped", files)
    assert code == 0
    assert "LEAK: 2 of 6 test images (1 of 4 with tumour, 1 of 4 lesions) are of 2 cases" in " ".join(out.split())
    assert "no shared cases" in out and "our test part shares cases with training" in out
    four = [result for result in six.results if result.truth.attributes["case_id"] in "bcdf"]
    alone, _ = measure(PROTOCOLS["btxrd-grouped"], four, ("benign", "malignant"), StudySettings(n_resamples=20))
    written = rows()
    for estimate in (e for e in alone if "[" not in e.name):
        row = written[estimate.name]
        for key, value in (("value", estimate.value), ("low", estimate.low), ("high", estimate.high)):
            assert float(row[f"leak_free_{key}"] or "nan") == pytest.approx(value, nan_ok=True)
        assert int(row["leak_free_n"]) == estimate.n
    assert written["lesion_recall"]["successes"] == "3"


def test_without_a_leak_there_is_no_column_for_it(run, rows, six, tmp_path):
    train(type(six), tmp_path / "d", ["x", "y", "z"])
    code, out, _ = run("btxrd-grouped", six.write(tmp_path / "d", description="BTXRD", split_kind="grouped"))
    assert code == 0 and "No case of the test part is in the training part (train.json)." in out
    assert "no shared cases" not in out and not rows()["dice"]["leak_free_value"]
    assert "no shared cases" not in (tmp_path / "out" / "benchmark.md").read_text("utf-8")


def test_printed_reasons_are_numbered_once_and_the_lines_are_short(run, six, tmp_path):
    _, out, _ = run("btxrd-official", six.write(tmp_path / "d", description="BTXRD"))
    reason = "what our model was trained on is not known"
    (line,) = [line for line in out.splitlines() if reason in line]
    number = line.strip().partition(".")[0]
    assert number.isdigit()
    assert f"{number})" in next(line for line in out.splitlines() if line.startswith("box_ap50[benign]"))
    assert max(map(len, out.splitlines())) <= 150
    assert "none known" not in out
    above, below = out.split("Without a published number:")
    assert "lesion_recall" in below and "lesion_recall" not in above
    assert out.index("Measured on 6 images of 6 cases, 4 lesions: BTXRD.") < out.index("metric")


def test_the_files_hold_every_reason_in_every_row(run, rows, six, tmp_path):
    _, out, _ = run("xu-2024", six.write(tmp_path / "d", description="BTXRD"))
    told = json.loads((tmp_path / "out" / "benchmark.json").read_text("utf-8"))
    assert told["provenance"]["Files"]["annotations_sha256"] and "Research use only" in told["notice"]
    beside = [row for row in told["rows"] if row["published"]]
    assert beside and all("other data: private" in row["why"] for row in beside)
    assert all(row["verdict"] == "not comparable" for row in beside)
    assert {row["metric"] for row in told["rows"]} == set(rows())
    assert out.rstrip().endswith("benchmark.csv, benchmark.json, benchmark.md, benchmark.html")


def test_centres_are_read_from_test_and_training(run, six, tmp_path, make_entry):
    published = {"metric": "image_class_accuracy", "value": "0.5", "protocols": ["btxrd-centre"], "comparable": True}
    make_entry(published, split={"n": 6, "kind": "centre"}, entry_id="mine_2026")
    (tmp_path / "own").mkdir()
    (tmp_path / "mine_2026.yaml").rename(tmp_path / "own" / "mine_2026.yaml")
    files = six.write(tmp_path / "d", description="BTXRD")

    def verdict(center):
        training = train(type(six), tmp_path / center, "xyz", center=center)
        code, _, _ = run("btxrd-centre", files, "--training", training, "--entries-folder", tmp_path / "own")
        assert code == 0
        told = json.loads((tmp_path / "out" / "benchmark.json").read_text("utf-8"))
        (row,) = [row for row in told["rows"] if row["source"].startswith("Somebody")]
        return row["verdict"], row["reasons"]

    assert verdict("1") == ("comparable", [])
    assert verdict("2") == ("not comparable", ["trained on centre 1; ours: centre 2"])


def test_what_ones_own_file_claims_is_checked_and_a_slip_is_told(run, six, tmp_path, make_entry):
    """Naming a protocol and calling it comparable does not make it so."""
    plain = {"value": "0.5", "protocols": ["btxrd-grouped"], "comparable": True, "unit": "lesion"}
    rows = (
        {**plain, "metric": "dice", "iou_rule": "box IoU > 0.1"},
        {**plain, "metric": "dice_matched", "unit": "image", "iou_rule": "mask IoU > 0"},
        {**plain, "metric": "lesion_recall", "iou_rule": "mask IoU > 0.5"},
        {**plain, "metric": "located_above_0", "iou_rule": "mask IoU > 0", "split": "random"},
        {**plain, "metric": "dise"},
    )
    splits = {"test": {"kind": "grouped", "n": 6}, "random": {"kind": "image", "n": 6}}
    (tmp_path / "own").mkdir()
    make_entry(*rows, splits=splits).path.rename(tmp_path / "own" / "mine_2026.yaml")
    train(type(six), tmp_path / "d", ["x", "y", "z"])
    files = six.write(tmp_path / "d", description="BTXRD", split_kind="grouped")
    code, out, err = run("btxrd-grouped", files, "--entries-folder", tmp_path / "own", "--iou-threshold", "0.3")
    assert code == 0 and "metric dise is not measured by btxrd-grouped. Did you mean dice?" in err
    told = json.loads((tmp_path / "out" / "benchmark.json").read_text("utf-8"))
    found = {row["metric"]: row for row in told["rows"] if row["source"].startswith("Somebody")}
    assert {name: row["reasons"] for name, row in found.items()} == {
        "dice": ["other IoU rule: box IoU > 0.1; ours: mask IoU > 0"],
        "dice_matched": ["counts images; ours: lesions"],
        "lesion_recall": ["other IoU rule: mask IoU > 0.5; ours: mask IoU >= 0.3"],
        "located_above_0": ["other split: image; the protocol's: a test part by case, stratified"],
        "dise": ["not measured by this protocol"],
    }
    code, out, _ = run("btxrd-grouped", files, "--entries-folder", tmp_path / "own")
    told = json.loads((tmp_path / "out" / "benchmark.json").read_text("utf-8"))
    (row,) = [row for row in told["rows"] if row["metric"] == "lesion_recall"]
    assert row["verdict"] == "comparable with caveat"
    assert "with caveat (" in " ".join(out.split()) and " yes" not in out


def test_a_run_is_the_same_each_time(run, six, tmp_path):
    files = six.write(tmp_path / "d", description="BTXRD")
    texts = []
    for _ in range(2):
        assert run("alrabai-2026", files)[0] == 0
        texts.append((tmp_path / "out" / "benchmark.csv").read_text("utf-8"))
    assert texts[0] == texts[1]


def test_a_protocol_for_tumors_counts_tumor_images_only(run, six, scene, tmp_path):
    train(type(six), tmp_path / "d", ["a", "b", "c", "d"])  # all tumor cases leak; nothing is left to measure without
    code, out, _ = run("vonschacky-2021", six.write(tmp_path / "d", description="BTXRD"))
    assert code == 0
    assert "Measured on 4 tumour images of 4 cases, 4 lesions" in out and "LEAK: 4 of 4 test images" in out
    assert "Standard deviation of dice over 4 lesions" in out
    scene.image(case_id="a").image(case_id="b")
    code, _, err = run("vonschacky-2021", scene.write(tmp_path / "normal"))
    assert code == 5 and "no image with a lesion" in err and err.count("\n") <= 2


def test_images_without_case_are_reported(run, six, tmp_path):
    without = type(six)()
    for result in six.results:
        attributes = {k: v for k, v in result.truth.attributes.items() if k != "case_id"}
        truth = dataclasses.replace(result.truth, attributes=attributes)
        without.results.append(dataclasses.replace(result, truth=truth))
    train(type(six), tmp_path / "d", ["a"])
    code, out, _ = run("btxrd-grouped", without.write(tmp_path / "d", description="BTXRD", split_kind="grouped"))
    out = " ".join(out.split())
    assert code == 0 and "6 of 6 images have no case_id" in out
    assert "Whether cases of the test part are in the training part (train.json) is not known." in out
    assert "whether our test part shares cases with training is not known" in out


def test_bad_input_is_one_line(run, six, tmp_path, capsys):
    annotations, predictions = six.write(tmp_path / "d")
    code, _, err = run("btxrd", (annotations, predictions))
    assert code == 2 and all(name in err for name in PROTOCOLS) and "Traceback" not in err
    code, _, err = run("xu-2024", (annotations, predictions), "--training", tmp_path / "nothing.json")
    assert code == 5 and "nothing.json" in err
    some = json.loads(predictions.read_text())
    predictions.write_text(json.dumps([{**some[0], "image_id": 99}]))
    code, _, err = run("xu-2024", (annotations, predictions))
    assert code == 5 and "99" in err
    assert run("xu-2024", (tmp_path / "no.json", predictions))[0] == 5
    assert run("xu-2024", (annotations, predictions), "--score-threshold", "2")[0] == 2
    assert main(["--protocol", "xu-2024"]) == 2
    err = capsys.readouterr().err
    assert "missing: --annotations, --predictions, --output" in err
    assert not (tmp_path / "out").exists()


def test_protocols_are_listed(capsys):
    assert main(["--list"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in PROTOCOLS)


def test_half_a_predictions_file_is_refused_unless_allowed(run, scene, tmp_path):
    scene.image([(0, 2, 2, 8, 8)], case_id="a").image(case_id="b")
    annotations, _ = scene.write(tmp_path)
    own = tmp_path / "own.json"
    categories = [{"id": 1, "name": "benign"}, {"id": 2, "name": "malignant"}]
    images = [{"image_id": 1, "file_name": "1.png", "status": "ok"}]
    own.write_text(json.dumps({"schema_version": 1, "categories": categories, "images": images, "annotations": []}))
    protocol = next(iter(PROTOCOLS))
    code, _, error = run(protocol, (annotations, own))
    assert code == 5 and "1 of 2 annotated images are absent" in error and "--allow-absent" in error
    code, out, _ = run(protocol, (annotations, own), "--allow-absent")
    assert code == 0 and "1 images are absent from the predictions" in out

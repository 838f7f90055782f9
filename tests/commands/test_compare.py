"""``segtumor compare``: two models, and a model with readers of each kind, on a few squares."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from segtumor.commands.compare import main
from segtumor.structures.masks import rle_from_mask

pytestmark = pytest.mark.command

#: Lesions by image: (category, x0, y0, x1, y1); images 1 and 2 are of case p1, 3 of p2, and so on. 5 and 6 are normal.
LESIONS = {1: (1, 2, 2, 8, 8), 2: (1, 4, 4, 12, 12), 3: (2, 1, 1, 9, 9), 4: (2, 9, 9, 18, 18)}
CASES = {1: "p1", 2: "p1", 3: "p2", 4: "p3", 5: "p4", 6: "p5"}
BOXES_HEADER = "reader,image,x0,y0,x1,y1"


def segmentation(x0, y0, x1, y1):
    mask = np.zeros((20, 20), dtype=bool)
    mask[y0:y1, x0:x1] = True
    return rle_from_mask(mask)


def outline(image_id, category, x0, y0, x1, y1, **more):
    box = {"bbox": [x0, y0, x1 - x0, y1 - y0], "segmentation": segmentation(x0, y0, x1, y1)}
    return {"image_id": image_id, "category_id": category, **box, **more}


@pytest.fixture
def folder(tmp_path):
    truth = {
        "images": [
            {"id": i, "file_name": f"{i}.png", "width": 20, "height": 20, "case_id": CASES[i]} for i in range(1, 7)
        ],
        "annotations": [
            outline(i, *lesion, id=i, area=(lesion[3] - lesion[1]) * (lesion[4] - lesion[2]), iscrowd=0)
            for i, lesion in LESIONS.items()
        ],
        "categories": [{"id": 1, "name": "benign"}, {"id": 2, "name": "malignant"}],
    }
    good = [outline(i, *lesion, score=0.9 - i / 20) for i, lesion in LESIONS.items()]
    poor = [outline(1, 1, 2, 2, 8, 8, score=0.6), outline(5, 2, 0, 0, 5, 5, score=0.8)]
    for name, content in (("truth", truth), ("good", good), ("poor", poor)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return tmp_path


@pytest.fixture(autouse=True)
def no_plots(request, monkeypatch):
    """Plots take most of the time; one test looks at them."""
    if request.node.name != "test_readers_together":
        monkeypatch.setattr("segtumor.reporting.figures.canvas.png_bytes", lambda *_, **__: b"")


@pytest.fixture
def compare(folder, capsys):
    """Function of further arguments -> (code, stdout, stderr); the model is ``good``."""

    def runner(*more):
        files = ("--annotations", folder / "truth.json", "--predictions", folder / "good.json")
        arguments = (*files, "--output", folder / "out", "--overwrite", "--resamples", 20, "--permutations", 20, *more)
        code = main([*map(str, arguments)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return runner


@pytest.fixture
def table(folder):
    def write(*lines):
        (folder / "readers.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return folder / "readers.csv"

    return write


def rows(folder):
    with open(folder / "out" / "comparison.csv", newline="", encoding="utf-8") as file:
        return {(row["second_name"], row["name"]): row for row in csv.DictReader(file)}


def test_several_models_are_each_compared_with_the_first_and_shown_side_by_side(compare, folder):
    (folder / "none.json").write_text("[]")
    code, out, _ = compare(
        "--against", folder / "poor.json", folder / "none.json", "--measures", "lesion_recall", "dice"
    )
    assert code == 0 and "good and poor" in out and "good and none" in out
    assert set(rows(folder)) == {(name, measure) for name in ("poor", "none") for measure in ("lesion_recall", "dice")}
    with open(folder / "out" / "methods.csv", newline="", encoding="utf-8") as file:
        recalls = {row["model"]: float(row["value"]) for row in csv.DictReader(file) if row["name"] == "lesion_recall"}
    assert recalls == {"good": 1, "poor": 0.25, "none": 0}
    document = json.loads((folder / "out" / "comparison.json").read_text())["provenance"]
    assert [len(sha) for sha in document["compared_with_sha256"]] == [64, 64]
    code, _, err = compare("--against", folder / "poor.json", folder / "none.json", "--names", "a", "b")
    assert code == 2 and "3 different names" in err


def test_two_models(compare, folder):
    code, out, err = compare("--against", folder / "poor.json")
    assert (code, "error" in err) == (0, False)
    assert "good and poor: 6 images of 5 cases" in out and "of 83 measures" in out
    assert "With 20 permutations the smallest p is 0.048, which adjusted for 83 measures is about 1" in out
    found = rows(folder)
    recall = found["poor", "lesion_recall"]
    assert (float(recall["first"]), float(recall["second"]), float(recall["difference"])) == (1, 0.25, 0.75)
    assert found["poor", "patient_sensitivity"]["test"] == "McNemar"
    assert found["poor", "patient_auc"]["test"] == "DeLong"
    # p1 found by both, p2 and p3 by the good one alone: two discordant pairs, exact McNemar 2 * 0.5 ** 2
    assert float(found["poor", "patient_sensitivity"]["p_value"]) == pytest.approx(0.5)
    text = (folder / "out" / "comparison.md").read_text("utf-8")
    assert "### Patients" in text and "The difference is good less poor" in text and "lower is better" in text
    assert "| 4 / 1 lesions |" in text  # matched lesions: not the same of both


def test_the_seed_decides_and_nothing_else(compare, folder):
    texts = []
    for seed in (1, 1, 2):
        assert compare("--against", folder / "poor.json", "--seed", seed, "--permutations", 5)[0] == 0
        texts.append((folder / "out" / "comparison.csv").read_text("utf-8"))
    assert texts[0] == texts[1] != texts[2]


def test_a_model_against_itself_does_not_differ(compare, folder):
    code, out, _ = compare("--against", folder / "good.json", "--names", "new", "old", "--level", "0.8")
    assert code == 0 and "difference (80% interval)" in out and "new and old" in out
    differences = {row["difference"] for row in rows(folder).values()} - {""}
    assert differences == {"0.0"}
    assert {float(row["p_value"]) for row in rows(folder).values() if row["p_value"]} == {1.0}


def test_images_without_prediction_are_told(compare, folder):
    own = {
        "schema_version": 1,
        "categories": [{"id": 1, "name": "benign"}],
        "images": [{"image_id": 1, "file_name": "1.png", "status": "ok"}],
        "annotations": [],
    }
    (folder / "own.json").write_text(json.dumps(own))
    code, _, err = compare("--against", folder / "own.json")
    assert code == 5 and "5 of 6 annotated images are absent" in err
    code, out, _ = compare("--against", folder / "own.json", "--allow-absent")
    assert code == 0 and "own: 5 images are absent from the predictions" in out


def test_readers_who_drew_boxes(compare, folder, table):
    path = table(
        BOXES_HEADER,
        "A,1.png,2,2,8,8",
        "A,2.png,4,4,12,12",
        "A,3.png,,,,",
        "A,4.png,,,,",
        "A,5.png,0,0,5,5",
        "A,6.png,,,,",
        *(f"B,{i}.png,{','.join(map(str, lesion[1:]))}" for i, lesion in LESIONS.items()),
        "B,5.png,,,,",
        "B,6.png,,,,",
    )
    code, out, err = compare("--readers", path)
    assert (code, "error" in err) == (0, False)
    assert "A drew boxes: overlap is between boxes, the model's too" in out
    assert "no mask" not in out and "spacing" not in out
    found = rows(folder)
    assert float(found["A", "lesion_recall"]["second"]) == 0.5
    assert float(found["A", "patient_specificity"]["second"]) == 0.5
    assert float(found["B", "iou"]["first"]) == float(found["B", "iou"]["second"]) == 1
    assert float(found["A", "patient_sensitivity"]["second"]) == pytest.approx(1 / 3)  # p1 of p1, p2, p3
    names = {name for reader, name in found if reader == "A"}
    assert not [n for n in names if "_class_" in n or "auc" in n or n.startswith(("mask_", "hausdorff", "froc"))]


def test_readers_must_locate_where_it_is_asked(compare, folder, table):
    path = table(BOXES_HEADER, "A,1.png,15,15,18,18", "A,3.png,1,1,9,9")
    sensitivities = []
    for more in ([], ["--require-located"]):
        assert compare("--readers", path, "--unlisted", "normal", *more)[0] == 0
        sensitivities.append(float(rows(folder)["A", "patient_sensitivity"]["second"]))
    assert sensitivities == pytest.approx([2 / 3, 1 / 3])


def test_the_model_is_judged_by_its_boxes_as_readers_are(compare, folder, table):
    """Its mask is half of its box: IoU of masks 0.5, of boxes 1."""
    good = json.loads((folder / "good.json").read_text())
    good[0]["segmentation"] = segmentation(2, 2, 8, 5)
    (folder / "good.json").write_text(json.dumps(good))
    marks = [f"A,{i}.png,{','.join(map(str, lesion[1:]))}" for i, lesion in LESIONS.items()]
    assert compare("--readers", table(BOXES_HEADER, *marks), "--unlisted", "normal")[0] == 0
    assert float(rows(folder)["A", "iou"]["first"]) == 1
    compare("--against", folder / "poor.json")
    assert float(rows(folder)["poor", "iou"]["first"]) == pytest.approx((0.5 + 3) / 4)


def test_readers_with_classes_and_confidence_have_curves(compare, folder, table):
    lines = [f"A,{i}.png,{','.join(map(str, lesion[1:]))},benign,0.3" for i, lesion in LESIONS.items()]
    path = table(f"{BOXES_HEADER},label,confidence", *lines)
    code, out, _ = compare("--readers", path, "--unlisted", "normal")
    assert code == 0
    found = rows(folder)
    assert float(found["A", "image_auc"]["second"]) == 1
    assert float(found["A", "image_sensitivity"]["second"]) == 0
    assert "A: 4 marks of a confidence below the score threshold of 0.5 count in curves only" in out
    assert ("A", "image_class_accuracy") in found


def test_readers_who_labelled_images(compare, folder, table):
    labels = ["benign", "normal", "malignant", "malignant", "normal", "benign"]
    path = table("reader,image,label", *(f"A,{i}.png,{label}" for i, label in enumerate(labels, start=1)))
    code, out, _ = compare("--readers", path, "--names", "ours")
    assert code == 0 and "ours and A" in out and "only measures of images and patients" in out
    found = {name: row for (_, name), row in rows(folder).items()}
    assert {row["group"] for row in found.values()} == {"images", "patients"}
    assert float(found["image_sensitivity"]["second"]) == 0.75
    assert float(found["patient_sensitivity"]["second"]) == 1
    assert float(found["image_class_accuracy"]["second"]) == pytest.approx(4 / 6)


def test_readers_who_labelled_cases(compare, folder, table):
    path = table("reader,case_id,label", "A,p1,tumor", "A,p2,normal", "A,p3,tumor", "A,p4,normal", "A,p5,tumour")
    code, out, _ = compare("--readers", path)
    assert code == 0 and "only measures of patients" in out
    found = {name: row for (_, name), row in rows(folder).items()}
    assert {row["group"] for row in found.values()} == {"patients"}
    assert not [name for name in found if "class" in name or "auc" in name]
    assert float(found["patient_sensitivity"]["second"]) == pytest.approx(2 / 3)
    assert float(found["patient_specificity"]["second"]) == 0.5


def test_readers_together(compare, folder, table):
    """A finds p1 and p3 and calls p4, B finds p2 alone; the model of good.json finds all three and calls nobody."""
    marks = {
        "A": {1: "2,2,8,8", 4: "9,9,18,18", 5: "0,0,5,5"},
        "B": {3: "1,1,9,9"},
    }
    lines = [f"{who},{i}.png,{boxes.get(i, ',,,')},{10 * i}" for who, boxes in marks.items() for i in range(1, 7)]
    code, out, err = compare("--readers", table(f"{BOXES_HEADER},seconds", *lines))
    assert (code, "error" in err) == (0, False)
    assert "readers together: 6 images read by all" in out
    errors = {(row["what"], row["first"], row["second"]): row for row in table_rows(folder, "reader_errors.csv")}
    missed = errors["missed tumours", "A", "B"]
    assert [missed[name] for name in ("n", "both", "first_only", "second_only", "neither")] == ["3", "0", "1", "2", "0"]
    assert float(missed["first_only_share"]) == pytest.approx(1 / 3)
    assert errors["missed tumours", "model", "at least one reader"]["second_only"] == "3"
    cases = {row["case_id"]: row for row in table_rows(folder, "reader_cases.csv")}
    assert (cases["p2"]["missed_by"], cases["p4"]["false_alarm_by"], cases["p1"]["call of B"]) == ("A", "A", "normal")
    counts = {
        (row["rater"], row["true"], row["called"]): row["n"] for row in table_rows(folder, "reader_confusions.csv")
    }
    assert counts["A", "normal", "tumour"] == "1" and counts["B", "tumour", "normal"] == "2"
    times = {row["rater"]: row for row in table_rows(folder, "reading_times.csv")}
    assert (times["A"]["median"], times["A"]["total"], "model" in times) == ("35.0", "210.0", False)
    agreement = table_rows(folder, "reader_agreement.csv")
    assert [(row["first"], row["second"], row["of"]) for row in agreement][-1] == ("A", "B", "tumour")
    assert (folder / "out" / "reader_confusions.png").read_bytes().startswith(b"\x89PNG")
    assert "### Reading time" in (folder / "out" / "comparison.md").read_text("utf-8")
    together = json.loads((folder / "out" / "comparison.json").read_text("utf-8"))["readers"]
    assert together["raters"] == ["model", "A", "B"] and together["errors"][0]["test"]["name"] == "McNemar"


def test_pictures_of_missed_tumours(compare, folder, table):
    path = table(BOXES_HEADER, "A,1.png,2,2,8,8", "A,3.png,1,1,9,9")
    code, _, err = compare("--readers", path, "--unlisted", "normal", "--pictures", "--images", folder / "nowhere")
    assert code == 2 and "no folder of images" in err
    for i in range(1, 7):
        Image.fromarray(np.full((20, 20), 40 * i, dtype=np.uint8)).save(folder / f"{i}.png")
    options = ("--readers", path, "--unlisted", "normal", "--pictures", "--images", folder, "--measures", "dice")
    code, out, err = compare(*options)
    assert (code, err.count("error")) == (0, 0)
    assert "1 missed by readers, 0 missed by model, 0 missed by both" in out  # p3, image 4
    (picture,) = (folder / "out" / "missed").iterdir()
    with Image.open(picture) as drawn:
        assert (picture.name, drawn.width) == ("missed_by_readers_001.jpg", 2 * 512)
    assert compare("--against", folder / "poor.json", "--pictures")[0] == 2
    assert compare("--readers", path, "--unlisted", "normal", "--measures", "dice")[0] == 0
    assert [*(folder / "out" / "missed").iterdir()] == []  # those of an earlier comparison are gone


def table_rows(folder, name):
    with open(folder / "out" / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_unlisted_images(compare, folder, table):
    path = table("reader,image,label", "A,1.png,benign", "A,5.png,normal", "A,3.png,normal")
    code, _, err = compare("--readers", path)
    assert code == 5 and "does not mention 3 annotated images" in err and "--unlisted" in err
    code, out, _ = compare("--readers", path, "--unlisted", "leave-out")
    assert code == 0 and "model and A: 3 images of 3 cases" in out
    assert "- A does not mention 3 of 6 images (1 normal): left out (--unlisted)." in out
    assert float(rows(folder)["A", "image_sensitivity"]["second"]) == 0.5
    code, out, _ = compare("--readers", path, "--unlisted", "normal")
    assert code == 0 and "6 images of 5 cases" in out
    assert "- A does not mention 3 of 6 images (1 normal): called normal (--unlisted)." in out
    assert float(rows(folder)["A", "image_sensitivity"]["second"]) == 0.25
    code, _, err = compare("--readers", table(BOXES_HEADER, "A,1.png,2,2,8,8"), "--unlisted", "leave-out")
    assert code == 5 and "positive calls only" in err


def test_the_chosen_measures_alone_are_compared_and_adjusted(compare, folder):
    code, out, _ = compare("--against", folder / "poor.json", "--measures", "patient_auc", "dice")
    assert code == 0 and "20 resamples and 20 permutations of 5 cases ..." in out
    found = rows(folder)
    assert [name for _, name in found] == ["dice", "patient_auc"]
    p, adjusted = ([float(row[key]) for row in found.values()] for key in ("p_value", "p_holm"))
    assert min(adjusted) == pytest.approx(2 * min(p))
    assert "adjusted for 2 measures compared" in (folder / "out" / "comparison.md").read_text("utf-8")


def test_measures_that_a_reader_cannot_have(compare, table):
    path = table("reader,image,label", *(f"A,{i}.png,{'normal' if i > 3 else 'tumor'}" for i in range(1, 7)))
    code, out, _ = compare("--readers", path, "--measures", "dice", "image_accuracy")
    assert code == 0 and "- Not compared, since model and A do not both have what it takes: dice." in out
    code, _, err = compare("--readers", path, "--measures", "dice", "iou")
    assert code == 2 and "none of the measures can be compared between model and A (got dice, iou)" in err


def test_the_console_tells_direction_and_number(compare, folder):
    _, out, _ = compare("--against", folder / "poor.json", "--measures", "dice_matched", "hausdorff_px")
    line = next(line for line in out.splitlines() if line.startswith("hausdorff_px"))
    assert line.startswith("hausdorff_px (lower is better)") and "4 / 1 lesions" in line
    assert "- The difference is good less poor; where lower is better, a negative one favours good." in out
    assert "may disagree; the tests are the ones adjusted." in out


def test_remarks_are_not_told_twice(compare, folder, table):
    """What holds of one side alone carries its name; surface distances do not matter beside a reader."""
    boxes = [f"A,{i}.png,{','.join(map(str, lesion[1:]))}" for i, lesion in LESIONS.items() if i != 2]
    labels = [f"A,{i}.png,{'tumor' if i in (1, 3) else 'normal'}" for i in range(1, 7)]
    for header, lines in ((BOXES_HEADER, boxes), ("reader,image,label", labels)):
        code, out, _ = compare("--readers", table(header, *lines), "--unlisted", "normal")
        assert (code, "surface" in out) == (0, False)
    poor = [
        {k: v for k, v in finding.items() if k != "segmentation"}
        for finding in json.loads((folder / "poor.json").read_text())
    ]
    (folder / "boxes.json").write_text(json.dumps(poor))
    _, out, _ = compare("--against", folder / "boxes.json")
    assert "- boxes: 2 of 2 findings have no mask" in out


def test_what_is_undefined_has_no_p_value(compare, folder):
    """Without normal images there is no specificity: McNemar of no patient would say 1."""
    truth = json.loads((folder / "truth.json").read_text())
    truth["images"] = [image for image in truth["images"] if image["id"] < 5]
    (folder / "truth.json").write_text(json.dumps(truth))
    poor = [finding for finding in json.loads((folder / "poor.json").read_text()) if finding["image_id"] < 5]
    (folder / "poor.json").write_text(json.dumps(poor))
    assert compare("--against", folder / "poor.json")[0] == 0
    row = rows(folder)["poor", "patient_specificity"]
    assert (row["first"], row["p_value"], row["p_holm"], row["test"]) == ("", "", "", "undefined")


def test_mistakes_are_one_line(compare, folder, table):
    tumor = table("reader,image,label", *(f"A,{i}.png,tumor" for i in range(1, 7)))
    wrong = [
        (2, "nothing can be located", ("--readers", tumor, "--require-located")),
        (2, "permutations", ("--against", folder / "poor.json", "--permutations", "0")),
        (2, "score threshold", ("--against", folder / "poor.json", "--score-threshold", "7")),
        (2, "expected patient_auc", ("--against", folder / "poor.json", "--measures", "dice", "patiant_auc")),
        (2, "2 different names", ("--against", folder / "poor.json", "--names", "a", "a")),
        (2, "one name", ("--readers", tumor, "--names", "a", "b")),
        (5, "nothing.json", ("--against", folder / "nothing.json")),
        (5, "nothing.csv", ("--readers", folder / "nothing.csv")),
    ]
    for code, text, arguments in wrong:
        got, _, err = compare(*arguments)
        assert (got, text in err, err.count("error:"), "Traceback" in err) == (code, True, 1, False), arguments
    for text, lines in (
        ("unknown label", ("reader,image,label", "A,1.png,perhaps")),
        ("not annotated", ("reader,image,label", "A,9.png,tumor")),
        ("malformed box", (BOXES_HEADER, "A,1.png,5,5,2,2")),
        ("not a table of readers", ("reader,remark", "A,none")),
    ):
        got, _, err = compare("--readers", table(*lines))
        assert (got, text in err) == (5, True), text


def test_readers_names_may_hold_anything(compare, folder, table):
    labels = [f'"<b>|x",{i}.png,tumor' for i in range(1, 7)]
    assert compare("--readers", table("reader,image,label", *labels))[0] == 0
    text = (folder / "out" / "comparison.md").read_text("utf-8")
    assert "<b>" not in text and "&lt;b>\\|x" in text
    assert json.loads((folder / "out" / "comparison.json").read_text("utf-8"))["comparisons"][0]["names"][1] == "<b>|x"


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from segtumor.commands.compare import build_parser; text = build_parser().format_help(); "
        "assert 'Not a medical device' in text; "
        "print([m for m in ('numpy', 'scipy', 'pycocotools', 'cv2', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

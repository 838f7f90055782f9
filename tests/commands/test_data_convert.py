"""``segtumor data convert`` and the looks at the data, on the examples that datasets/README.md shows."""

import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image
from repository import ROOT

from segtumor.annotations.coco import load_coco
from segtumor.commands import data
from segtumor.commands.data import convert
from segtumor.errors import DataError
from segtumor.formats.table import FORMATS, WRITABLE, detect_format, load_format

pytestmark = pytest.mark.command

EXAMPLES = ROOT / "datasets" / "examples"
IMAGES = str(EXAMPLES / "images")
#: What the three phantoms show; datasets/examples/coco/annotations.json has the outlines.
TRUTH = {"case1_benign.png": ["benign", "benign"], "case2_malignant.png": ["malignant"]}
every_format = pytest.mark.parametrize("name", FORMATS)
#: Formats that hold boxes only.
BOXES = {"voc", "csv"}


def run_convert(source, output, *options):
    return data.main(["convert", "--source", str(source), "--images", IMAGES, "--output", str(output), *options])


def lesions_of(dataset):
    return {
        image.file_name: [dataset.taxonomy.names[lesion.class_id] for lesion in image.lesions]
        for image in dataset.annotated_images
        if image.lesions
    }


@pytest.fixture(scope="module")
def truth():
    return load_coco(EXAMPLES / "coco" / "annotations.json", IMAGES)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "class-folders"])
def test_each_example_converts(name, tmp_path, capsys, truth):
    assert run_convert(EXAMPLES / name, tmp_path / "set") == 0
    assert f": {name}\n" in capsys.readouterr().out
    dataset = load_coco(tmp_path / "set/annotations/all.json", require_masks=False)
    assert lesions_of(dataset) == TRUTH
    for mine, theirs in zip(lesions_in_order(dataset), lesions_in_order(truth), strict=True):
        assert mine.box_xyxy == pytest.approx(theirs.box_xyxy, abs=1.01)  # masks and some tools keep whole pixels
        assert mine.rle is None if name in BOXES else mine.rle is not None or name == "yolo"  # one line of it is a box
        if mine.rle is not None:
            assert mine.area_px == pytest.approx(theirs.area_px, rel=0.06)


def test_the_example_of_class_folders_converts(tmp_path):
    argv = ["convert", "--source", str(EXAMPLES / "class-folders"), "--output", str(tmp_path / "set")]
    assert data.main(argv) == 0
    labels = {
        image["file_name"]: image["image_label"] for image in load_coco(tmp_path / "set/annotations/all.json").images
    }
    assert labels == {name: name.split("/")[0] for name in labels} and len(labels) == 3


def lesions_in_order(dataset):
    found = [lesion for image in dataset.annotated_images for lesion in image.lesions]
    return sorted(found, key=lambda lesion: (lesion.class_id, lesion.box_xyxy[1]))


@pytest.mark.parametrize("name", WRITABLE)
def test_to_each_format_and_back(name, tmp_path, truth):
    assert run_convert(EXAMPLES / "coco", tmp_path / "there", "--to", name, "--place", "copy") == 0
    source = tmp_path / "there" / "annotations" / "all.json" if name == "coco" else tmp_path / "there"
    assert run_convert(source, tmp_path / "back", "--from", name, "--unannotated", "normal") == 0
    dataset = load_coco(tmp_path / "back/annotations/all.json", require_masks=False)
    assert len(dataset.images) == 3
    for mine, theirs in zip(lesions_in_order(dataset), lesions_in_order(truth), strict=True):
        assert mine.class_id == theirs.class_id
        if name != "masks":
            assert mine.box_xyxy == theirs.box_xyxy
        if name not in BOXES:
            assert mine.rle == theirs.rle


@every_format
def test_every_format_is_found_out_and_no_other(name):
    assert [other for other in FORMATS if load_format(other).recognises(EXAMPLES / name)] == [name]
    assert detect_format(EXAMPLES / name) == name


@pytest.mark.parametrize(("content", "message"), [(None, "there is no such file"), ("hello", "none of the known")])
def test_a_source_in_no_format(tmp_path, content, message):
    path = tmp_path / "x.txt"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=message):
        detect_format(path)


def test_the_report_names_every_image(tmp_path):
    assert run_convert(EXAMPLES / "yolo", tmp_path / "a", "--unannotated", "leave-out") == 0
    report = json.loads((tmp_path / "a/conversion_report.json").read_text())
    assert report["converted"] == {"images": 2, "lesions": 3}
    assert report["left_out"] == [{"image": "case3_normal.png", "kind": "image without annotation", "detail": ""}]
    assert report["notes_by_kind"] == {"box without an outline": 1}


def test_strict_writes_nothing(tmp_path, capsys):
    assert run_convert(EXAMPLES / "yolo", tmp_path / "a", "--unannotated", "leave-out", "--strict") == 5
    assert "1 things are left out" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


def test_classes_table_and_boxes_as_masks(tmp_path):
    table = tmp_path / "cases.csv"
    table.write_text("image,case_id,age\ncase1_benign,17,12\ncase2_malignant,18,\n")
    options = ["--class", "benign=tumor", "--class", "malignant=", "--table", str(table), "--boxes-as-masks"]
    assert run_convert(EXAMPLES / "voc", tmp_path / "a", *options) == 0
    dataset = load_coco(tmp_path / "a/annotations/all.json")
    assert dataset.taxonomy.names == ("tumor",)
    assert [(i["file_name"], i.get("case_id"), i.get("age")) for i in dataset.images] == [
        ("case1_benign.png", "17", 12),
        ("case2_malignant.png", "18", None),
        ("case3_normal.png", None, None),
    ]


@pytest.mark.parametrize("option", ["benign", "=x"])
def test_a_class_option_that_is_none(option, tmp_path, capsys):
    assert run_convert(EXAMPLES / "csv", tmp_path / "a", "--class", option) == 2
    assert "not a label and its class" in capsys.readouterr().err


def test_help_of_convert_names_the_formats():
    assert all(name in convert.build_parser().format_help() for name in FORMATS)


def test_stats_show_and_card(tmp_path, capsys):
    source = str(EXAMPLES / "coco" / "annotations.json")
    assert data.main(["stats", source, "--output", str(tmp_path / "tables")]) == 0
    assert "malignant        1       1      1" in capsys.readouterr().out
    assert (tmp_path / "tables" / "lesion_sizes.csv").read_text().startswith("size,lesions,benign,malignant\n")
    assert json.loads((tmp_path / "tables" / "statistics.json").read_text())["schema_version"] == 1
    assert data.main(["show", source, "--images", IMAGES, "--output", str(tmp_path / "a.png"), "--tile", "60"]) == 0
    with Image.open(tmp_path / "a.png") as sheet:
        assert sheet.size[0] >= 3 * 60
    assert data.main(["card", source, "--images", IMAGES, "--output", str(tmp_path / "a.html")]) == 0
    assert "<h2>Examples" in (tmp_path / "a.html").read_text()


def test_show_goes_on_without_an_image_that_cannot_be_read(tmp_path, capsys):
    source = str(EXAMPLES / "coco" / "annotations.json")
    assert data.main(["show", source, "--images", str(tmp_path), "--output", str(tmp_path / "a.png")]) == 0
    assert capsys.readouterr().err.count("no such file") == 3


def brush_export(folder, *, lesion_too=False):
    """COCO as CVAT exports masks: uncompressed RLE of iscrowd 1, on two images; perhaps with a polygon on the first."""
    document = json.loads((EXAMPLES / "coco" / "annotations.json").read_text())
    counts = [160 * 40 + 30, *[20, 140] * 9, 20]
    rle = {"size": [160, 160], "counts": [*counts, 160 * 160 - sum(counts)]}
    crowd = {"category_id": 1, "segmentation": rle, "bbox": [40, 30, 10, 20], "area": 200, "iscrowd": 1}
    crowds = [{**crowd, "id": 91, "image_id": 1}, {**crowd, "id": 92, "image_id": 2}]
    document["annotations"] = [*(document["annotations"][:1] if lesion_too else []), *crowds]
    folder.mkdir()
    (folder / "instances.json").write_text(json.dumps(document))
    return folder


def test_a_set_of_nothing_but_crowds_is_refused_unless_they_are_taken_as_lesions(tmp_path, capsys):
    source = brush_export(tmp_path / "brush")
    assert run_convert(source, tmp_path / "a") == 5
    error = capsys.readouterr().err
    assert "all regions are crowds" in error and "2 regions in 2 images" in error and "--crowds-as-lesions" in error
    assert run_convert(source, tmp_path / "b", "--crowds-as-lesions") == 0
    dataset = load_coco(tmp_path / "b/annotations/all.json")
    assert [(lesion.box_xyxy, lesion.iscrowd) for lesion in lesions_in_order(dataset)] == [
        ((40, 30, 50, 50), False)
    ] * 2
    assert "crowd region taken as a lesion, as asked: case1_benign.png" in capsys.readouterr().out


def test_crowds_beside_lesions_are_counted_apart_and_named(tmp_path, capsys):
    source = brush_export(tmp_path / "brush", lesion_too=True)
    assert run_convert(source, tmp_path / "a") == 0
    out = capsys.readouterr().out
    assert "2 of 3 regions, in 2 images, are crowds (iscrowd 1)" in out and "--crowds-as-lesions" in out
    assert [line.split() for line in out.splitlines()[1:7]] == [
        ["class", "images", "lesions"],
        ["benign", "1", "1"],
        ["malignant", "0", "0"],
        ["crowds", "only", "1", "0"],
        ["no", "lesion", "1", "0"],
        ["total", "3", "1"],
    ]
    report = json.loads((tmp_path / "a/conversion_report.json").read_text())
    assert (report["converted"], report["crowd_regions"]) == ({"images": 3, "lesions": 1}, 2)
    assert report["notes_by_kind"] == {
        "crowd region (iscrowd 1), neither trained on nor counted as a lesion": 2,
        "category never used": 1,
    }


@pytest.mark.parametrize(
    ("name", "lost"), [("yolo", 2), ("masks", 2), ("cvat", 2), ("label-studio", 2), ("labelme", 0)]
)
def test_a_format_that_cannot_hold_the_crowd_flag_says_so(name, lost, tmp_path):
    source = brush_export(tmp_path / "brush", lesion_too=True)
    assert run_convert(source, tmp_path / "a", "--to", name) == 0
    report = json.loads((tmp_path / "a/conversion_report.json").read_text())
    assert report["lost_by_kind"].get("crowd flag left out", 0) == lost


def test_boxes_without_an_outline_name_the_option_that_helps(tmp_path, capsys):
    assert run_convert(EXAMPLES / "csv", tmp_path / "a") == 0
    assert "3 of 3 lesions, in 2 images, are boxes without an outline" in (out := capsys.readouterr().out)
    assert "--boxes-as-masks" in out
    assert run_convert(EXAMPLES / "csv", tmp_path / "b", "--boxes-as-masks") == 0
    assert "boxes without an outline" not in capsys.readouterr().out


def files_of(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.name[0] != "."}


@pytest.mark.parametrize("name", ["coco", "masks", "yolo", "voc", "labelme", "cvat"])
def test_an_earlier_conversion_is_refused_or_replaced_as_a_whole(name, tmp_path, capsys):
    one = tmp_path / "one"
    one.mkdir()
    for path in ("labelme/case1_benign.json", "images/case1_benign.png"):
        (one / Path(path).name).write_bytes((EXAMPLES / path).read_bytes())
    fewer = ["convert", "--source", str(one), "--images", str(one), "--to", name, "--place", "copy", "--output"]
    assert run_convert(EXAMPLES / "coco", tmp_path / "out", "--to", name, "--place", "copy") == 0
    (tmp_path / "out" / "mine.txt").write_text("notes")
    earlier = files_of(tmp_path / "out")
    assert data.main([*fewer, str(tmp_path / "out")]) == 2
    assert "holds an earlier conversion" in capsys.readouterr().err and files_of(tmp_path / "out") == earlier
    assert data.main([*fewer, str(tmp_path / "out"), "--overwrite"]) == 0
    assert data.main([*fewer, str(tmp_path / "new")]) == 0
    assert files_of(tmp_path / "out") == files_of(tmp_path / "new") | {"mine.txt"}
    reports = [json.loads((tmp_path / folder / "conversion_report.json").read_text()) for folder in ("out", "new")]
    assert reports[0]["files"] == reports[1]["files"]
    assert {*reports[0]["files"], "conversion_report.json"} == files_of(tmp_path / "new")


def test_a_link_to_the_images_is_listed_and_replaced(tmp_path):
    assert run_convert(EXAMPLES / "coco", tmp_path / "out") == 0
    report = json.loads((tmp_path / "out" / "conversion_report.json").read_text())
    assert report["files"] == ["annotations/all.json", "images"]
    assert run_convert(EXAMPLES / "voc", tmp_path / "out", "--place", "copy", "--overwrite") == 0
    assert not (tmp_path / "out" / "images").is_symlink() and len(list(EXAMPLES.glob("images/*.png"))) == 3


def test_files_of_the_user_are_never_replaced(tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "case2_malignant.json").write_text("mine")
    assert run_convert(EXAMPLES / "coco", tmp_path / "out", "--to", "labelme") == 2
    assert "a file is there that no conversion has written" in capsys.readouterr().err
    assert files_of(tmp_path / "out") == {"case2_malignant.json"}


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("x.json", '{"imagePath": "case1_benign.png", "shapes": [{"label": "b", "shape_type": "line", "points": []}]}',
         "shape 0 is a line"),
        ("case1_benign.xml", "<annotation><object>", "not readable as XML: no element found: line 1"),
        ("case1_benign.txt", "0 0.5 0.5\n", "case1_benign.txt, line 1: 0 0.5 0.5"),
    ],
)  # fmt: skip
def test_the_reason_is_shown_and_reported_even_if_every_file_fails(name, text, reason, tmp_path, capsys):
    source = tmp_path / "set"
    source.mkdir()
    (source / name).write_text(text)
    (source / "classes.txt").write_text("benign")
    form = {".json": "labelme", ".xml": "voc", ".txt": "yolo"}[Path(name).suffix]
    options = ("--from", form, "--unannotated", "leave-out")
    assert run_convert(source, tmp_path / "out", *options) == 5
    shown = capsys.readouterr()
    assert reason in shown.out and reason in shown.err and "no image can be used" in shown.err
    report = json.loads((tmp_path / "out" / "conversion_report.json").read_text())
    assert report["converted"] == {"images": 0, "lesions": 0} and any(reason in r["detail"] for r in report["left_out"])
    assert run_convert(EXAMPLES / "yolo", tmp_path / "out") == 0  # the report of a failure is in nobody's way


@pytest.mark.parametrize("name", ["labelme", "voc", "yolo", "masks", "coco", "cvat", "label-studio", "csv"])
def test_annotations_that_are_links_out_of_their_folder_are_named_and_not_read(name, tmp_path, capsys):
    shutil.copytree(EXAMPLES / name, tmp_path / "set")
    suffix = {"voc": ".xml", "cvat": ".xml", "yolo": ".txt", "masks": ".png", "csv": ".csv"}.get(name, ".json")
    path = sorted((tmp_path / "set").rglob(f"*{suffix}"))[0]
    path.rename(tmp_path / "outside")
    path.symlink_to(tmp_path / "outside")
    options = ("--from", name, "--unannotated", "normal")
    code = run_convert(tmp_path / "set", tmp_path / "out", *options)
    if code == 0:
        report = json.loads((tmp_path / "out" / "conversion_report.json").read_text())
        assert report["left_out_by_kind"] == {
            "link that leads out of its folder, not followed": 1,
            "its annotation may be a link that is not followed": 1,
        }
        dataset = load_coco(tmp_path / "out/annotations/all.json", require_masks=False)
        assert [image["file_name"] for image in dataset.images] == ["case2_malignant.png", "case3_normal.png"]
    else:
        assert code == 5  # the only file


@pytest.mark.parametrize("options", [(), *(("--from", name) for name in FORMATS)])
def test_a_pipe_is_not_waited_for(options, tmp_path, capsys):
    folder = tmp_path / "set"
    folder.mkdir()
    for suffix in ("json", "xml", "txt", "csv", "png"):
        os.mkfifo(folder / f"a.{suffix}")
    for source in (folder, *folder.iterdir()):
        assert run_convert(source, tmp_path / "out", *options) == 5
        assert files_of(tmp_path / "out") <= {"conversion_report.json"}
    assert run_convert(EXAMPLES / "coco", tmp_path / "out", "--table", str(folder / "a.csv")) == 5
    assert "not an ordinary file" in capsys.readouterr().err


def test_cells_of_the_table_are_read_or_named(tmp_path, capsys):
    table = tmp_path / "cases.csv"
    table.write_text(
        'image,age,sex\ncase1_benign.png,"12,5",X\ncase2_malignant.png,12 years,w\ncase3_normal.png,abc,m\n'
    )
    assert run_convert(EXAMPLES / "coco", tmp_path / "a", "--table", str(table)) == 0
    out = capsys.readouterr().out
    assert "2  cell of the table that cannot be read, left blank: case1_benign.png (sex: 'X'), case3_normal.png" in out
    dataset = load_coco(tmp_path / "a/annotations/all.json")
    found = [(image["age"], image["sex"]) for image in dataset.images]
    assert found == [(12.5, None), (12, "F"), (None, "M")]
    report = json.loads((tmp_path / "a/conversion_report.json").read_text())
    assert [note["detail"] for note in report["notes"]] == ["sex: 'X'", "age: 'abc'"]


def test_parts_of_the_source_lead_to_those_of_the_split(tmp_path, capsys):
    """Folders as Roboflow exports them, converted and divided as they were; a row of another folder is told."""
    document = json.loads((EXAMPLES / "coco" / "annotations.json").read_text())
    for folder, image in zip(("train", "valid", "test"), document["images"], strict=True):
        (tmp_path / "set" / folder).mkdir(parents=True)
        own = [a for a in document["annotations"] if a["image_id"] == image["id"]]
        shutil.copy(EXAMPLES / "images" / image["file_name"], tmp_path / "set" / folder)
        text = json.dumps({**document, "images": [image], "annotations": own})
        (tmp_path / "set" / folder / "_annotations.coco.json").write_text(text)
    source, out = str(tmp_path / "set"), str(tmp_path / "out")
    (tmp_path / "t.csv").write_text("image,case_id\ntest/case3_normal.png,1\nelse/case1_benign.png,2\n")
    assert data.main(["convert", "--source", source, "--output", out, "--table", str(tmp_path / "t.csv")]) == 0
    shown = capsys.readouterr().out
    assert "parts named in the source: test 1, train 1, val 1" in shown
    assert "in the table, but no image that is used: else/case1_benign.png" in shown
    all_json = str(tmp_path / "out/annotations/all.json")
    assert data.main(["split", "--annotations", all_json, "--output", out, "--kind", "column"]) == 0
    assert data.main(["convert", "--source", source, "--output", out, "--overwrite"]) == 0
    assert "split.json and its parts are from the earlier conversion" in capsys.readouterr().out
    parts = {p: load_coco(tmp_path / f"out/annotations/{p}.json", require_masks=False).images for p in ("train", "val")}
    assert [image["file_name"] for image in parts["train"]] == ["train/case1_benign.png"]
    assert [image["file_name"] for image in parts["val"]] == ["valid/case2_malignant.png"]


@pytest.mark.parametrize("name", ["yolo", "masks", "labelme", "voc"])
def test_annotations_of_no_conversion_are_not_mixed_with_new_ones(name, tmp_path, capsys):
    out = tmp_path / "out"
    assert run_convert(EXAMPLES / "coco", out, "--to", name) == 0
    (out / "conversion_report.json").unlink()
    for path in [path for path in out.rglob("case1*") if path.is_file()]:
        path.rename(path.with_name(path.name.replace("case1", "other")))
    files = files_of(out)
    assert run_convert(EXAMPLES / "coco", out, "--to", name, "--overwrite") == 2
    assert "that no conversion has written" in capsys.readouterr().err and files_of(out) == files


def test_a_file_that_cannot_be_read_is_in_the_report(tmp_path, capsys):
    (tmp_path / "annotations.xml").write_text("<annotations>\n<image name='a & b'/></annotations>")
    assert run_convert(tmp_path / "annotations.xml", tmp_path / "out", "--from", "cvat") == 5
    report = json.loads((tmp_path / "out" / "conversion_report.json").read_text())
    assert "line 2, column 16; a bare & is written &amp;" in report["left_out"][0]["detail"]
    assert "a bare & is written" in capsys.readouterr().err

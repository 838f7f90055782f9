"""Boxes alone, and crowds alone: every command about data says the same, counts the same, and names the option."""

import json

import pytest
from PIL import Image

from segtumor.annotations.coco import load_coco
from segtumor.commands.cli import main
from segtumor.errors import DataError

pytestmark = pytest.mark.command

BOXES = "5 of 5 lesions, in 4 images, are boxes without an outline"


@pytest.fixture
def said(tmp_path, capsys, caplog):
    """(exit code, what is printed and logged) of a command about data; the log counts as what a terminal shows."""

    def _said(*arguments):
        caplog.clear()
        code = main(["data", *map(str, arguments)])
        printed = capsys.readouterr()
        return code, printed.out + printed.err + "".join(record.getMessage() for record in caplog.records)

    return _said


@pytest.fixture
def boxes(tmp_path):
    """Four radiographs with five rectangles, as LabelMe writes them, and a table of cases."""
    folder = tmp_path / "source"
    folder.mkdir()
    rectangle = {"points": [[10, 10], [40, 30]], "shape_type": "rectangle"}
    other = {"points": [[50, 50], [70, 70]], "shape_type": "rectangle"}
    for i in range(4):
        Image.linear_gradient("L").resize((80, 90 + i)).save(folder / f"{i}.png")
        shapes = [{**shape, "label": "benign"} for shape in (rectangle, other)[: 1 + (i == 3)]]
        size = {"imagePath": f"{i}.png", "imageHeight": 90 + i, "imageWidth": 80, "imageData": None}
        (folder / f"{i}.json").write_text(json.dumps({"version": "5.0", "shapes": shapes, **size}))
    (tmp_path / "cases.csv").write_text("image,case_id\n" + "".join(f"{i}.png,{i}\n" for i in range(4)))
    return folder


def test_boxes_alone_are_one_verdict_of_all_commands(boxes, said, tmp_path):
    out = tmp_path / "out"
    table, annotations = ("--table", tmp_path / "cases.csv"), out / "annotations" / "all.json"
    verdicts = [
        said("convert", "--source", boxes, "--output", out, *table),
        said("check", annotations),
        said("stats", annotations),
        said("card", annotations, "--output", tmp_path / "card.html", "--count", "0"),
        said("split", "--annotations", annotations, "--output", out),
    ]
    assert [code for code, _ in verdicts] == [0, 5, 0, 0, 0]
    assert all("--boxes-as-masks" in text for _, text in verdicts)
    assert all(BOXES in text for _, text in (verdicts[0], *verdicts[2:]))
    assert "4 images and 5 lesions (5 of them boxes without an outline)" in verdicts[1][1]
    assert BOXES in (tmp_path / "card.html").read_text()
    _, text = said("leaks", out, "--no-near")
    assert "boxes without an outline" in text and "--boxes-as-masks" in text
    with pytest.raises(DataError, match="--boxes-as-masks"):  # as training reads it
        load_coco(out / "annotations" / "train.json")
    assert said("convert", "--source", boxes, "--output", tmp_path / "masks", "--boxes-as-masks", *table)[0] == 0
    assert said("check", tmp_path / "masks" / "annotations" / "all.json")[0] == 0


def test_crowds_are_one_verdict_of_all_commands(boxes, said, tmp_path):
    out = tmp_path / "out"
    table, annotations = ("--table", tmp_path / "cases.csv"), out / "annotations" / "all.json"
    said("convert", "--source", boxes, "--output", out, "--boxes-as-masks", *table)
    document = json.loads(annotations.read_text())
    for annotation in document["annotations"][1:]:
        annotation["iscrowd"] = 1
    annotations.write_text(json.dumps(document))
    sentence = "4 of 5 regions, in 3 images, are crowds"
    verdicts = [
        said("stats", annotations),
        said("card", annotations, "--output", tmp_path / "card.html", "--count", "0"),
        said("split", "--annotations", annotations, "--output", out),
        said("convert", "--source", annotations, "--images", boxes, "--output", tmp_path / "again"),
    ]
    assert [code for code, _ in verdicts] == [0, 0, 0, 0]
    assert all(sentence in text for _, text in verdicts)
    code, text = said("check", annotations)
    assert code == 0 and "4 images and 1 lesions beside 4 crowd regions" in text
    assert "no lesion in" in verdicts[2][1]


def test_an_empty_part_says_what_to_do(tmp_path):
    empty = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "benign"}]}
    (tmp_path / "val.json").write_text(json.dumps(empty))
    with pytest.raises(DataError, match="split again"):
        load_coco(tmp_path / "val.json")

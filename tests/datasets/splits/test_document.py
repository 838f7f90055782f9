"""Split files of folds, hashes of images, lists that others have made, and several annotation files as one."""

import json

import pytest

from segtumor.datasets.splits.cases import cases_of_images, read_case_table
from segtumor.datasets.splits.document import (
    hash_images,
    read_split,
    read_split_document,
    reuse_split,
    split_document,
    verify_split,
)
from segtumor.datasets.splits.merging import merge_coco
from segtumor.datasets.splits.official import listing_of_attribute, match, read_lists
from segtumor.datasets.splits.split import leak_numbers, leave_one_out, make_kfold, make_split, slug, split_from_parts
from segtumor.errors import ConfigError, DataError

NAMES = [f"{n}.png" for n in range(20)]
CASES = [f"case{n // 2}" for n in range(20)]
LABELS = ["benign"] * 20


def _saved(tmp_path, split, **more):
    path = tmp_path / "split.json"
    path.write_text(json.dumps(split_document(split, {part: {} for part in split.parts}, **more)))
    return path


def test_folds_and_test_part_come_back_from_their_file(tmp_path):
    split = make_kfold(NAMES, CASES, LABELS, folds=4, seed=2, test_fraction=0.2)
    assert split.parts[:3] == ("fold1-train", "fold1-val", "fold2-train") and split.parts[-1] == "test"
    assert split.composition["fold2-train"] == ("fold1", "fold3", "fold4")
    assert split.parts_of_fold["fold1"] == ("fold1-val", "fold2-train", "fold3-train", "fold4-train")
    assert split.parts_of_fold["test"] == ("test",)
    path = _saved(tmp_path, split)
    assert json.loads(path.read_text())["schema_version"] == 2
    assert read_split(path) == split
    reuse_split(read_split(path), NAMES, dict(zip(NAMES, CASES, strict=True)))


def test_what_schema_1_can_say_stays_schema_1():
    split = make_split("grouped", NAMES, CASES, LABELS)
    document = split_document(split, {part: {} for part in split.parts})
    assert document["schema_version"] == 1
    assert list(document) == ["schema_version", "kind", "seed", "fractions", "split_sha256", "parts", "assignment"]


def test_one_centre_is_left_out_at_a_time():
    centers = ["A b"] * 8 + ["a_b"] * 8 + ["unknown"] * 3 + ["A b"]
    split = leave_one_out(NAMES, CASES, centers, key="center", unknown="unknown")
    assert split.parts == ("center-a-b-train", "center-a-b-test", "center-a-b-2-train", "center-a-b-2-test")
    folds = {name: entry["part"] for name, entry in split.assignment.items()}
    assert folds["0.png"] == folds["19.png"] == folds["18.png"] == "center-a-b"  # 18 shows the case of 19
    assert folds["8.png"] == "center-a-b-2" and folds["16.png"] == "center-unknown"
    assert split.composition["center-a-b-train"] == ("center-unknown", "center-a-b-2")
    assert split.composition["center-a-b-test"] == ("center-a-b",)


def test_centres_that_cannot_be_left_out():
    with pytest.raises(DataError, match=r"1 cases have images of several values.*case0 \(1 and 2\)"):
        leave_one_out(NAMES, CASES, ["1", "2", *["1"] * 18], key="center", unknown="unknown")
    with pytest.raises(ConfigError, match="needs several values"):
        leave_one_out(NAMES, CASES, ["1"] * 20, key="center", unknown="unknown")


def test_names_of_parts_hold_no_underscore():
    assert [slug(text) for text in ("St. Mary_1", "A/..\\b", "Ü", "")] == ["st-mary-1", "a-b", "x", "x"]
    assert [slug(group) for group in ("<18", "18-39", ">=60")] == ["under-18", "18-39", "from-60"]


def test_the_test_share_is_checked():
    with pytest.raises(ConfigError, match="--test-fraction"):
        make_kfold(NAMES, CASES, LABELS, folds=2, test_fraction=1.0)


def test_changed_and_missing_images_are_found(tmp_path):
    for name in NAMES:
        (tmp_path / name).write_bytes(name.encode())
    split = make_split("grouped", NAMES, CASES, LABELS)
    path = _saved(tmp_path, split, image_sha256=hash_images(tmp_path, NAMES), sources=[{"file": "a"}])
    document = read_split_document(path)
    assert verify_split(document, tmp_path) == ([], [])
    (tmp_path / "3.png").write_bytes(b"other")
    (tmp_path / "4.png").unlink()
    assert verify_split(document, tmp_path) == (["3.png"], ["4.png"])
    with pytest.raises(DataError, match=r"4.png: image file"):
        hash_images(tmp_path, NAMES)
    with pytest.raises(DataError, match="no hashes"):
        verify_split({}, tmp_path)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"composition": {"fold1-val": ["fold9"]}}, "composition"),
        ({"composition": {"../val": ["fold1"]}}, "name of a part"),
        ({"composition": []}, "composition"),
        ({"composition": {}}, "composition"),
        ({"composition": 5}, "composition"),
        ({"origin": ["x"]}, "origin"),
        ({"composition": {"val": [["fold1"]]}}, "composition"),
        ({"image_sha256": {"../../etc/passwd": "0"}}, "image_sha256"),
        ({"image_sha256": {"0.png": 1}}, "image_sha256"),
        ({"schema_version": 1}, "incomplete"),
        ({"assignment": {"0.png": {"case_id": "a", "part": ["fold1"]}}}, "assignment of 0.png"),
    ],
)
def test_a_damaged_file_of_folds_is_refused(tmp_path, change, expected):
    path = _saved(tmp_path, make_kfold(NAMES, CASES, LABELS, folds=3))
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match=expected):
        read_split(path)


def test_cases_of_images():
    images = [{"file_name": "a.png", "case_id": 7}, {"file_name": "b.png", "case_id": " "}]
    assert cases_of_images(images[:1]) == ["7"]
    with pytest.raises(ConfigError, match=r"1 of 2 images have no case_id: b.png.*Give a table"):
        cases_of_images(images)


def test_a_table_of_cases(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text("file_name,case_id\nx/a.png,c1\nb,c2\nghost.png,c3\nd.png,\n")
    assert read_case_table(path, ["x/a.png", "y/b.jpg", "d.png"]) == ({0: "c1", 1: "c2"}, ["ghost.png"])
    path.write_text("image_id,case_id\na,c1\na.png,c2\n")
    with pytest.raises(DataError, match=r"image x/a.png has two cases"):
        read_case_table(path, ["x/a.png"])


def _workbook(path, sheets):
    import pandas

    with pandas.ExcelWriter(path) as writer:
        for name, columns in sheets.items():
            pandas.DataFrame(columns).to_excel(writer, sheet_name=name, index=False)
    return path


def test_lists_in_every_form(tmp_path):
    expected = [("a.png", "train"), ("b.png", "val")]
    (tmp_path / "Train.txt").write_text("\ufeff# the authors' list\na.png\n\n")
    (tmp_path / "valid.csv").write_text("image_id,age\nb.png,3\n")
    (tmp_path / "table.csv").write_text("File_Name,Subset\na.png,TRAIN\nb.png,Validation\nc.png,\n")
    (tmp_path / "bare.csv").write_text("a.png\n")
    authors = _workbook(tmp_path / "train.xlsx", {"Sheet1": {"image_id": ["a.png"]}, "Sheet2": {}})
    sheets = _workbook(tmp_path / "all.xlsx", {"train": {"image": ["a.png"]}, "val": {"image": ["b.png"]}})
    assert read_lists([str(tmp_path / "Train.txt"), str(tmp_path / "valid.csv")]) == expected
    assert read_lists([str(authors), f"val={tmp_path / 'valid.csv'}"]) == expected
    assert read_lists([str(tmp_path / "table.csv")]) == read_lists([str(sheets)]) == expected
    assert read_lists([f"test={tmp_path / 'bare.csv'}"]) == [("a.png", "test")]


@pytest.mark.parametrize(
    ("spec", "content", "expected"),
    [
        ("{}/list.txt", "a.png\n", "nothing says which part"),
        ("best={}/list.txt", "a.png\n", "not a part"),
        ("{}/train.csv", "age,sex\n1,F\n", "no column of image names"),
        ("{}/t.csv", "image,split\na.png,trian\n", r"1 rows of column split name no part.*trian \(a.png\)"),
        ("{}/train.txt", None, "No such file"),
        ("{}/train.xlsx", "no workbook", "not readable as an Excel table"),
    ],
)
def test_lists_that_cannot_be_used(tmp_path, spec, content, expected):
    spec = spec.format(tmp_path)
    if content is not None:
        (tmp_path / spec.rpartition("/")[2]).write_text(content)
    with pytest.raises((ConfigError, DataError), match=expected):
        read_lists([spec])


def test_lists_and_images_are_brought_together():
    listed = [("a.jpg", "train"), ("b.png", "val"), ("ghost", "val"), ("a", "train")]
    listing = match(listed, ["a.jpeg", "b.png", "c.png"])
    assert (listing.part_of_index, listing.unknown, listing.unlisted) == ({0: "train", 1: "val"}, ["ghost"], ["c.png"])
    with pytest.raises(DataError, match=r"1 images are in several lists: a.jpeg \(train and val\)"):
        match([*listed, ("a.jpeg", "val")], ["a.jpeg", "b.png"])
    with pytest.raises(DataError, match="no listed name is an image"):
        match(listed, ["z.png"])


def test_parts_told_by_a_field():
    images = [{"file_name": n, "part": p} for n, p in (("a", "Training"), ("b", "valid"), ("c", None), ("d", "Fold_2"))]
    listing = listing_of_attribute(images, "part")
    assert (listing.part_of_index, listing.unlisted) == ({0: "train", 1: "val", 3: "fold-2"}, ["c"])
    split = split_from_parts("column", listing.part_of_index, list("abcd"), ["c1", "c1", "c2", "image:d"])
    assert split.parts == ("train", "val", "fold-2") and split.fractions["val"] == 1 / 3
    assert leak_numbers(split.assignment) == (2, 1, 1, 2, 1)


def test_values_that_are_written_alike_are_parts_of_their_own():
    images = [{"file_name": n, "part": p} for n, p in (("a", "Site A"), ("b", "site-a"), ("c", "骨"), ("d", "北京"))]
    assert listing_of_attribute(images, "part").part_of_index == {0: "site-a", 1: "site-a-2", 2: "x", 3: "x-2"}


def test_centres_never_share_a_part_whatever_they_are_called():
    centers = ["a"] * 6 + ["A"] * 6 + ["a-2"] * 6 + ["x" * 300] * 2
    split = leave_one_out(NAMES, [f"case{i}" for i in range(20)], centers, key="center", unknown="unknown")
    folds = {}
    for name, center in zip(NAMES, centers, strict=True):
        folds.setdefault(split.assignment[name]["part"], set()).add(center)
    assert len(folds) == 4 and all(len(values) == 1 for values in folds.values())
    assert max(len(f"{part}.json".encode()) for part in split.parts) < 150


def _coco(path, names, ids, **more):
    images = [{"id": i, "file_name": n, "width": 8, "height": 8} for i, n in zip(ids, names, strict=True)]
    box = {"bbox": [1, 1, 4, 4], "segmentation": [[1, 1, 5, 1, 5, 5, 1, 5]], "category_id": 1, "area": 16, "iscrowd": 0}
    lesions = [{"id": i, "image_id": i, "extra": n, **box} for i, n in zip(ids, names, strict=True)]
    document = {"images": images, "annotations": lesions, "categories": [{"id": 1, "name": "benign", "color": "x"}]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document | more))
    return path


def test_files_are_merged_with_distinct_ids_and_all_fields(tmp_path):
    first = _coco(tmp_path / "a/annotations/all.json", ["p.png", "q.png"], [1, 2])
    second = _coco(tmp_path / "b/annotations/all.json", ["r.png"], [2])
    merged = merge_coco([first, second], check_files=False)
    assert [(i["id"], i["file_name"]) for i in merged.images] == [(1, "p.png"), (2, "q.png"), (3, "r.png")]
    assert [(a["id"], a["image_id"], a["extra"]) for a in merged.annotations][2] == (3, 3, "r.png")
    assert merged.categories[0]["color"] == "x" and merged.renumbered == [second]
    assert [names for names in merged.roots.values()] == [["p.png", "q.png"], ["r.png"]]


def test_files_that_cannot_be_merged(tmp_path):
    first = _coco(tmp_path / "a/annotations/all.json", ["p.png"], [1])
    other = _coco(tmp_path / "b/annotations/x.json", ["q.png"], [2], categories=[{"id": 1, "name": "malignant"}])
    with pytest.raises(DataError, match="categories differ"):
        merge_coco([first, other], check_files=False)
    with pytest.raises(DataError, match=r"two files hold an image of this name: p.png"):
        merge_coco([first, _coco(tmp_path / "b/annotations/y.json", ["p.png"], [2])], check_files=False)
    with pytest.raises(DataError, match="1 problem:"):
        merge_coco([first])

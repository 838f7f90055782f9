"""The whole conversion, on made-up folders laid out as BTXRD is."""

import csv
import json

import pytest
from PIL import Image

from segtumor.annotations.coco import load_coco
from segtumor.commands.prepare.btxrd import main
from segtumor.datasets.splits.document import read_split, read_split_document, split_document, verify_split
from segtumor.datasets.splits.split import make_kfold
from segtumor.errors import DataError, OutputError
from segtumor.formats.btxrd.convert import convert
from segtumor.formats.btxrd.dataset_table import BONES_AND_JOINTS, REGIONS, VIEWS, read_cases, read_table
from segtumor.taxonomy import BINARY, GRADED, SUBTYPE_ENTITY, SUBTYPES

COLUMNS = (
    *("image_id", "center", "age", "gender", *BONES_AND_JOINTS, "tumor", "benign", "malignant"),
    *(*SUBTYPE_ENTITY, *REGIONS, *VIEWS),
)


class Folder:
    """A made-up release, written by ``save``."""

    def __init__(self, path):
        self.path, self.rows = path, []
        (path / "images").mkdir(parents=True)
        (path / "Annotations").mkdir()

    def add(self, name, subtype=None, *, listed=None, shapes=None, size_wh=(20, 16), **cells):
        """One image: normal, or a tumour drawn as a rectangle and a polygon."""
        Image.new("L", size_wh).save(self.path / "images" / name, "JPEG")
        row = dict.fromkeys(COLUMNS, "0") | {"center": "2", "age": "31", "gender": "F", "frontal": "1"}
        if subtype:
            row |= {"tumor": "1", subtype: "1", SUBTYPE_ENTITY[subtype]: "1", "femur": "1"}
            shapes = pair(subtype) if shapes is None else shapes
        row |= {"image_id": listed or name} | cells
        self.rows.append(row)
        if shapes is not None:
            self.annotate(name.rsplit(".", 1)[0], shapes)

    def annotate(self, stem, shapes, size_hw=(16, 20)):
        document = {"shapes": shapes, "imageHeight": size_hw[0], "imageWidth": size_hw[1]}
        (self.path / "Annotations" / f"{stem}.json").write_text(json.dumps(document))

    def save(self, name="dataset.csv"):
        if name.endswith("xlsx"):
            import pandas

            numbers = [{k: int(v) if v.isdigit() else v or None for k, v in row.items()} for row in self.rows]
            pandas.DataFrame(numbers, columns=list(COLUMNS)).to_excel(self.path / name, index=False)
            return self.path
        with open(self.path / name, "w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(self.rows)
        return self.path


def pair(label, x=2, y=2, size=6):
    polygon = [[x, y], [x + size, y], [x + size, y + size], [x, y + size]]
    return [
        {"label": label, "shape_type": "rectangle", "points": [[x - 1, y - 1], [x + size + 1, y + size + 1]]},
        {"label": label, "shape_type": "polygon", "points": polygon},
    ]


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "BTXRD")


def _kinds(remarks):
    return [(remark.image, remark.kind) for remark in remarks]


@pytest.mark.parametrize("table", ["dataset.csv", "dataset.xlsx"])
def test_images_lesions_and_attributes(folder, table):
    folder.add("IMG1.jpeg", "osteosarcoma", tibia="1", age="")
    folder.add("IMG2.jpg", gender="", frontal="", lateral="1", fibula="")
    result = convert(folder.save(table), taxonomy=BINARY, cases={"IMG1": "case7"})
    assert (result.left_out, result.notes, result.images_without_case, result.listed) == ([], [], 1, 2)
    tumor, normal = result.images
    assert tumor == {
        "id": 1,
        "file_name": "IMG1.jpeg",
        "width": 20,
        "height": 16,
        "case_id": "case7",
        "image_label": "malignant",
        "subtype": "osteosarcoma",
        "age": None,
        "sex": "F",
        "site": ["tibia", "femur"],
        "region": [],
        "view": ["frontal"],
        "center": "2",
        "spacing_mm": None,
        "spacing_source": None,
    }
    assert (normal["image_label"], normal["subtype"], normal["sex"], normal["age"]) == ("normal", None, None, 31)
    assert (normal["view"], normal["case_id"]) == (["lateral"], "image:IMG2")
    assert result.annotations == [
        {
            "id": 1,
            "image_id": 1,
            "category_id": 2,
            "bbox": [2, 2, 6, 6],
            "drawn_box": [1, 1, 8, 8],
            "segmentation": [[2, 2, 8, 2, 8, 8, 2, 8]],
            "area": 36,
            "iscrowd": 0,
            "subtype": "osteosarcoma",
            "mask_from_box": False,
        }
    ]


def test_the_nine_subtypes_as_classes(folder):
    folder.add("a.jpeg", "other mt")
    (annotation,) = convert(folder.save(), taxonomy=SUBTYPES).annotations
    assert annotation["category_id"] == SUBTYPES.class_id("other mt") + 1


def test_giant_cell_tumours_lie_between_benign_and_malignant(folder):
    for name, subtype in (("a", "giant cell tumor"), ("b", "osteofibroma"), ("c", "osteosarcoma"), ("d", None)):
        folder.add(f"{name}.jpeg", subtype)
    result = convert(folder.save(), taxonomy=GRADED)
    labels = ["intermediate", "benign", "malignant", "normal"]
    assert [image["image_label"] for image in result.images] == labels
    assert [GRADED.names[a["category_id"] - 1] for a in result.annotations] == labels[:3]
    assert next(image["image_label"] for image in convert(folder.path, taxonomy=BINARY).images) == "benign"


def test_uneven_counts_keep_every_lesion_once(folder):
    label = "osteochondroma"
    folder.add("a.jpeg", label, shapes=[*pair(label), pair(label, x=12)[0]])
    folder.add("b.jpeg", label, shapes=[*pair(label), pair(label, x=12)[1]])
    result = convert(folder.save(), taxonomy=BINARY)
    assert [(a["image_id"], a["mask_from_box"], a["drawn_box"] is None) for a in result.annotations] == [
        (1, False, False),
        (1, True, False),
        (2, False, False),
        (2, False, True),
    ]
    assert _kinds(result.notes) == [
        ("a.jpeg", "rectangle without a polygon, used as the mask"),
        ("b.jpeg", "polygon without a rectangle"),
    ]


def test_names_are_matched_without_their_suffix(folder):
    folder.add("a.jpg", listed="a.jpeg")
    result = convert(folder.save(), taxonomy=BINARY)
    assert [image["file_name"] for image in result.images] == ["a.jpg"]
    assert _kinds(result.notes) == [("a.jpeg", "found with another file name suffix")]


def _spoil_image(folder):
    (folder.path / "images" / "bad.jpeg").write_bytes(b"no picture")


def _spoil_outlines(folder):
    (folder.path / "Annotations" / "bad.json").write_text("{")


@pytest.mark.parametrize(
    ("subtype", "more", "spoil", "expected"),
    [
        (None, {}, lambda f: (f.path / "images" / "bad.jpeg").unlink(), "image listed but not in the folder"),
        (None, {}, _spoil_image, "image cannot be read"),
        (None, {"shapes": pair("osteosarcoma")}, None, "normal in the table but with outlines"),
        (None, {"tumor": "1"}, None, "table does not say"),
        (None, {"tumor": "", "benign": "", "malignant": ""}, None, "table does not say"),
        ("osteofibroma", {"malignant": "1"}, None, "table does not say"),
        ("osteofibroma", {}, lambda f: (f.path / "Annotations" / "bad.json").unlink(), "tumor without a file"),
        ("osteofibroma", {}, _spoil_outlines, "outlines cannot be read"),
        ("osteofibroma", {"shapes": []}, None, "tumor without a usable outline"),
        ("osteofibroma", {"shapes": pair("osteosarcoma")}, None, "table and outlines contradict each other"),
        ("osteofibroma", {"shapes": pair("fracture")}, None, "outline with an unknown label"),
        ("osteofibroma", {"size_wh": (16, 20)}, None, "outlines drawn on an image of another shape"),
    ],
)
def test_an_image_of_unknown_truth_is_left_out_by_name(folder, subtype, more, spoil, expected):
    folder.add("bad.jpeg", subtype, **more)
    folder.add("good.jpeg")
    if spoil is not None:
        spoil(folder)
    result = convert(folder.save(), taxonomy=BINARY)
    assert [image["file_name"] for image in result.images] == ["good.jpeg"]
    assert [image["id"] for image in result.images] == [1] and result.annotations == []
    (remark,) = result.left_out
    assert remark.image == "bad.jpeg" and remark.kind.startswith(expected)


def test_what_is_unusual_is_used_and_told(folder):
    folder.add("scaled.jpeg", "osteofibroma", size_wh=(40, 32))
    folder.add("other.jpeg", "osteofibroma", shapes=pair(" Other  BT"))
    folder.add("empty.jpeg", shapes=[])
    folder.add("flat.jpeg", "osteofibroma", shapes=[pair("osteofibroma")[0], pair("osteofibroma", size=0)[1]])
    folder.add("blank.jpeg", "osteofibroma", tumor="", benign="", malignant="")
    result = convert(folder.save(), taxonomy=BINARY)
    assert [a["bbox"] for a in result.annotations][:1] == [[4, 4, 12, 12]]
    assert [image["subtype"] for image in result.images] == ["osteofibroma", "other bt", None, *["osteofibroma"] * 2]
    assert result.images[4]["image_label"] == "benign"
    assert _kinds(result.notes) == [
        ("scaled.jpeg", "outlines scaled to the size of the image"),
        ("other.jpeg", "another subtype in the table, that of the outlines used"),
        ("empty.jpeg", "normal with an empty file of outlines"),
        ("flat.jpeg", "shape not usable"),
        ("flat.jpeg", "rectangle without a polygon, used as the mask"),
    ]


def test_listing_and_folder_are_compared(folder):
    folder.add("a.jpeg")
    folder.add("twice.jpeg")
    folder.add("twice.jpeg")
    folder.add("torn.jpeg", age="5")
    folder.add("torn.jpeg", age="6")
    folder.add("extra.jpeg")
    folder.rows.pop()
    folder.annotate("ghost", [])
    result = convert(folder.save(), taxonomy=BINARY)
    assert [image["file_name"] for image in result.images] == ["a.jpeg", "twice.jpeg"]
    assert _kinds(result.left_out) == [
        ("extra.jpeg", "image not listed in the table"),
        ("ghost.json", "outlines of an image not listed in the table"),
        ("torn.jpeg", "listed several times with different data"),
    ]
    assert _kinds(result.notes) == [("twice.jpeg", "listed several times, used once")]


def test_tables_that_cannot_be_used(tmp_path):
    table, cases, book = tmp_path / "dataset.csv", tmp_path / "cases.csv", tmp_path / "dataset.xlsx"
    table.write_text("image_id,age\n")
    book.write_bytes(b"no workbook")
    cases.write_text("\ufeffImage_ID, case_id \na.jpg,c1\na.jpeg,c1\nb.jpg,\n")
    with pytest.raises(DataError, match="columns missing: tumor"):
        read_table(table)
    with pytest.raises(DataError, match="not readable as an Excel table"):
        read_table(book)
    assert read_cases(cases) == {"a": "c1"}
    cases.write_text("image_id,case_id\na.jpg,c1\na.jpeg,c2\n")
    with pytest.raises(DataError, match="image a has two cases"):
        read_cases(cases)
    with pytest.raises(DataError, match="no table of the images"):
        convert(tmp_path / "nowhere", taxonomy=BINARY)


@pytest.fixture
def release(folder):
    """Twelve cases of two images, a third each normal, benign and malignant; and its table of cases."""
    for number in range(24):
        folder.add(f"IMG{number:02}.jpeg", (None, "osteofibroma", "osteosarcoma")[number // 2 % 3])
    cases = folder.path / "cases.csv"
    cases.write_text("image_id,case_id\n" + "".join(f"IMG{n:02}.jpeg,c{n // 2:02}\n" for n in range(24)))
    return folder.save(), cases


def _run(source, output, *more):
    return main(["--source", str(source), "--output", str(output), *map(str, more)])


@pytest.mark.command
def test_the_command_writes_parts_that_load(release, tmp_path, capsys):
    source, cases = release
    output = tmp_path / "out"
    arguments = ("--groups", cases, "--fractions", 0.5, 0.25, 0.25)
    assert _run(source, output, *arguments) == 0
    printed = capsys.readouterr().out
    assert "24 images listed in the table, 24 used" in printed and "out_train, out_val, out_test" in printed
    split = read_split(output / "split.json")
    for part, images in {"train": 12, "val": 6, "test": 6}.items():
        dataset = load_coco(output / "annotations" / f"{part}.json")
        assert len(dataset.records) == images and dataset.info["split_sha256"] == split.sha256
        summary = json.loads((output / "split.json").read_text())["parts"][part]
        assert summary["annotations_sha256"] == dataset.sha256 and summary["cases"] == images // 2
        assert len(set(summary["images_by_label"].values())) == 1
    assert (output / "images").resolve() == (source / "images").resolve()
    first = {path.name: path.read_bytes() for path in output.rglob("*.json")}
    (output / "mine.txt").write_text("notes")
    assert _run(source, output, *arguments) == 2
    assert "the folder holds an earlier conversion" in capsys.readouterr().err
    assert _run(source, output, *arguments, "--overwrite") == 0 and (output / "mine.txt").is_file()
    assert {path.name: path.read_bytes() for path in output.rglob("*.json")} == first


def test_a_saved_split_is_used_again(release, tmp_path):
    source, cases = release
    assert _run(source, tmp_path / "a", "--groups", cases) == 0
    assert _run(source, tmp_path / "b", "--split", tmp_path / "a" / "split.json", "--classes", "subtype") == 0
    first, second = (read_split(tmp_path / name / "split.json") for name in "ab")
    assert first == second
    assert load_coco(tmp_path / "b" / "annotations" / "val.json").taxonomy == SUBTYPES


def test_folds_are_used_again(release, tmp_path, capsys):
    source, _ = release
    names = [f"IMG{n:02}.jpeg" for n in range(24)]
    split = make_kfold(names, [f"c{n // 2:02}" for n in range(24)], ["benign"] * 24, folds=2)
    path = tmp_path / "folds.json"
    path.write_text(json.dumps(split_document(split, {part: {} for part in split.parts})))
    assert _run(source, tmp_path / "out", "--split", path) == 0
    assert "total" not in capsys.readouterr().out
    parts = {part: load_coco(tmp_path / "out" / "annotations" / f"{part}.json") for part in split.parts}
    assert [len(dataset.images) for dataset in parts.values()] == [12] * 4
    assert parts["fold1-val"].images == parts["fold2-train"].images


def test_one_file_with_copied_images(release, tmp_path, capsys):
    source, _ = release
    assert _run(source, tmp_path / "all", "--split", "none", "--images", "copy") == 0
    assert len(load_coco(tmp_path / "all" / "annotations" / "all.json").records) == 24
    assert not (tmp_path / "all" / "images").is_symlink()
    assert "24 images are without a known case" in capsys.readouterr().out


def test_a_split_by_image_says_how_many_cases_leak(release, tmp_path, capsys):
    source, cases = release
    assert _run(source, tmp_path / "out", "--split", "image", "--groups", cases) == 0
    assert "of 12 cases are in several parts" in capsys.readouterr().err


def test_the_split_file_names_what_it_was_made_from(release, tmp_path):
    source, cases = release
    assert _run(source, tmp_path / "out", "--groups", cases) == 0
    document = read_split_document(tmp_path / "out" / "split.json")
    assert document["schema_version"] == 1 and [s["file"] for s in document["sources"]] == ["dataset.csv", "cases.csv"]
    assert verify_split(document, tmp_path / "out" / "images") == ([], [])
    (tmp_path / "out" / "images" / "IMG03.jpeg").write_bytes(b"another")
    assert verify_split(document, tmp_path / "out" / "images").changed == ["IMG03.jpeg"]
    assert _run(source, tmp_path / "none", "--groups", cases, "--no-image-hashes", "--split", "none") == 0
    assert "image_sha256" not in read_split_document(tmp_path / "none" / "split.json")


def test_the_authors_lists(release, tmp_path, capsys):
    source, cases = release
    (tmp_path / "train.txt").write_text("".join(f"IMG{n:02}.jpg\n" for n in range(1, 17)))
    (tmp_path / "val.csv").write_text("image_id,age\n" + "".join(f"IMG{n:02}.jpeg,3\n" for n in (0, *range(17, 26))))
    lists = ("--lists", tmp_path / "train.txt", tmp_path / "val.csv")
    output = tmp_path / "out"
    assert _run(source, output, "--split", "official", *lists, "--groups", cases) == 0
    said = capsys.readouterr()
    assert "2 listed images are not there, or could not be used: IMG24.jpeg, IMG25.jpeg" in said.err
    assert "leaks: 2 of 12 cases are in several parts; 2 of 8 images outside train (25%)" in said.err
    train = load_coco(output / "annotations" / "train.json")
    assert [image["file_name"] for image in train.images][:2] == ["IMG01.jpeg", "IMG02.jpeg"]
    assert len(load_coco(output / "annotations" / "val.json").images) == 8
    assert read_split(output / "split.json", allow_shared_cases=True).kind == "official"
    with pytest.raises(DataError, match="several parts"):
        read_split(output / "split.json")
    assert _run(source, tmp_path / "again", "--split", output / "split.json") == 0
    assert _run(source, tmp_path / "strict", "--split", "official", *lists, "--strict") == 5
    assert not (tmp_path / "strict").exists()


def test_parts_in_a_column_of_the_table(folder, tmp_path, capsys):
    for number, part in enumerate(("train", "Validation", "TRAIN", "")):
        folder.add(f"IMG{number}.jpeg", Split=part)
    with open(folder.path / "dataset.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, (*COLUMNS, "Split"))
        writer.writeheader()
        writer.writerows(folder.rows)
    assert _run(folder.path, tmp_path / "out", "--split", "official") == 0
    assert "1  image in no official list: IMG3.jpeg" in capsys.readouterr().out
    parts = read_split(tmp_path / "out" / "split.json").assignment
    assert {name: entry["part"] for name, entry in parts.items()} == {
        "IMG0.jpeg": "train",
        "IMG1.jpeg": "val",
        "IMG2.jpeg": "train",
    }


@pytest.mark.parametrize(
    ("more", "code", "expected"),
    [
        ((), 2, "needs the table of cases"),
        (("--split", "nonsense"), 2, "neither a kind of split nor a file"),
        (("--split", "none", "--fractions", 1, 1, 1), 2, "add up to 1"),
        (("--split", "none", "--seed", -1), 2, "seed is negative"),
        (("--split", "none", "--lists", "train.txt"), 2, "lists are for --split official"),
        (("--split", "official"), 2, "no column with the parts"),
    ],
)
def test_wrong_usage(release, tmp_path, capsys, more, code, expected):
    assert _run(release[0], tmp_path / "out", *more) == code
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_strict_writes_nothing(folder, tmp_path, capsys):
    folder.add("a.jpeg")
    folder.add("b.jpeg", "osteosarcoma", shapes=[])
    source = folder.save()
    assert _run(source, tmp_path / "out", "--split", "none", "--strict") == 5
    assert "tumor without a usable outline: b.jpeg" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
    assert _run(source, tmp_path / "out", "--split", "none") == 0


def test_other_images_in_the_output_are_never_replaced(release, tmp_path, capsys):
    (tmp_path / "out" / "images").mkdir(parents=True)
    assert _run(release[0], tmp_path / "out", "--split", "none") == OutputError.exit_code
    assert "does not hold the images of the source" in capsys.readouterr().err
    assert list((tmp_path / "out").rglob("*.json")) == []


@pytest.mark.parametrize("placing", ["link", "copy"])
def test_links_out_of_the_release_are_left_out_and_named(folder, tmp_path, placing):
    """Pictures and outlines of elsewhere may be anybody's."""
    for name in ("IMG1.jpeg", "IMG2.jpeg", "IMG3.jpeg"):
        folder.add(name, "osteosarcoma")
    (folder.path / "images" / "IMG1.jpeg").rename(tmp_path / "elsewhere.jpeg")
    (folder.path / "images" / "IMG1.jpeg").symlink_to(tmp_path / "elsewhere.jpeg")
    (folder.path / "Annotations" / "IMG2.json").rename(tmp_path / "elsewhere.json")
    (folder.path / "Annotations" / "IMG2.json").symlink_to("../../elsewhere.json")
    output = tmp_path / "out"
    assert _run(folder.save(), output, "--split", "image", "--fractions", 1, 0, 0, "--images", placing) == 0
    dataset = load_coco(output / "annotations" / "train.json")
    assert [image["file_name"] for image in dataset.images] == ["IMG3.jpeg"]
    report = json.loads((output / "conversion_report.json").read_text())
    assert report["left_out_by_kind"] == {
        "link that leads out of the folder of the images": 1,
        "image listed but not in the folder": 1,
        "outlines are a link that leads out of their folder": 1,
    }
    if placing == "copy":
        assert [path.name for path in (output / "images").iterdir()] == ["IMG3.jpeg"]

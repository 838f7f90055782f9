"""``segtumor data split`` on a made-up collection: what it writes, tells and refuses."""

import json

import numpy as np
import pytest
from PIL import Image

from segtumor.annotations.coco import load_coco
from segtumor.commands.data.split import main
from segtumor.datasets.splits.cases import join_cases
from segtumor.datasets.splits.document import read_split, read_split_document, verify_split
from segtumor.files import write_json

pytestmark = pytest.mark.command

PARTS = {"train", "val", "test"}


@pytest.fixture
def collection(tmp_path):
    """48 images of 24 cases in three centres, a third each normal, benign and malignant; its all.json."""
    root = tmp_path / "set"
    (root / "images").mkdir(parents=True)
    (root / "annotations").mkdir()
    images, annotations = [], []
    for n in range(48):
        case, label = n // 2, ("normal", "benign", "malignant")[n // 2 % 3]
        Image.new("L", (8, 8), n).save(root / "images" / f"{n:02}.png")
        image = {"id": n + 1, "file_name": f"{n:02}.png", "width": 8, "height": 8, "case_id": f"c{case:02}"}
        images.append({**image, "image_label": label, "center": str(case // 3 % 3), "age": n, "note": f"n{n}"})
        if label != "normal":
            lesion = {"id": n + 1, "image_id": n + 1, "category_id": 1 + (label == "malignant"), "iscrowd": 0}
            outline = {"bbox": [1, 1, 4, 4], "segmentation": [[1, 1, 5, 1, 5, 5, 1, 5]], "area": 16}
            annotations.append({**lesion, **outline, "further": n})
    categories = [{"id": 1, "name": "benign", "color": "blue"}, {"id": 2, "name": "malignant", "color": "red"}]
    path = root / "annotations" / "all.json"
    document = {"info": {"who": "us"}, "images": images, "annotations": annotations, "categories": categories}
    path.write_text(json.dumps(document))
    return path


def _edit(path, change):
    document = json.loads(path.read_text())
    for image in document["images"]:
        change(image)
    path.write_text(json.dumps(document))


def _run(path, output, *more):
    return main(["--annotations", str(path), "--output", str(output), *map(str, more)])


def _files(folder):
    return {path.stem for path in (folder / "annotations").glob("*.json")}


def _load(folder, part):
    return load_coco(folder / "annotations" / f"{part}.json")


def test_parts_by_case_with_hashes(collection, tmp_path, capsys):
    output = tmp_path / "out"
    assert _run(collection, output, "--fractions", 0.5, 0.25, 0.25) == 0
    printed = capsys.readouterr().out
    assert "data sets: out_train, out_val, out_test" in printed and "part \\ center" in printed
    document = read_split_document(output / "split.json")
    assert [document["parts"][part]["images"] for part in document["fractions"]] == [24, 12, 12]
    assert document["sources"] == [{"file": "all.json", "sha256": load_coco(collection).sha256}]
    assert verify_split(document, output / "images") == ([], []) and len(document["image_sha256"]) == 48
    train = _load(output, "train")
    assert document["parts"]["train"]["annotations_sha256"] == train.sha256
    assert train.info["who"] == "us" and train.info["split_sha256"] == document["split_sha256"]
    raw = json.loads((output / "annotations" / "train.json").read_text())
    assert raw["categories"][0]["color"] == "blue" and "further" in raw["annotations"][0] and "note" in raw["images"][0]
    first = {path.name: path.read_bytes() for path in output.rglob("*.json")}
    assert _run(collection, output, "--fractions", 0.5, 0.25, 0.25) == 2
    assert "the folder holds an earlier split" in capsys.readouterr().err
    assert _run(collection, output, "--fractions", 0.5, 0.25, 0.25, "--overwrite") == 0
    assert {path.name: path.read_bytes() for path in output.rglob("*.json")} == first


def test_a_file_of_no_split_is_not_replaced(collection, tmp_path, capsys):
    (tmp_path / "out" / "annotations").mkdir(parents=True)
    (tmp_path / "out" / "annotations" / "train.json").write_text("mine")
    assert _run(collection, tmp_path / "out", "--place", "none", "--overwrite") == 2
    assert "there is a file that belongs to no split" in capsys.readouterr().err
    assert (tmp_path / "out" / "annotations" / "train.json").read_text() == "mine"


def test_the_order_of_the_images_does_not_matter(collection, tmp_path):
    assert _run(collection, tmp_path / "a", "--place", "none") == 0
    document = json.loads(collection.read_text())
    collection.write_text(json.dumps({**document, "images": document["images"][::-1]}))
    assert _run(collection, tmp_path / "b", "--place", "none") == 0
    assert read_split(tmp_path / "a" / "split.json") == read_split(tmp_path / "b" / "split.json")


def test_folds_into_the_folder_of_the_source_and_back(collection, tmp_path):
    folder = collection.parent.parent
    more = ("--kind", "kfold", "--folds", 3, "--test-fraction", 0.25, "--stratify", "center", "age_group")
    assert _run(collection, folder, *more) == 0
    folds = {f"fold{k}-{part}" for k in (1, 2, 3) for part in ("train", "val")}
    assert _files(folder) == {"all", "test"} | folds
    names = [{r["file_name"] for r in _load(folder, f"fold{k}-val").records} for k in (1, 2, 3)]
    assert len(set.union(*names)) == sum(map(len, names)) == 48 - len(_load(folder, "test").records)
    train = {r["file_name"] for r in _load(folder, "fold1-train").records}
    assert train == names[1] | names[2]
    assert read_split(folder / "split.json").origin == {"stratify": ["label", "center", "age_group"]}
    assert _run(collection, tmp_path / "again", "--kind", folder / "split.json") == 0
    assert _files(tmp_path / "again") == {"test"} | folds
    assert _run(collection, folder, "--overwrite") == 0  # parts of the folds are gone, the source is not
    assert _files(folder) == {"all", *PARTS}


def test_one_centre_left_out(collection, tmp_path):
    _edit(collection, lambda image: image.update(center=None) if image["case_id"] == "c00" else None)
    assert _run(collection, tmp_path / "out", "--kind", "leave-one-out") == 0
    assert _files(tmp_path / "out") == {f"center-{c}-{part}" for c in "012" for part in ("train", "test")}
    held_out = _load(tmp_path / "out", "center-1-test").images
    training = _load(tmp_path / "out", "center-1-train").images
    assert {image["center"] for image in held_out} == {"1"} and len(held_out) + len(training) == 48
    assert {image["center"] for image in training} == {"0", "2", None}


def test_a_column_that_ignores_cases_is_told_in_numbers(collection, tmp_path, capsys):
    _edit(
        collection,
        lambda image: image.update(part=("Training", "valid")[image["id"] % 2] if image["id"] < 48 else None),
    )
    assert _run(collection, tmp_path / "out", "--kind", "column", "--column", "part") == 0
    said = capsys.readouterr().err
    assert "1 images are in no list and were left out: 47.png" in said
    assert "leaks: 23 of 24 cases are in several parts; 23 of 24 images outside train (96%)" in said
    assert _files(tmp_path / "out") == {"train", "val"}
    assert read_split(tmp_path / "out" / "split.json", allow_shared_cases=True).kind == "column"
    assert _run(collection, tmp_path / "strict", "--kind", "column", "--strict") == 5
    assert not (tmp_path / "strict").exists()


def test_official_lists(collection, tmp_path, capsys):
    (tmp_path / "train.txt").write_text("".join(f"{n:02}.png\n" for n in range(30)))
    (tmp_path / "held.csv").write_text("image_id\n" + "".join(f"{n:02}\n" for n in range(30, 48)) + "ghost.png\n")
    lists = ("--lists", tmp_path / "train.txt", f"val={tmp_path / 'held.csv'}")
    assert _run(collection, tmp_path / "out", "--kind", "official", *lists) == 0
    captured = capsys.readouterr()
    assert "1 listed images are not there: ghost.png" in captured.err and "no case is in several" in captured.out
    document = read_split_document(tmp_path / "out" / "split.json")
    assert {part: entry["images"] for part, entry in document["parts"].items()} == {"train": 30, "val": 18}
    assert [source["file"] for source in document["sources"]] == ["all.json", "train.txt", "held.csv"]


def test_cases_from_a_table(collection, tmp_path, capsys):
    _edit(collection, lambda image: image.pop("case_id"))
    assert _run(collection, tmp_path / "out") == 2
    assert "48 of 48 images have no case_id" in capsys.readouterr().err and not (tmp_path / "out").exists()
    table = tmp_path / "cases.csv"
    table.write_text("image_id,case_id\n" + "".join(f"{n:02}.png,p{n // 4}\n" for n in range(46)))
    assert _run(collection, tmp_path / "out", "--cases", table) == 0
    assert "2 images are without a known case" in capsys.readouterr().err
    images = [image for part in PARTS for image in _load(tmp_path / "out", part).images]
    assert {image["file_name"]: image.get("case_id") for image in images}["44.png"] == "p11"
    assert sum("case_id" not in image for image in images) == 2


def test_images_that_changed_since_are_named(collection, tmp_path, capsys):
    assert _run(collection, tmp_path / "a") == 0
    Image.new("L", (8, 8), 200).save(collection.parent.parent / "images" / "05.png")
    assert _run(collection, tmp_path / "b", "--kind", tmp_path / "a" / "split.json") == 0
    assert "1 images have changed since" in capsys.readouterr().err


def test_collections_of_two_folders(collection, tmp_path, capsys):
    other = tmp_path / "other" / "annotations" / "all.json"
    other.parent.mkdir(parents=True)
    (other.parent.parent / "images").mkdir()
    image = {"id": 1, "file_name": "new.png", "width": 8, "height": 8, "case_id": "new"}
    Image.new("L", (8, 8)).save(other.parent.parent / "images" / "new.png")
    categories = json.loads(collection.read_text())["categories"]
    other.write_text(json.dumps({"images": [image], "annotations": [], "categories": categories}))
    assert main(["--annotations", str(collection), str(other), "--output", str(tmp_path / "out")]) == 2
    assert "--place copy" in capsys.readouterr().err
    more = ["--output", str(tmp_path / "out"), "--place", "copy"]
    assert main(["--annotations", str(collection), str(other), *more]) == 0
    assert "ids were used by another file" in capsys.readouterr().out
    assert sum(len(_load(tmp_path / "out", part).records) for part in PARTS) == 49


@pytest.mark.parametrize(
    ("more", "code", "expected"),
    [
        (("--kind", "nonsense"), 2, "neither a kind of split nor a file"),
        (("--kind", "official"), 2, "an official split needs its lists"),
        (("--lists", "train.txt"), 2, "lists are for --kind official"),
        (("--kind", "column", "--stratify", "center"), 2, "nothing is drawn"),
        (("--test-fraction", 0.2), 2, "is for --kind kfold"),
        (("--seed", -1), 2, "seed is negative"),
        (("--fractions", 1, 1, 1), 2, "add up to 1"),
        (("--kind", "kfold", "--folds", 1), 2, "number of folds"),
        (("--kind", "kfold", "--folds", 25), 2, "number of folds"),
        (("--stratify", "size"), 2, "no image has this attribute"),
        (("--kind", "column", "--column", "fold"), 2, "no image has this attribute"),
        (("--kind", "leave-one-out", "--leave-out", "age"), 5, "images of several values"),
    ],
)
def test_wrong_usage_writes_nothing(collection, tmp_path, capsys, more, code, expected):
    assert _run(collection, tmp_path / "out", *more) == code
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_part_never_replaces_its_source(collection, capsys):
    _edit(collection, lambda image: image.update(part="all"))
    before = collection.read_bytes()
    assert _run(collection, collection.parent.parent, "--kind", "column") == 2
    assert "would replace the file it is made from" in capsys.readouterr().err
    assert collection.read_bytes() == before


def test_help_ends_with_examples(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "--kind leave-one-out --leave-out center" in capsys.readouterr().out


def test_images_of_the_same_picture_stay_together(tmp_path):
    images, pictures = tmp_path / "images", np.random.default_rng(0).integers(0, 255, (12, 40, 40), dtype=np.uint8)
    pictures[7] = pictures[3]
    images.mkdir()
    names = [f"{number}.png" for number in range(12)]
    for number, name in enumerate(names):
        Image.fromarray(pictures[number]).save(images / name)
    entries = [
        {"id": i + 1, "file_name": n, "width": 40, "height": 40, "case_id": f"c{i}"} for i, n in enumerate(names)
    ]
    document = {"images": entries, "annotations": [], "categories": [{"id": 1, "name": "benign"}]}
    write_json(tmp_path / "annotations" / "all.json", document)
    parts = set()
    for seed in range(6):
        options = ["--seed", str(seed), "--join-duplicates", "--fractions", "0.5", "0.25", "0.25"]
        source = str(tmp_path / "annotations" / "all.json")
        assert main(["--annotations", source, "--output", str(tmp_path / f"s{seed}"), *options]) == 0
        saved = json.loads((tmp_path / f"s{seed}" / "split.json").read_text())
        assert saved["assignment"]["3.png"] == saved["assignment"]["7.png"]
        assert saved["assignment"]["3.png"]["case_id"] == "c3+c7"
        assert saved["origin"] == {"joined_duplicates": 1}
        parts.add(saved["assignment"]["3.png"]["part"])
    assert len(parts) > 1  # the seed moves them, together
    written = json.loads((tmp_path / "s0" / "annotations" / "train.json").read_text())
    assert all("+" not in image["case_id"] for image in written["images"])


def test_join_cases():
    case_of = {"1": "a", "2": "a", "3": "b", "4": "c", "5": "d"}
    assert join_cases(case_of, [("2", "3"), ("3", "4")]) == dict.fromkeys("1234", "a+b+c") | {"5": "d"}


def test_joining_needs_images(tmp_path, capsys):
    options = ["--annotations", "x.json", "--output", str(tmp_path), "--join-duplicates", "--place", "none"]
    assert main(options) == 2
    assert "--join-duplicates: cannot be used here" in capsys.readouterr().err


def test_a_part_that_would_be_empty_is_refused_before_anything_is_written(collection, tmp_path, capsys):
    _edit(collection, lambda image: image.update(case_id="one"))
    assert _run(collection, tmp_path / "out") == 2
    assert "no image would be in val, test" in (err := capsys.readouterr().err) and "48 images of 1 case" in err
    assert not (tmp_path / "out").exists()
    assert _run(collection, tmp_path / "out", "--fractions", "1", "0", "0") == 0


def test_three_images_fill_three_parts(collection, tmp_path):
    document = json.loads(collection.read_text())
    document["images"] = document["images"][::2][:3]
    document["annotations"] = [a for a in document["annotations"] if a["image_id"] in (1, 3, 5)]
    collection.write_text(json.dumps(document))
    for kind in ("grouped", "image"):
        assert _run(collection, tmp_path / kind, "--kind", kind) == 0
        parts = json.loads((tmp_path / kind / "split.json").read_text())["parts"]
        assert {part: counts["images"] for part, counts in parts.items()} == {"train": 1, "val": 1, "test": 1}


def test_a_saved_split_of_other_images_leaves_no_empty_part(collection, tmp_path, capsys):
    assert _run(collection, tmp_path / "first") == 0
    saved = json.loads((tmp_path / "first" / "split.json").read_text())["assignment"]
    document = json.loads(collection.read_text())
    document["images"] = [i for i in document["images"] if saved[i["file_name"]]["part"] == "train"]
    ids = {image["id"] for image in document["images"]}
    document["annotations"] = [a for a in document["annotations"] if a["image_id"] in ids]
    collection.write_text(json.dumps(document))
    assert _run(collection, tmp_path / "again", "--kind", tmp_path / "first" / "split.json") == 2
    assert "no image would be in val, test" in capsys.readouterr().err

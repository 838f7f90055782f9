"""The written data set: COCO as agreed, split by case, reproducible to the byte, never half-written in disguise."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from segtumor import files
from segtumor.errors import ConfigError, OutputError
from segtumor.files import sha256_of_file
from segtumor.structures.boxes import box_xywh_to_xyxy
from segtumor.structures.masks import box_from_mask, mask_from_rle, rle_from_segmentation
from segtumor.synthesis.phantoms import SYNTHETIC_NOTICE, write_phantom_dataset, writer
from segtumor.synthesis.phantoms.coco import polygons_from_mask
from segtumor.synthesis.phantoms.lesions import solid
from segtumor.synthesis.phantoms.writer import PARTS, split_labels
from segtumor.taxonomy import BINARY

CASES, SIZE_PX = 10, 96


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp("phantoms")
    counts = write_phantom_dataset(root, cases=CASES, seed=4, size_px=SIZE_PX, fractions=(0.6, 0.2, 0.2))
    return root, counts


def _document(root, part):
    return json.loads((root / "annotations" / f"{part}.json").read_text())


def test_files_and_counts(dataset):
    root, counts = dataset
    assert [counts[part]["cases"] for part in PARTS] == [6, 2, 2]
    assert len(list((root / "images").glob("*.png"))) == 2 * CASES
    for part in PARTS:
        document = _document(root, part)
        assert counts[part]["images"] == len(document["images"]) == 2 * counts[part]["cases"]
        assert counts[part]["benign"] + counts[part]["malignant"] == len(document["annotations"])


def test_images_carry_what_the_format_asks_for(dataset):
    root, _ = dataset
    for part in PARTS:
        document = _document(root, part)
        assert document["categories"] == BINARY.coco_categories() and document["info"]["synthetic"] is True
        assert [image["id"] for image in document["images"]] == list(range(1, len(document["images"]) + 1))
        for image in document["images"]:
            with Image.open(root / "images" / image["file_name"]) as picture:
                assert picture.size == (image["width"], image["height"]) and picture.mode == "L"
                assert picture.info["Description"] == SYNTHETIC_NOTICE
            assert image["image_label"] in ("normal", "benign", "malignant") and image["sex"] in ("M", "F")
            assert image["view"] in (["frontal"], ["lateral"]) and image["center"] == "phantom"
            assert len(image["spacing_mm"]) == 2 and image["spacing_source"] == "synthetic"
            assert image["site"] and all(isinstance(site, str) for site in image["site"])


def test_masks_boxes_polygons_and_labels_agree(dataset):
    root, _ = dataset
    for part in PARTS:
        document = _document(root, part)
        images = {image["id"]: image for image in document["images"]}
        assert [item["id"] for item in document["annotations"]] == list(range(1, len(document["annotations"]) + 1))
        for item in document["annotations"]:
            mask = mask_from_rle(rle_from_segmentation(item["segmentation"], (SIZE_PX, SIZE_PX)))
            assert mask.sum() == item["area"] > 0 and item["iscrowd"] == 0
            assert tuple(box_xywh_to_xyxy(item["bbox"])) == box_from_mask(mask)
            assert BINARY.names[item["category_id"] - 1] == images[item["image_id"]]["image_label"]
        with_lesion = {item["image_id"] for item in document["annotations"]}
        assert with_lesion == {i for i, image in images.items() if image["image_label"] != "normal"}


def test_no_case_is_in_two_parts_and_the_split_file_says_so(dataset):
    root, counts = dataset
    split = json.loads((root / "split.json").read_text())
    cases = {part: {image["case_id"] for image in _document(root, part)["images"]} for part in PARTS}
    assert split["cases"] == {case: part for part in PARTS for case in cases[part]}
    assert sum(map(len, cases.values())) == CASES == len(split["cases"])
    assert split["counts"] == counts
    for part in PARTS:
        assert split["annotations_sha256"][part] == sha256_of_file(root / "annotations" / f"{part}.json")


def test_equal_seeds_give_equal_bytes(dataset, tmp_path):
    root, _ = dataset
    write_phantom_dataset(tmp_path, cases=CASES, seed=4, size_px=SIZE_PX, fractions=(0.6, 0.2, 0.2))
    files = sorted(path.relative_to(root) for path in root.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert all((root / name).read_bytes() == (tmp_path / name).read_bytes() for name in files)


def test_an_earlier_set_is_replaced_without_leftovers(tmp_path):
    write_phantom_dataset(tmp_path, cases=3, seed=0, size_px=SIZE_PX, fractions=(1, 0, 0))
    with pytest.raises(ConfigError, match="holds earlier phantoms"):
        write_phantom_dataset(tmp_path, cases=1, seed=0, size_px=SIZE_PX, fractions=(0, 0, 1))
    write_phantom_dataset(tmp_path, cases=1, seed=0, size_px=SIZE_PX, fractions=(0, 0, 1), overwrite=True)
    assert len(list((tmp_path / "images").iterdir())) == 2
    assert [path.name for path in (tmp_path / "annotations").iterdir()] == ["test.json"]


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="--overwrite"):
        write_phantom_dataset(tmp_path, cases=1, size_px=SIZE_PX, fractions=(1, 0, 0))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    write_phantom_dataset(tmp_path, cases=1, size_px=SIZE_PX, fractions=(1, 0, 0), overwrite=True)
    assert (tmp_path / "mine.txt").read_text() == "mine" and (tmp_path / "split.json").is_file()


def test_an_interrupted_run_does_not_look_complete(tmp_path):
    write_phantom_dataset(tmp_path, cases=3, size_px=SIZE_PX, fractions=(1, 0, 0))

    def interrupt(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_phantom_dataset(
            tmp_path, cases=3, seed=1, size_px=SIZE_PX, fractions=(1, 0, 0), progress=interrupt, overwrite=True
        )
    assert not (tmp_path / "split.json").exists() and not list((tmp_path / "annotations").iterdir())
    write_phantom_dataset(tmp_path, cases=1, size_px=SIZE_PX, fractions=(1, 0, 0))  # and may be begun again
    assert (tmp_path / "split.json").is_file()


def test_progress_counts_cases(tmp_path):
    seen = []
    write_phantom_dataset(tmp_path, cases=2, size_px=SIZE_PX, fractions=(1, 0, 0), progress=seen.append)
    assert seen == [1, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cases": 0}, "no cases"),
        ({"seed": -1}, "negative"),
        ({"size_px": 8}, "size out of range"),
        ({"fractions": (0.5, 0.5, 0.5)}, "adding up to 1"),
        ({"fractions": (1.5, -0.5, 0)}, "adding up to 1"),
        ({"fractions": (float("nan"), 0, 1)}, "adding up to 1"),
        ({"cases": 2, "fractions": (0.7, 0.15, 0.15)}, "too few cases"),
    ],
)
def test_bad_requests_are_refused_before_anything_is_written(change, message, tmp_path):
    arguments = {"cases": 10, "seed": 0, "size_px": SIZE_PX, "fractions": (0.7, 0.15, 0.15), **change}
    with pytest.raises(ConfigError, match=message):
        write_phantom_dataset(tmp_path / "new", **arguments)
    assert not (tmp_path / "new").exists()


def test_split_is_in_proportion_within_each_label():
    labels = ["normal"] * 40 + ["benign"] * 30 + ["malignant"] * 30
    parts = split_labels(labels, (0.7, 0.15, 0.15), seed=1)
    for label, total in (("normal", 40), ("benign", 30), ("malignant", 30)):
        counts = [sum(p == part for p, name in zip(parts, labels, strict=True) if name == label) for part in PARTS]
        assert np.allclose(counts, np.multiply(total, (0.7, 0.15, 0.15)), atol=1.5)
    assert parts == split_labels(labels, (0.7, 0.15, 0.15), seed=1) != split_labels(labels, (0.7, 0.15, 0.15), seed=2)


@pytest.mark.parametrize(
    "rows",
    [["#"], ["##", "##"], ["#...", "##..", ".#..", ".##."], ["####", "####", "####", "####"], ["..#", ".##", "###"]],
)
def test_polygons_rasterise_to_the_mask_they_came_from(rows):
    mask = np.array([[c == "#" for c in row] for row in rows])
    padded = np.pad(mask, ((0, 2), (0, 3)))  # touches the upper and left border
    for array in (mask, padded):
        assert np.array_equal(mask_from_rle(rle_from_segmentation(polygons_from_mask(array), array.shape)), array)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_polygons_of_random_blobs_are_exact(seed):
    rng = np.random.default_rng(seed)
    mask = solid(rng.random((17, 23)) < 0.6)
    assert np.array_equal(mask_from_rle(rle_from_segmentation(polygons_from_mask(mask), mask.shape)), mask)


@pytest.mark.command
def test_command_prints_what_it_wrote_and_that_it_is_synthetic(tmp_path, capsys):
    from segtumor.commands.prepare.phantoms import main

    arguments = ["--output", str(tmp_path / "p"), "--cases", "5", "--size", "96", "--fractions", "0.6", "0.2", "0.2"]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert "SYNTHETIC" in printed.out and "train" in printed.out and "5/5 cases" in printed.err
    assert main([*arguments[:3], "0"]) == 2


def test_a_full_disk_leaves_no_half_of_a_set(tmp_path, monkeypatch):
    written = []

    def full(path, data):
        written.append(path)
        if len(written) == 3:
            raise OutputError("cannot write: No space left on device", where=path)
        files.write_bytes(path, data)

    monkeypatch.setattr(writer, "write_bytes", full)
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "mine.txt").touch()
    for name in ("p", "new"):
        written.clear()
        with pytest.raises(OutputError, match="No space left"):
            write_phantom_dataset(tmp_path / name, cases=5, size_px=96, fractions=(0.6, 0.2, 0.2), overwrite=True)
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["p", "p/mine.txt"]


@pytest.mark.command
def test_package_needs_no_torch():
    code = "import sys, segtumor.synthesis.phantoms; sys.exit('torch' in sys.modules or 'detectron2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

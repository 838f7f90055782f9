import json
import shutil
from types import SimpleNamespace

import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog
from PIL import Image

from segtumor.errors import BadImageError, DataError
from segtumor.training.batches.catalog import check_image_sizes, dataset_paths, load_datasets, shared_cases
from segtumor.training.data_identity import case_hashes

pytestmark = pytest.mark.model


def test_a_name_is_a_folder_and_a_part(phantoms):
    assert dataset_paths("phantoms_train") == (phantoms / "annotations" / "train.json", phantoms / "images")


def test_a_folder_may_have_underscores(phantoms, tmp_path):
    shutil.copytree(phantoms / "annotations", tmp_path / "my_own_set" / "annotations")
    json_path, image_root = dataset_paths("my_own_set_val", tmp_path)
    assert json_path == tmp_path / "my_own_set" / "annotations" / "val.json"
    assert image_root == tmp_path / "my_own_set" / "images"


@pytest.mark.parametrize("name", ["phantoms_holdout", "nowhere_train", "phantoms", "_train", ""])
def test_a_missing_set_says_where_it_was_looked_for(phantoms, name):
    with pytest.raises(DataError, match="DETECTRON2_DATASETS") as caught:
        dataset_paths(name)
    assert str(phantoms.parent) in str(caught.value)


def test_without_the_variable_the_folder_is_datasets(monkeypatch, tmp_path, phantoms):
    monkeypatch.delenv("DETECTRON2_DATASETS")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(phantoms, tmp_path / "datasets" / "mine")
    assert len(load_datasets(["mine_test"])[0].records) == 2


def test_sets_are_registered_with_their_classes(phantoms):
    train, test = load_datasets(["phantoms_train", "phantoms_test"])
    assert DatasetCatalog.get("phantoms_train") == train.records and len(train.records) == 6
    metadata = MetadataCatalog.get("phantoms_test")
    assert metadata.thing_classes == ["benign", "malignant"]
    assert metadata.json_file == str(test.json_path) and metadata.image_root == str(test.image_root)


def test_loading_again_replaces_the_registration(phantoms):
    load_datasets(["phantoms_val"])
    (again,) = load_datasets(["phantoms_val"])
    assert DatasetCatalog.get("phantoms_val") is again.records


def test_sets_with_different_classes_do_not_go_together(phantoms, tmp_path):
    shutil.copytree(phantoms, tmp_path / "other")
    path = tmp_path / "other" / "annotations" / "val.json"
    content = json.loads(path.read_text())
    content["categories"][1]["name"] = "something else"
    path.write_text(json.dumps(content))
    shutil.copytree(phantoms, tmp_path / "phantoms")
    with pytest.raises(DataError, match="same classes") as caught:
        load_datasets(["phantoms_train", "other_val"], root=tmp_path)
    assert "other_val" in str(caught.value) and "something else" in str(caught.value)


def test_image_sizes_are_compared_with_the_files(tmp_path):
    Image.new("L", (8, 4)).save(tmp_path / "a.png")
    right = {"file_name": str(tmp_path / "a.png"), "height": 4, "width": 8}
    check_image_sizes([right], max_pixels=32)
    with pytest.raises(DataError, match=r"1 images have more pixels.*a\.png"):
        check_image_sizes([right], max_pixels=31)
    with pytest.raises(DataError, match=r"1 images differ.*a\.png is \(4, 8\), annotated as \(8, 4\)"):
        check_image_sizes([right, {**right, "height": 8, "width": 4}], max_pixels=32)
    (tmp_path / "b.png").write_bytes(b"nothing")
    with pytest.raises(BadImageError, match=r"b\.png"):
        check_image_sizes([{**right, "file_name": str(tmp_path / "b.png")}], max_pixels=32)


def test_a_case_in_two_parts_is_found_however_it_is_written():
    def part(*cases):
        return [SimpleNamespace(records=[{"file_name": f"{n}.png", "case_id": c} for n, c in enumerate(cases)])]

    train, test = part("12.0", 0, "7 "), part(12, 1, 7.0)
    assert shared_cases({"train": train, "test": test}) == [("train", "test", ["12", "7"])]
    assert len(set(case_hashes(train)) & set(case_hashes(test))) == 2

"""Class names beside YOLO label files, from files that may be hostile."""

from pathlib import Path

import pytest

from segtumor.errors import DataError
from segtumor.formats.yolo.names import find_names, part_by_yaml


@pytest.mark.parametrize(
    ("name", "text", "names"),
    [
        ("data.yaml", "nc: 2\nnames: [benign, malignant]", {0: "benign", 1: "malignant"}),
        ("set.yml", "names:\n  1: malignant\n  0: benign", {0: "benign", 1: "malignant"}),
        ("data.yaml", "names: [1, 2.5]", {0: "1", 1: "2.5"}),
        ("classes.txt", "\ufeffbenign\r\ngiant cell tumor\r\n\r\n", {0: "benign", 1: "giant cell tumor"}),
        ("obj.names", "benign", {0: "benign"}),
        ("labels/classes.txt", "benign", {0: "benign"}),
        ("other.yaml", "a: 1", None),
    ],
)
def test_names(tmp_path, name, text, names):
    (tmp_path / "labels").mkdir()
    (tmp_path / name).write_text(text)
    found = find_names(tmp_path)
    assert (found and found.names) == names


def test_a_folder_called_labels_has_its_names_beside_it(tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "data.yaml").write_text("names: [benign]")
    assert find_names(tmp_path / "labels").names == {0: "benign"}


def test_lists_that_differ_are_refused(tmp_path):
    (tmp_path / "a.yaml").write_text("names: [benign]")
    (tmp_path / "b.yaml").write_text("names: [malignant]")
    with pytest.raises(DataError, match="differ"):
        find_names(tmp_path)


LAUGHS = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        "names: !!python/object/apply:os.system ['touch hacked']",
        "names: !!python/object:builtins.object {}",
        LAUGHS + "names: *i",
        "names: [" * 3000,
        "names: {a: b}",
        "names: {-1: b}",
        "names: benign",
        "names: [[benign]]",
        "names: [\x00]",
        "names: 2001-99-99\n",
        "? [names]\n: b",
        "names: [benign",
    ],
)
def test_hostile_or_damaged_yaml_is_refused(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(DataError) as error:
        find_names(tmp_path)
    assert error.value.where.name == "data.yaml" and len(str(error.value)) < 600
    assert not (tmp_path / "hacked").exists()


def test_too_large_or_not_text_is_refused_before_parsing(tmp_path):
    (tmp_path / "data.yaml").write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(DataError, match="too large"):
        find_names(tmp_path)
    (tmp_path / "data.yaml").write_bytes(b"names: [\xff\xfe]")
    with pytest.raises(DataError, match="UTF-8"):
        find_names(tmp_path)


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/data/set/images/one/a.png", "train"),
        ("/data/set/two/a.png", "val"),
        ("/data/set/both/a.png", None),
        ("/data/set/none/a.png", None),
    ],
)
def test_part_by_yaml(path, part):
    folders = {"train": ["./images/one", "both"], "val": ["../set/two", "both", "list.txt"], "test": [""]}
    assert part_by_yaml(Path(path), folders) == part

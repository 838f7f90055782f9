"""Files of a source, and parts said by folders."""

import pytest

from segtumor.formats.sources.files import files_below, folder_of
from segtumor.formats.sources.parts import part_of_path


def test_files_below_leaves_out_the_hidden_and_takes_a_file_itself(tmp_path):
    for name in ("b.XML", "a.xml", "c.txt", ".hidden.xml", "sub/d.xml", ".git/e.xml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [path.relative_to(tmp_path).as_posix() for path in files_below(tmp_path, (".xml",))]
    assert names == ["a.xml", "b.XML", "sub/d.xml"]
    assert list(files_below(tmp_path / "a.xml", (".xml",))) == [tmp_path / "a.xml"]
    assert list(files_below(tmp_path / "c.txt", (".xml",))) == []
    assert folder_of(tmp_path / "a.xml") == folder_of(tmp_path) == tmp_path


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("train/labels/x.txt", "train"),
        ("labels/valid/x.txt", "val"),
        ("train2017/x.jpg", "train"),
        ("images_test/x.jpg", "test"),
        ("x.txt", None),
        ("train/test/x.txt", None),
        ("constrain/train.txt", None),
    ],
)
def test_part_of_path(path, part):
    assert part_of_path(path) == part

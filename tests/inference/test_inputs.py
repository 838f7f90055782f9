"""What inputs are known by, and what their overlays are called."""

import os
from pathlib import Path

import pytest

from segtumor.inference.batch.inputs import distinct, overlay_names


def test_a_file_is_one_input_however_its_folder_is_typed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.png").touch()
    (tmp_path / "deep" / "b.png").symlink_to("a.png")
    (tmp_path / "link").symlink_to("deep")
    same = [Path("deep/a.png"), Path("link/a.png"), Path("deep/../deep/a.png"), tmp_path / "deep" / "a.png"]
    assert distinct([*same, Path("link/b.png")]) == [same[0], Path("link/b.png")]
    assert distinct([Path("a\0/b"), Path("a\0/b"), Path("a.png")]) == [Path("a\0/b"), Path("a.png")]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a.png", "b.png"], ["a.png", "b.png"]),
        (["x/a.png", "y/a.jpg", "z/a.dcm"], ["x_a.png", "y_a.png", "z_a.png"]),
        (["x/a.png", "y/a.jpg", "y/a.dcm"], ["x_a.png", "y_a.png", "y_a_2.png"]),
        (["1/x/a.png", "2/x/a.png", "b.png"], ["1_x_a.png", "2_x_a.png", "b.png"]),
        (["1/x/a.png", "1/y/a.png", "2/x/a.png"], ["1_x_a.png", "1_y_a.png", "2_x_a.png"]),
        (["x/a.png", "y/a.png", "z/x_a.png"], ["x_a.png", "y_a.png", "x_a_2.png"]),
        (["a.png", "a.jpg", "a_2.png"], ["a.png", "a_2.png", "a_2_2.png"]),
        (["a_2.png", "a.png", "a.jpg"], ["a_2.png", "a.png", "a_3.png"]),
        (["a.png", "A.png"], ["a.png", "A_2.png"]),
        (["knee.left.dcm"], ["knee.left.png"]),
    ],
)
def test_overlays_have_distinct_names(tmp_path, paths, names):
    assert overlay_names([tmp_path / path for path in paths]) == names


def test_overlays_of_long_names_are_cut_and_still_distinct(tmp_path):
    for letter, kept in (("n", 200), ("ü", 100), ("骨", 66)):
        stem = letter * (250 // len(letter.encode()))
        names = overlay_names([tmp_path / f"{stem}.png", tmp_path / f"{stem[:-1]}x.dcm", tmp_path / f"{stem}.jpg"])
        assert names == [f"{letter * kept}.png", f"{letter * kept}_2.png", f"{letter * kept}_3.png"]
    assert overlay_names([tmp_path / os.fsdecode(b"kn\xff.png")]) == [os.fsdecode(b"kn\xff.png")]


def test_overlays_that_are_there_keep_their_names(tmp_path):
    new, old = tmp_path / "x" / "a.png", tmp_path / "y" / "a.png"
    assert overlay_names([new, old], {str(old): "a.png"}) == ["x_a.png", "a.png"]
    assert overlay_names([new], taken=["a.png"]) == ["a_2.png"]

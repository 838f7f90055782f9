"""Half a file that a killed process left, or a companion of macOS, is no annotation file."""

import shutil

from repository import ROOT

from segtumor.datasets.annotation_files import load_parts
from segtumor.formats.sources.files import files_in

EXAMPLE = ROOT / "datasets" / "examples" / "coco" / "annotations.json"


def test_hidden_files_are_no_annotations(tmp_path):
    folder = tmp_path / "annotations"
    folder.mkdir()
    shutil.copy(EXAMPLE, folder / "train.json")
    for name in (".segtumor.abcd_123.json", "._train.json"):
        (folder / name).write_text("{")
    assert list(load_parts(tmp_path, check_files=False)) == ["train"]
    assert [path.name for path in files_in(folder, ".json")] == ["train.json"]

"""What an earlier conversion left: refused, or removed by its list and nothing else."""

import json

import pytest

from segtumor.errors import ConfigError
from segtumor.files import write_text
from segtumor.formats.conversion.earlier_output import REPORT, check_no_earlier, new_files, remove_earlier


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "out"
    for name in ("labels/a.txt", "labels/mine.txt", "images/a.png", "data.yaml", "notes.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (tmp_path / "outside.txt").write_text("mine")
    return root


def _report(folder, files):
    (folder / REPORT).write_text(json.dumps({"files": files}))


def _names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_exactly_the_listed_files_go_and_folders_that_become_empty(folder):
    _report(folder, ["labels/a.txt", "images/a.png", "data.yaml", "gone.txt"])
    assert remove_earlier(folder) == ["labels/a.txt", "images/a.png", "data.yaml", REPORT]
    assert _names(folder) == ["labels/mine.txt", "notes.txt"] and not (folder / "images").exists()


@pytest.mark.parametrize("name", ["../outside.txt", "labels/../../outside.txt", "/etc/hosts", "link/outside.txt", ""])
def test_a_list_that_leads_out_of_the_folder_removes_nothing(folder, name):
    (folder / "link").symlink_to(folder.parent, target_is_directory=True)
    _report(folder, [name])
    assert remove_earlier(folder) == [REPORT]
    assert (folder.parent / "outside.txt").is_file()


def test_a_link_that_was_made_goes_and_not_what_it_leads_to(folder):
    (folder / "pictures").symlink_to(folder / "images", target_is_directory=True)
    _report(folder, ["pictures"])
    remove_earlier(folder, keep=[folder / "images" / "a.png"])
    assert not (folder / "pictures").is_symlink() and (folder / "images" / "a.png").is_file()


def test_what_the_new_one_is_made_from_is_kept(folder):
    _report(folder, ["images/a.png"])
    with pytest.raises(ConfigError, match=r"what the new one is made from.*a\.png"):
        remove_earlier(folder, keep=[folder / "images" / "a.png"])
    assert (folder / "images" / "a.png").is_file() and (folder / REPORT).is_file()


@pytest.mark.parametrize(
    ("report", "overwrite", "message"),
    [
        (None, False, None),
        ('{"files": []}', False, None),
        ('{"files": ["a"]}', False, "holds an earlier conversion"),
        ('{"files": ["a"]}', True, None),
        ('{"schema_version": 1}', False, "holds an earlier conversion"),
        ('{"schema_version": 1}', True, "does not list its files"),
        ("damaged", True, "does not list its files"),
        ('{"files": [1]}', True, "does not list its files"),
    ],
)
def test_when_an_earlier_conversion_is_refused(tmp_path, report, overwrite, message):
    if report is not None:
        (tmp_path / REPORT).write_text(report)
    if message is None:
        check_no_earlier(tmp_path, overwrite=overwrite)
        return
    with pytest.raises(ConfigError, match=message):
        check_no_earlier(tmp_path, overwrite=overwrite)


def test_new_files_replace_none_and_go_after_a_failure(folder):
    before = _names(folder)
    with (
        pytest.raises(ConfigError, match=r"that no conversion has written"),
        new_files(folder) as written,
    ):
        write_text(folder / "new" / "b.txt", "b")
        write_text(folder / "new" / "b.txt", "again")  # its own may be written twice
        assert [path.name for path in written] == ["b.txt"]
        write_text(folder / "notes.txt", "other")
    assert _names(folder) == before and (folder / "notes.txt").read_text() == "notes.txt"
    assert not (folder / "new").exists()

"""An output folder that holds something: what was found before goes only when the user says so."""

import json
import os

import pytest
from fake_detector import FakeDetector

from segtumor.errors import ConfigError
from segtumor.inference.batch.earlier_output import TABLES, check_output, read_summary, remove_tables
from segtumor.inference.batch.journal import JOURNAL_NAME
from segtumor.system.locks import lock_folder

pytestmark = pytest.mark.command


@pytest.mark.parametrize("names", [["export.json"], ["config.yaml", "model_best.pth"]])
def test_a_folder_with_a_model_is_no_output(pictures, work, tmp_path, names):
    (tmp_path / "found").mkdir()
    for name in names:
        (tmp_path / "found" / name).touch()
    with pytest.raises(ConfigError, match=r"holds .*Choose another --output"):
        work(pictures[:1], overwrite=True)
    assert sorted(path.name for path in (tmp_path / "found").iterdir()) == names


@pytest.mark.parametrize("names", [[], ["config.yaml"], ["model_best.pth"], ["mine.csv", "overlays"]])
@pytest.mark.parametrize("options", [{}, {"continued": True}, {"overwrite": True}])
def test_other_folders_are_free(tmp_path, names, options):
    for name in names:
        (tmp_path / name).touch()
    choice = {"continued": False, "overwrite": False, **options}
    check_output(tmp_path, **choice)
    check_output(tmp_path / "nowhere", **choice)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("options", [{}, {"continued": True}, {"overwrite": True}])
def test_tables_of_something_else_are_not_replaced(pictures, work, tmp_path, name, options):
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / name).write_text("mine")
    with pytest.raises(ConfigError, match=f"{name} of something else"):
        work(pictures[:1], **options)
    assert (tmp_path / "found" / name).read_text() == "mine"


@pytest.mark.parametrize("name", [*TABLES, JOURNAL_NAME])
@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
@pytest.mark.parametrize("options", [{}, {"continued": True}, {"overwrite": True}])
def test_what_is_no_file_is_refused_before_anything_is_done(pictures, work, name, kind, options):
    _, folder = work(pictures[:1])
    (folder / name).unlink()
    if kind == "link":
        (folder / name).symlink_to("nowhere")
    else:
        {"pipe": os.mkfifo, "folder": os.mkdir}[kind](folder / name)
    detector = FakeDetector()
    with pytest.raises(ConfigError, match=f"{name}: this is not an ordinary file"):
        work(pictures[:1], detector=detector, **options)
    assert detector.calls == 0 and (name != "summary.json" or read_summary(folder) is None)


def test_results_of_an_earlier_run_are_replaced_only_if_asked_for(pictures, work, tables):
    _, folder = work(pictures[:3])
    with pytest.raises(ConfigError, match=r"an earlier run with 3 results.*--continue.*--overwrite"):
        work(pictures[:1])
    assert len(tables(folder)[0]["inputs"]) == 3
    work(pictures[:1], overwrite=True)
    assert len(tables(folder)[0]["inputs"]) == 1


def test_results_without_a_journal_are_not_continued(pictures, work):
    _, folder = work(pictures[:1])
    (folder / "infer.journal.jsonl").unlink()
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    with pytest.raises(ConfigError, match="cannot be continued"):
        work(pictures[1:2], continued=True)
    assert before == {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_tables_go_when_a_run_starts_afresh(tmp_path):
    for name in TABLES:
        (tmp_path / name).write_text(json.dumps({"segtumor_version": "1", "inputs": [{}]}))
    (tmp_path / "mine.csv").touch()
    remove_tables(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"]
    remove_tables(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "3", "{}", '{"inputs": []}', "\xff"])
def test_tables_of_somebody_else_stay(tmp_path, text):
    for name in TABLES:
        (tmp_path / name).write_text(text, encoding="latin-1")
    assert read_summary(tmp_path) is None
    remove_tables(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_killed_run_leaves_no_tables_of_the_earlier_one(pictures, work, monkeypatch):
    _, folder = work(pictures[:2], with_overlays=True)

    def killed(*arguments):
        raise SystemExit  # before any table is written

    monkeypatch.setattr("segtumor.inference.batch.run._work", killed)
    monkeypatch.setattr("segtumor.inference.batch.run._finish_as_far_as_it_goes", lambda *arguments: None)
    with pytest.raises(SystemExit):
        work(pictures[3:4], with_overlays=True, overwrite=True)
    assert sorted(path.name for path in folder.iterdir()) == ["infer.journal.jsonl", "overlays"]
    assert list((folder / "overlays").iterdir()) == []


def test_two_runs_in_one_folder_do_not_meet(pictures, work):
    seen = []

    def another(call, windows):
        if call == 1:
            with pytest.raises(ConfigError, match="another command") as refused:
                work(pictures[:1], overwrite=True)
            seen.append(refused.value)

    result, _ = work(pictures[:2], detector=FakeDetector(another))
    assert seen and result.counts["ok"] == 2


def test_results_of_a_run_that_ended_meanwhile_are_not_replaced(pictures, work, tables, tmp_path, monkeypatch):
    def slow(folder):
        monkeypatch.undo()
        work(pictures[:3])  # begun later, done before
        return lock_folder(folder)

    monkeypatch.setattr("segtumor.inference.batch.run.lock_folder", slow)
    with pytest.raises(ConfigError, match="an earlier run with 3 results"):
        work(pictures[:1])
    assert len(tables(tmp_path / "found")[0]["inputs"]) == 3


def test_without_locks_a_run_goes_on_with_a_word(pictures, work, monkeypatch, caplog):
    def acquire(*arguments, **options):
        raise NotImplementedError

    monkeypatch.setattr("filelock.FileLock.acquire", acquire)
    assert work(pictures[:1])[0].counts["ok"] == 1 and "no locks" in caplog.text


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="rights bind neither root nor Windows so")
def test_a_folder_that_cannot_be_looked_into_is_named(pictures, work, tmp_path):
    (tmp_path / "found").mkdir(mode=0)
    with pytest.raises(OSError, match="found"):
        work(pictures[:1])

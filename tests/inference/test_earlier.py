"""An output folder that holds something: a model is refused, the tables of an earlier run go with a word."""

import json

import pytest

from segtumor.errors import ConfigError
from segtumor.inference.earlier import TABLES, check_output, read_summary, remove_tables


@pytest.mark.parametrize("names", [["export.json"], ["config.yaml", "model_best.pth"]])
def test_a_folder_with_a_model_is_no_output(pictures, work, tmp_path, names):
    (tmp_path / "found").mkdir()
    for name in names:
        (tmp_path / "found" / name).touch()
    with pytest.raises(ConfigError, match=r"holds .*Choose another --output"):
        work(pictures[:1], overwrite=True)
    assert sorted(path.name for path in (tmp_path / "found").iterdir()) == names


@pytest.mark.parametrize("names", [[], ["config.yaml"], ["model_best.pth"], ["summary.json"]])
def test_other_folders_are_free(tmp_path, names):
    for name in names:
        (tmp_path / name).touch()
    check_output(tmp_path)
    check_output(tmp_path / "nowhere")


def test_results_of_an_earlier_run_are_replaced_with_a_word(pictures, work, caplog):
    _, folder = work(pictures[:3])
    assert caplog.messages == []
    work(pictures[:1])
    assert caplog.messages == [f"replacing the 3 results of an earlier run in {folder}"]
    caplog.clear()
    work(pictures[:1], overwrite=True)
    assert caplog.messages == []


def test_tables_go_when_a_run_starts_afresh(tmp_path, caplog):
    for name in TABLES:
        (tmp_path / name).write_text(json.dumps({"segtumor_version": "1", "inputs": [{}]}))
    (tmp_path / "mine.csv").touch()
    remove_tables(tmp_path, asked=False)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"] and "the 1 result of" in caplog.text
    remove_tables(tmp_path, asked=False)


@pytest.mark.parametrize("text", ["", "[]", "3", "{}", '{"inputs": []}', "\xff"])
def test_tables_of_somebody_else_stay(tmp_path, text):
    for name in TABLES:
        (tmp_path / name).write_text(text, encoding="latin-1")
    assert read_summary(tmp_path) is None
    remove_tables(tmp_path, asked=True)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_killed_run_leaves_no_tables_of_the_earlier_one(pictures, work, monkeypatch):
    _, folder = work(pictures[:2], with_overlays=True)

    def killed(*arguments):
        raise SystemExit  # before any table is written

    monkeypatch.setattr("segtumor.inference.run._work", killed)
    monkeypatch.setattr("segtumor.inference.run._finish_as_far_as_it_goes", lambda *arguments: None)
    with pytest.raises(SystemExit):
        work(pictures[3:4], with_overlays=True)
    assert sorted(path.name for path in folder.iterdir()) == ["infer.journal.jsonl", "overlays"]
    assert list((folder / "overlays").iterdir()) == []

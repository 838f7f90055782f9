"""Tests look at the files of the repository, not at what a user has written beside them."""

import shutil
import subprocess

import pytest
import repository
from repository import ROOT, tracked

git = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


@git
def test_what_a_user_writes_is_not_looked_at(tmp_path, monkeypatch):
    (tmp_path / "configs").mkdir()
    for name in ("configs/ours.yaml", "configs/mine.yaml", "README.md", "notes.md"):
        (tmp_path / name).touch()
    monkeypatch.setattr(repository, "ROOT", tmp_path)
    monkeypatch.delenv("GIT_DIR", raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    everything = [tmp_path / name for name in ("README.md", "configs/mine.yaml", "configs/ours.yaml", "notes.md")]
    assert tracked("*.md", "configs/*.yaml") == everything  # an archive without its history
    for arguments in (["init", "-q"], ["add", "README.md", "configs/ours.yaml"]):
        subprocess.run(["git", "-C", tmp_path, *arguments], check=True)
    assert tracked("*.md", "configs/*.yaml") == [everything[0], everything[2]]
    everything[2].unlink()
    assert tracked("*.md", "configs/*.yaml") == [everything[0]]


def test_files_of_the_repository_are_found():
    assert {ROOT / "README.md", ROOT / "configs" / "tiny_phantoms.yaml"} <= set(tracked("*.md", "configs/*.yaml"))

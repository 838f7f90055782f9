"""Tests look at the files of the repository, not at what a user has written beside them."""

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile

import pytest
import repository
from repository import ROOT, tracked

pytestmark = pytest.mark.command

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


def test_an_editable_install_is_a_path(tmp_path):
    """The folder that holds a clone, itself called segtumor, hides what an import finder would find."""
    if importlib.util.find_spec("setuptools") is None:  # importing it here fails where distutils is there already
        pytest.skip("setuptools is not installed")
    clone = tmp_path / "segtumor"
    (clone / "segtumor").mkdir(parents=True)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "segtumor/__init__.py"):
        shutil.copy(ROOT / name, clone / name)
    shutil.copytree(ROOT / "configs", clone / "configs")
    program = "import sys; from setuptools import build_meta; print(build_meta.build_editable(sys.argv[1]))"
    built = subprocess.run([sys.executable, "-c", program, tmp_path], cwd=clone, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    with zipfile.ZipFile(tmp_path / built.stdout.split()[-1]) as wheel:
        paths = [wheel.read(name).decode().strip() for name in wheel.namelist() if name.endswith(".pth")]
    assert paths == [str(clone)]
    found = "import segtumor; print(segtumor.__file__)"
    for folder in (tmp_path, clone):
        environment = {**os.environ, "PYTHONPATH": paths[0]}
        shown = subprocess.check_output([sys.executable, "-c", found], cwd=folder, env=environment, text=True)
        assert shown.strip() == str(clone / "segtumor" / "__init__.py")


@pytest.mark.end_to_end
def test_a_wheel_holds_everything_that_is_not_python(tmp_path):
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path]
    copy = tmp_path / "clone"
    names = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
    for folder in ("segtumor", "configs"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in names:
        shutil.copy(ROOT / name, copy / name)
    subprocess.run([*build, copy], check=True, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    data = [path for path in tracked("segtumor/**/*") if path.is_file() and path.suffix != ".py"]
    expected = {path.relative_to(ROOT).as_posix() for path in data}
    expected |= {f"segtumor/configs/{path.name}" for path in tracked("configs/*.yaml")}
    assert len(expected) > 30 and expected <= held

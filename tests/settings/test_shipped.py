"""Configurations that come with segtumor, by name, from any folder."""

from pathlib import Path

import pytest
from repository import tracked

from segtumor.errors import ConfigError
from segtumor.settings import shipped
from segtumor.settings.files import read_settings
from segtumor.settings.shipped import configuration_file, shipped_configurations


def test_all_of_the_repository_are_shipped():
    assert list(shipped_configurations().values()) == tracked("configs/*.yaml")


@pytest.mark.parametrize("name", ["tiny_phantoms.yaml", "tiny_phantoms", "configs/tiny_phantoms.yaml"])
def test_a_name_is_enough_in_any_folder(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert configuration_file(name) == shipped_configurations()["tiny_phantoms.yaml"]
    assert [path.name for path, _ in read_settings(name)][-1] == "tiny_phantoms.yaml"


def test_a_file_of_ones_own_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tiny_phantoms.yaml").write_text("A: 1\n")
    assert read_settings("tiny_phantoms.yaml") == [(Path("tiny_phantoms.yaml"), {"A": 1})]
    Path("mine.yaml").write_text("_BASE_: Base-tiny.yaml\nA: 1\n")
    assert read_settings("mine.yaml")[-2][0] == shipped_configurations()["Base-tiny.yaml"]
    Path("Base-tiny.yaml").write_text("B: 2\n")
    assert read_settings("mine.yaml") == [(Path("Base-tiny.yaml"), {"B": 2}), (Path("mine.yaml"), {"A": 1})]


@pytest.mark.parametrize("name", ["elsewhere/tiny_phantoms.yaml", "nowhere.yaml", "", ".", "a" * 300])
def test_nothing_else_is_guessed_and_the_names_are_said(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"Base-tiny\.yaml, .*tiny_phantoms\.yaml"):
        read_settings(name)


def test_an_installed_package_has_them_inside(tmp_path, monkeypatch):
    (tmp_path / "segtumor" / "configs").mkdir(parents=True)
    monkeypatch.setattr(shipped, "_PACKAGE", tmp_path / "segtumor")
    assert shipped.shipped_folder() == tmp_path / "segtumor" / "configs"

"""Every recipe of docs/recipes.md that needs torch, run as it is written on the tiny model."""

import shutil

import pytest
from recipes import recipes

pytestmark = pytest.mark.model
RING = recipes(with_torch=True)


@pytest.mark.parametrize("title", RING)
def test_the_recipe_runs(title, tiny_run, phantoms, tmp_path, monkeypatch):
    shutil.copytree(tiny_run, tmp_path / "output" / "demo" / "run")
    monkeypatch.chdir(tmp_path)
    exec(compile(RING[title], title, "exec"), {"__name__": "recipe"})

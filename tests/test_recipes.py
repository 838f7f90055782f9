"""Every recipe of docs/recipes.md that needs no torch, run as it is written."""

from pathlib import Path

import pytest
from recipes import lay_out, recipes

pytestmark = pytest.mark.command

CORE = recipes(with_torch=False)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    lay_out(tmp_path, Path(__file__).parent.parent / "datasets" / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("title", CORE)
def test_the_recipe_runs(title, workplace):
    code = CORE[title]
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 20
    exec(compile(code, title, "exec"), {"__name__": "recipe"})


def test_there_are_recipes():
    assert len(CORE) >= 10
    assert len(recipes(with_torch=True)) >= 2

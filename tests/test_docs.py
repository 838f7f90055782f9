"""What the documents say of the code: their links, the tables of configurations and keys, the rooms and their ranks.

The modules of the ring are read as text (``ast``), so that this needs no torch. Commands are in ``test_readme``.
"""

import ast
import re
from pathlib import Path

import pytest
import yaml
from repository import tracked
from test_architecture import RANK, is_ring, trees

ROOT = Path(__file__).parent.parent
DOCUMENTS = tracked("*.md", "configs/*.md", "datasets/README.md", "docs/**/*.md")
CONFIGS_README = ROOT / "configs" / "README.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
#: What may follow a module's name in prose, as in `annotations.coco.load_coco`.
DOTTED = re.compile(rf"`((?:{'|'.join(RANK)})(?:\.(?!(?:py|yaml|json|xml)`)\w+)+)`")

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def section(path, heading):
    """Text of a document below ``## heading``."""
    text = path.read_text(encoding="utf-8")
    assert f"\n## {heading}\n" in text, f"{path} lacks the heading {heading}"
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def rows(text):
    """Cells of the Markdown tables in a text, without headings and rules."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    heads = {i for i, line in enumerate(lines) if i + 1 < len(lines) and set(lines[i + 1]) <= set("|- ")}
    kept = [line for i, line in enumerate(lines) if i not in heads and not set(line) <= set("|- ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in kept]


def dotted(node):
    """Source of ``cfg.INPUT.MAX_PIXELS`` -> "INPUT.MAX_PIXELS"; None for other targets."""
    text = ast.unparse(node)
    return text.removeprefix("cfg.") if text.startswith("cfg.") else None


def added_keys():
    """{key: default} of what ``add_segtumor_config`` calls."""
    functions = [n for n in trees()["config"].body if re.fullmatch(r"_add_\w+_keys", getattr(n, "name", ""))]
    nodes = [node for function in functions for node in function.body]
    assignments = [node for node in nodes if isinstance(node, ast.Assign) and dotted(node.targets[0])]
    assert len(assignments) > 10
    return {
        dotted(node.targets[0]): ast.literal_eval(node.value)
        for node in assignments
        if not isinstance(node.value, ast.Call)
    }


def constant(module, name):
    """The value assigned to ``name`` at the top of a module of segtumor, as a syntax tree."""
    for node in trees()[module].body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return node.value
    raise AssertionError(f"segtumor.{module} has no {name}")


def keys_of(module, name):
    return [ast.literal_eval(key) for key in constant(module, name).keys]


def test_the_documents_are_found():
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "architecture.md"} <= {path.name for path in DOCUMENTS}


@each_document
def test_relative_links_lead_somewhere(document):
    links = re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8"))
    paths = [link.partition("#")[0] for link in links if not re.match(r"[a-z]+:|#", link)]
    assert [path for path in paths if not (document.parent / path).exists()] == []


@each_document
def test_python_files_that_are_named_exist(document):
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"(?<![\w./-])((?:segtumor|tests|tools|datasets)/[\w/]+\.py)\b", text)
    assert [path for path in named if not (ROOT / path).is_file()] == []


@each_document
def test_modules_and_functions_that_are_named_exist(document):
    for name in DOTTED.findall(document.read_text(encoding="utf-8")):
        parts = name.split(".")
        module = next(m for i in range(len(parts), 0, -1) if (m := ".".join(parts[:i])) in trees())
        for attribute in name.removeprefix(module).split(".")[1:]:
            assert re.search(rf"\b{attribute}\b", ast.unparse(trees()[module])), name


@each_document
def test_python_examples_import_what_exists(document):
    for block in re.findall(r"```python\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("segtumor."):
                source = ast.unparse(trees()[node.module.removeprefix("segtumor.")])
                assert all(re.search(rf"\b{alias.name}\b", source) for alias in node.names)


def test_every_configuration_is_in_the_table():
    listed = [row[0].strip("`") for row in rows(section(CONFIGS_README, "The files"))]
    assert sorted(listed) == [path.name for path in tracked("configs/*.yaml")]


def test_every_key_of_segtumor_is_in_the_table_with_its_default():
    table = {row[0].strip("`"): yaml.safe_load(row[2].strip("`")) for row in rows(section_of_keys())}
    keys = {key: list(value) if isinstance(value, tuple) else value for key, value in added_keys().items()}
    assert table == keys


def section_of_keys():
    return section(CONFIGS_README, "Keys that segtumor adds")


def test_every_metric_that_can_choose_the_best_model_is_named():
    row = next(row for row in rows(section_of_keys()) if "BEST_METRIC" in row[0])
    assert set(re.findall(r"`([^`]+)`", row[1])) == {*keys_of("training.hooks", "METRICS"), "loss"}


def test_every_augmentation_policy_is_in_the_table():
    listed = [row[0].strip("`") for row in rows(section(CONFIGS_README, "Augmentation"))]
    assert listed == keys_of("training.batches.augmentation", "POLICIES")


def test_the_yaml_examples_are_yaml_and_build_on_what_exists():
    examples = [
        yaml.safe_load(block)
        for path in DOCUMENTS
        for block in re.findall(r"```yaml\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    ]
    assert len(examples) >= 2
    assert all((ROOT / "configs" / example["_BASE_"]).is_file() for example in examples)


def test_the_rooms_have_the_rank_that_is_checked():
    table = {
        re.match(r"`(\w+)`", row[1])[1]: row for row in rows(section(ARCHITECTURE, "Rooms and who may import whom"))
    }
    assert {room: int(row[0]) for room, row in table.items()} == {room: RANK[room] for room in table}
    rooms = {module.split(".")[0] for module in trees()} - {"__init__", "__main__"}
    assert set(table) == rooms
    assert {room for room, row in table.items() if "(ring)" in row[1]} == {room for room in rooms if is_ring(room)}

"""Who may import whom. The rules are the tables below; everything after them only applies them."""

import ast
import functools
import graphlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import segtumor

#: A file may import what has a smaller number, and files of its own room. Rooms are folders or files of segtumor/.
RANK = {
    "__init__": 0,
    "errors": 1,
    "arrays": 1,
    "escaping": 1,
    "statistics": 2,
    "ages": 2,
    "cases": 2,
    "files": 2,
    "progress": 2,
    "compat": 4,
    "runs": 2,
    "settings": 2,
    "texts": 2,
    "taxonomy": 3,
    "system": 3,
    "tabular": 3,
    "imaging": 4,
    "structures": 5,
    "annotations": 6,
    "synthesis": 6,
    "runtime": 6,
    "evaluation": 7,
    "retrieval": 6,
    "datasets": 7,
    "models": 7,
    "shipped": 7,
    "formats": 8,
    "reporting": 8,
    "explain": 8,
    "export": 8,
    "training": 9,
    "literature": 9,
    "inference": 9,
    "api": 10,
    "config": 8,
    "web": 10,
    "commands": 11,
    "__main__": 12,
}
#: Rooms and modules that know torch and Detectron2; all others are core.
RING = ("compat", "config", "models", "explain", "export", "training", "runtime.sessions.torchscript")
#: Where the core meets the ring: they may import it inside functions, so that help is quick and exports need no torch.
DOORS = ("commands", "inference.load", "inference.explaining", "api", "__main__")
#: What the package offers by name, and imports when a name is used.
OFFERED = {"api"}
#: What only the ring may import, and doors inside functions.
FRAMEWORKS = {"torch", "torchvision", "detectron2", "albumentations", "fvcore"}
#: Packages of an extra, or slow to import, and the one place that may import each, inside functions.
KEPT_TO = {
    "highdicom": "reporting.dicom",
    "dicomweb_client": "web.pacs",
    "pynetdicom": "web.pacs",
    "requests": "web.pacs",
}
#: Rooms that may print.
PRINTING = ("commands",)

#: A folder with more files of Python is divided.
MOST_FILES = 15
#: Still to be divided.
CROWDED = {"annotations"}
#: Calls that must not run when a module is imported: they change settings of the whole process.
CONFIGURING = {"warnings.filterwarnings", "warnings.simplefilter", "logging.basicConfig", "matplotlib.use"}

DYNAMIC_IMPORTS = ("importlib.import_module", "import_module", "__import__")
ROOT = Path(segtumor.__file__).parent


def module_of(path):
    """imaging/reader.py -> "imaging.reader"; imaging/__init__.py -> "imaging"; __init__.py -> "__init__"."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


@functools.cache
def trees():
    """Module -> its syntax tree; read once, by the first test that looks."""
    return {module_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(ROOT.rglob("*.py"))}


@functools.cache
def nodes(module):
    """All that is in a module, those of functions too."""
    return list(ast.walk(trees()[module]))


@functools.cache
def imports_of(module):
    """Dotted names that a module imports, in functions too."""
    return imports(nodes(module))


def room_of(module):
    return module.split(".")[0]


def is_ring(module):
    return any(module == part or module.startswith(part + ".") for part in RING)


def is_door(module):
    return any(module == part or module.startswith(part + ".") for part in DOORS)


def imported_names(node):
    """Dotted names that one statement or call imports: import a.b, from a import b, import_module("a.b")."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return ["." * node.level + (node.module or "") + "." + alias.name for alias in node.names]
    # The name's last part is compared first: writing out every call in full took half of the core tests' time.
    if isinstance(node, ast.Call) and _last_part(node.func) and ast.unparse(node.func) in DYNAMIC_IMPORTS:
        first = node.args[0]
        return [first.value] if isinstance(first, ast.Constant) else []
    return []


def _last_part(function):
    name = getattr(function, "attr", getattr(function, "id", None))
    return name in {dynamic.rpartition(".")[2] for dynamic in DYNAMIC_IMPORTS}


def imports(nodes):
    return [name for node in nodes for name in imported_names(node)]


def outside_functions(tree):
    """Nodes that run when a module is imported."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        waiting += [n for n in ast.iter_child_nodes(node) if not isinstance(n, (ast.FunctionDef, ast.Lambda))]


@functools.cache
def dependencies(module):
    """The modules that one imports, in functions too."""
    found = own_modules(imports_of(module))
    return found - OFFERED if module == "__init__" else found


def own_modules(names):
    """The modules of segtumor among dotted names: "segtumor.imaging.read_radiograph" -> "imaging"."""
    found = set()
    for name in names:
        if room_of(name) != "segtumor":
            continue
        parts = name.split(".")[1:]
        while parts and ".".join(parts) not in trees():
            parts = parts[:-1]
        found.add(".".join(parts) or "__init__")
    return found


def test_there_is_something_to_check():
    assert len(trees()) > 20
    assert "structures.masks" in dependencies("structures.postprocessing")
    assert "numpy" in map(room_of, imports_of("structures.postprocessing"))


def test_the_table_knows_every_room():
    assert {room_of(module) for module in trees()} <= set(RANK)


def violations(judge):
    """What ``judge(module, tree)`` says of each module, joined: one test for a rule, every violation in its message."""
    found = [f"{module}: {sentence}" for module, tree in trees().items() for sentence in judge(module, tree)]
    return "\n".join(found)


def test_imports_go_downwards_only():
    def judge(module, _):
        room = room_of(module)
        for target in dependencies(module):
            if RANK[room_of(target)] >= RANK[room] and room_of(target) != room:
                yield f"imports {target}, which is not below it"

    assert not violations(judge)


def test_only_the_ring_knows_the_frameworks():
    def judge(module, tree):
        if is_ring(module):
            return
        names = imports(outside_functions(tree)) if is_door(module) else imports_of(module)
        yield from sorted(FRAMEWORKS & set(map(room_of, names)))
        yield from sorted(target for target in own_modules(names) if is_ring(target))

    assert not violations(judge)


def test_packages_of_one_place_are_imported_there_and_only_when_they_are_used():
    def judge(module, tree):
        for package in KEPT_TO.keys() & set(map(room_of, imports_of(module))):
            if not module.startswith(KEPT_TO[package]):
                yield f"{package} belongs to {KEPT_TO[package]}"
            if package in map(room_of, imports(outside_functions(tree))):
                yield f"imports {package} outside functions"

    assert not violations(judge)


def test_imports_are_absolute():
    assert not violations(lambda module, _: [name for name in imports_of(module) if name.startswith(".")])


def test_no_module_imports_itself_in_a_circle():
    graph = {module: dependencies(module) - {module} for module in trees()}
    list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


def test_libraries_do_not_print_or_assert_or_swallow_everything():
    def judge(module, tree):
        for node in nodes(module):
            line = f"line {getattr(node, 'lineno', None)}"
            is_print = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
            if is_print and room_of(module) not in PRINTING:
                yield f"{line}: libraries log, commands print"
            if isinstance(node, ast.Assert):
                yield f"{line}: a user's error is an exception of segtumor.errors"
            if isinstance(node, ast.ExceptHandler) and node.type is None:
                yield f"{line}: a bare except hides what nobody expected"

    assert not violations(judge)


def test_only_commands_take_parsed_arguments():
    """A library function takes what it needs by name: it can be called from a notebook, and its types say with what."""

    def judge(module, tree):
        if room_of(module) == "commands":
            return
        if "argparse" in map(room_of, imports_of(module)):
            yield "imports argparse"
        for node in nodes(module):
            of = node.value if isinstance(node, ast.Attribute) else None
            if isinstance(of, ast.Name) and of.id in ("args", "arguments", "namespace"):
                yield f"line {node.lineno} reads {ast.unparse(node)}"

    assert not violations(judge)


def test_importing_configures_nothing():
    def judge(_, tree):
        calls = {ast.unparse(node.func) for node in outside_functions(tree) if isinstance(node, ast.Call)}
        return sorted(CONFIGURING & calls)

    assert not violations(judge)


def test_every_module_says_what_it_is_for():
    assert not violations(lambda _, tree: [] if ast.get_docstring(tree) else ["has no docstring"])


def test_a_folder_holds_as_much_as_one_can_overlook():
    counts = Counter(path.parent.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))
    assert {folder: n for folder, n in counts.items() if n > MOST_FILES and folder not in CROWDED} == {}


@pytest.mark.command
def test_importing_the_core_is_silent_and_loads_no_framework():
    core = [
        f"segtumor.{module}" for module in trees() if not is_ring(module) and module not in ("__init__", "__main__")
    ]
    program = (
        f"import importlib, sys\nfor name in {core}: importlib.import_module(name)\n"
        f"sys.exit(' '.join(sorted({FRAMEWORKS} & set(sys.modules))))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("", "\n")

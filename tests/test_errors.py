import importlib
import pickle
import sys

import pytest

from segtumor import errors
from segtumor.errors import DataError, InstallationError, SegtumorError, failed_import, needed


@pytest.mark.parametrize(
    ("details", "sentence"),
    [
        ({}, "no such class."),
        ({"where": "a.json"}, "a.json: no such class."),
        ({"got": "x"}, "no such class (got x)."),
        ({"got": 0, "expected": 1}, "no such class (got 0; expected 1)."),
        ({"where": "a", "remedy": "Name it"}, "a: no such class. Name it."),
        ({"where": "a", "remedy": "Did you mean b?"}, "a: no such class. Did you mean b?"),
    ],
)
def test_an_error_is_one_sentence_and_its_remedy(details, sentence):
    assert str(SegtumorError("no such class", **details)) == sentence


def test_an_error_survives_the_way_out_of_a_worker_process():
    error = DataError("bad box", where="a.json", got=[0, 0], expected="4 numbers", remedy="Draw it again")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is DataError
    assert vars(copy) == vars(error)
    assert str(copy) == str(error)


EXIT_CODES = {
    "ConfigError": 2,
    "ModelError": 3,
    "InstallationError": 4,
    "OutputError": 4,
    "PacsError": 4,
    "DataError": 5,
    "BadImageError": 5,
    "NonFiniteLossError": 5,
    "NonFiniteOutputError": 5,
    "SomeInputsFailedError": 6,
}


@pytest.mark.parametrize(("name", "exit_code"), EXIT_CODES.items())
def test_exit_codes(name, exit_code):
    error_class = getattr(errors, name)
    assert issubclass(error_class, SegtumorError)
    assert error_class.exit_code == exit_code


def test_the_table_above_names_every_error():
    classes = {
        name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, BaseException)
    }
    assert set(EXIT_CODES) == classes - {"SegtumorError"}


BROKEN = {
    "a shared library": ("raise ImportError('liba.so.1: cannot open shared object file')", "liba.so.1: cannot open"),
    "a shared library, by ctypes": ("import ctypes; ctypes.CDLL('none_such.so')", "OSError: none_such.so: cannot"),
    "half a file": ("def (", "SyntaxError: invalid syntax"),
    "null bytes": ("x = '\0'", "SyntaxError: source code"),
    "two versions": ("from errno import none_such", "cannot import name 'none_such' from 'errno'"),
    "another interface": ("import errno; errno.none_such", "AttributeError: module 'errno' has no"),
    "a function of its own": (
        "def setup(): raise RuntimeError('operator does not exist')\nsetup()",
        "RuntimeError: op",
    ),
}


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """Function of a program -> what is raised where a package that consists of it is imported."""
    monkeypatch.syspath_prepend(tmp_path)

    def raised(program):
        (tmp_path / "broken_package.py").write_text(program)
        (tmp_path / "asking.py").write_text("__name__ = 'segtumor.asking'\nimport broken_package\n")
        importlib.invalidate_caches()
        with pytest.raises(Exception) as caught:
            importlib.import_module("asking")
        return caught.value

    yield raised
    for name in ("broken_package", "asking"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(("program", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_package_that_cannot_be_imported_is_named_with_its_reason(broken, program, reason):
    failure = failed_import(broken(program))
    assert failure.exit_code == 4
    assert str(failure).startswith(f"broken_package cannot be imported (got {reason}")
    assert "`segtumor doctor`" in failure.remedy


def test_a_package_that_another_one_misses_is_named(broken):
    assert failed_import(broken("import none_such.part")).what == "none_such is not installed"


@pytest.mark.parametrize(
    "program",
    [
        "import segtumor.none_such",
        "from segtumor.errors import none_such",
        "import segtumor.errors; {}[1]",
    ],
)
def test_a_mistake_of_ours_is_no_broken_package(program):
    with pytest.raises(Exception) as caught:
        exec(compile(program, "asking.py", "exec"), {"__name__": "segtumor.asking"})
    assert failed_import(caught.value) is None


@pytest.mark.parametrize("error", [MemoryError(), DataError("bad"), KeyboardInterrupt(), ValueError("x")])
def test_other_errors_stay_what_they_are(error):
    assert failed_import(error) is None


def test_what_is_missing_comes_with_its_own_remedy_and_what_is_broken_does_not(broken):
    def asked(package, import_it):
        with needed(package, f"reading it needs {package}", remedy="Type this"):
            import_it()

    def import_broken():
        raise broken("def (")

    with pytest.raises(InstallationError, match=r"reading it needs none_such\. Type this\."):
        asked("none_such", lambda: importlib.import_module("none_such"))
    with pytest.raises(InstallationError, match="broken_package cannot be imported"):
        asked("broken_package", import_broken)
    with pytest.raises(KeyError):
        asked("broken_package", lambda: {}["x"])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (
            "Process 0:\nTraceback\nsegtumor.errors.ConfigError: a.yaml: wrong value (got 1). Mend it.\n",
            2,
        ),
        ("Traceback ...\nsegtumor.errors.ModelError: no weights.", 3),
        ("Traceback ...\nKeyError: 'x'", None),
        ("Traceback ...\nsegtumor.errors.importlib: x", None),
        ("", None),
    ],
)
def test_an_error_that_another_process_sent_as_text(text, code):
    error = errors.error_of_text(text)
    assert (error and error.exit_code) == code
    if code == 2:
        assert str(error) == "a.yaml: wrong value (got 1). Mend it."

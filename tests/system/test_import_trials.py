import platform

import pytest

from segtumor.system import import_trials
from segtumor.system.import_trials import Outcome, try_imports

pytestmark = pytest.mark.command

BROKEN_PACKAGES = {
    "broken_library": ("raise ImportError('lib.so.1: cannot open\\nmore')", "lib.so.1: cannot open"),
    "broken_file": ("def (", "SyntaxError: invalid syntax (broken_file.py, line 1)"),
    "broken_process": ("import os, sys; os.write(1, b'x'); os.abort()", "its import ends the process (SIGABRT)"),
    "broken_by_another": ("import broken_library", "broken_library cannot be imported: lib.so.1: cannot open"),
    "chatty_package": ("print('x'); import sys; print('y', file=sys.stderr)", None),
}


def test_imports_are_tried_to_the_last_one_whatever_a_package_does(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for name, (program, _) in BROKEN_PACKAGES.items():
        (tmp_path / f"{name}.py").write_text(program)
    outcomes = try_imports([*BROKEN_PACKAGES, "none_such", "json"])
    assert [*outcomes] == [*BROKEN_PACKAGES, "none_such", "json"]
    for name, (_, error) in BROKEN_PACKAGES.items():
        assert (outcomes[name].error or "").startswith(error or "")
        assert (outcomes[name].error is None) == (error is None)
    assert outcomes["broken_by_another"].remedy == "Fix that first"
    assert outcomes["none_such"].error == "none_such is not installed" and outcomes["json"] == Outcome()


def test_an_import_that_does_not_come_back_is_ended(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    impatient = "from segtumor.system import import_trials; import_trials.LONGEST_S = 0.1; "
    monkeypatch.setattr(import_trials, "_PROGRAM", impatient + import_trials._PROGRAM)
    (tmp_path / "slow_package.py").write_text("import time; time.sleep(100)")
    assert "did not come back" in try_imports(["slow_package"])["slow_package"].error


def test_a_probe_is_called_and_its_text_kept():
    probes = {"version": "platform:python_version", "none": "gc:collect"}
    outcomes = try_imports(["version", "none"], probes)
    assert outcomes == {"version": Outcome(value=platform.python_version()), "none": Outcome()}

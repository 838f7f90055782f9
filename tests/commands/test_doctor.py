import collections
import importlib.util
import re
import sys
import tomllib
from pathlib import Path

import pytest

from segtumor.commands import doctor
from segtumor.commands.common import import_trials as imports
from segtumor.commands.common.import_trials import Outcome, try_imports
from segtumor.commands.doctor import BROKEN, MISSING, NOTE, OK, Check

ROOT = Path(__file__).parents[2]
Usage = collections.namedtuple("Usage", "total used free")


@pytest.fixture
def absent(monkeypatch):
    """Makes packages look absent."""
    find_spec = importlib.util.find_spec

    def hide(*names):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in names else find_spec(name))

    return hide


def package(name):
    return next(p for p in (*doctor.PACKAGES, *doctor.TRAINING_PACKAGES) if p.title == name)


def test_what_is_installed_is_named_with_its_version():
    import numpy as np

    assert doctor.check_package(package("numpy"), {}) == Check("numpy", OK, np.__version__)


def test_what_is_missing_comes_with_its_remedy(absent):
    absent("torch", "cv2", "pydicom")
    missing = Check("torch", MISSING, "not installed", "pip install torch")
    assert doctor.check_package(package("torch"), {}) == missing
    assert doctor.check_package(package("OpenCV"), {}).remedy == "pip install opencv-python-headless"
    assert doctor.check_package(package("pydicom"), {}).state == NOTE


@pytest.mark.parametrize(("title", "again"), [("pydicom", "pydicom"), ("GDCM", "python-gdcm"), ("Pillow", "Pillow")])
def test_what_is_broken_is_a_failure_though_it_is_not_needed(title, again):
    outcomes = {package(title).module: Outcome("lib.so.1: cannot open shared object file")}
    check = doctor.check_package(package(title), outcomes)
    assert (check.state, check.detail) == (BROKEN, "cannot be imported: lib.so.1: cannot open shared object file")
    assert check.remedy == f"Install it again: pip install --force-reinstall {again}"


def test_every_package_that_the_product_needs_is_looked_for():
    listed = {name.lower() for listed in doctor.PACKAGES for name in listed.distributions}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]}
    assert needed - listed == {"pylibjpeg"}  # which openjpeg brings along


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
    assert outcomes["broken_by_another"].remedy == "Mend that first"
    assert outcomes["none_such"].error == "none_such is not installed" and outcomes["json"] == Outcome()


def test_an_import_that_does_not_come_back_is_ended(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(imports, "_PROGRAM", imports._PROGRAM.replace("report;", "report; imports.LONGEST_S = 0.1;"))
    (tmp_path / "slow_package.py").write_text("import time; time.sleep(100)")
    monkeypatch.setattr(imports, "_PROGRAM", "from segtumor.commands.common import import_trials; " + imports._PROGRAM)
    assert "did not come back" in try_imports(["slow_package"])["slow_package"].error


@pytest.mark.parametrize(
    ("hidden", "exports_only"),
    [((), False), (("torch",), True), (("torch", "openvino"), True), (("torch", "openvino", "onnxruntime"), False)],
)
def test_an_installation_without_torch_may_be_one_for_exports(absent, hidden, exports_only):
    absent(*hidden)
    assert doctor.runs_exports_only() is exports_only
    assert doctor.check_exports_only().state == NOTE


def test_detectron2_is_missing_in_the_words_of_compat(absent):
    absent("detectron2")
    outcomes = {"detectron2": Outcome("Detectron2 is not installed", "Type: pip install it")}
    assert doctor.check_detectron2(outcomes) == Check(
        "Detectron2", MISSING, "Detectron2 is not installed", "Type: pip install it"
    )


def test_a_broken_detectron2_is_a_failure_too():
    check = doctor.check_detectron2({"detectron2": Outcome("No module named 'fvcore'")})
    assert (check.state, check.detail) == (BROKEN, "cannot be imported: No module named 'fvcore'")
    assert check.remedy


def test_which_detectron2_it_is():
    check = doctor.check_detectron2({"detectron2": Outcome(value="0.5 (used as it is)")})
    assert check == Check("Detectron2", OK, "0.5 (used as it is)")


def test_what_detectron2_imports_is_listed_with_one_command(absent):
    absent("hydra", "yacs")
    assert doctor.check_detectron2_imports({}).remedy == "pip install yacs hydra-core"
    absent()
    check = doctor.check_detectron2_imports({"hydra": Outcome("no lib.so")})
    assert (check.state, check.detail) == (BROKEN, "hydra-core cannot be imported: no lib.so")


def test_an_old_python_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))
    assert doctor.check_python().state == MISSING


@pytest.mark.parametrize(
    ("outcome", "state"), [(Outcome("no torch"), NOTE), (Outcome(), NOTE), (Outcome(value="GPU 7"), OK)]
)
def test_gpu_without_torch_without_a_device_and_with_one(outcome, state):
    check = doctor.check_gpu({"gpu": outcome})
    assert check.state == state
    assert state == NOTE or check.detail == "GPU 7"


def test_little_disk_and_shared_memory_are_noted(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: Usage(0.06e9, 0, 0.05e9))
    assert doctor.check_disk(tmp_path).state == NOTE
    (check,) = doctor.check_shared_memory(tmp_path)
    assert "--shm-size" in check.remedy
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: Usage(9e9, 0, 9e9))
    assert doctor.check_disk(tmp_path).state == OK
    assert doctor.check_shared_memory(tmp_path)[0].state == OK
    assert doctor.check_shared_memory(tmp_path / "none") == []


def test_the_report_is_aligned_and_has_its_remedies_below():
    text = doctor.report([Check("torch", MISSING, "not installed", "pip install torch"), Check("Python", OK, "3.11")])
    assert text.splitlines() == [
        "MISSING  torch   not installed",
        "                 -> pip install torch",
        "ok       Python  3.11",
    ]
    assert "\033[31mMISSING" in doctor.report([Check("torch", MISSING, "")], color=True)


@pytest.mark.parametrize("state", [OK, MISSING, BROKEN])
def test_the_exit_code_says_whether_something_is_missing_or_broken(monkeypatch, capsys, state, absent):
    outcomes = {"detectron2": Outcome(value="0.5"), "gpu": Outcome()}
    outcomes["numpy"] = Outcome("no lib.so" if state == BROKEN else None)
    monkeypatch.setattr(doctor, "try_imports", lambda names: {name: outcomes.get(name, Outcome()) for name in names})
    monkeypatch.setattr(doctor, "PACKAGES", (package("numpy"),))
    monkeypatch.setattr(doctor, "TRAINING_PACKAGES", ())
    monkeypatch.setattr(doctor, "DETECTRON2_IMPORTS", {})
    monkeypatch.setattr(doctor, "runs_exports_only", lambda: False)
    if state == MISSING:
        absent("numpy")
    assert doctor.main([]) == (0 if state == OK else 4)
    last = capsys.readouterr().out.splitlines()[-1]
    assert ("checks failed: numpy." in last) == (state != OK)


@pytest.mark.parametrize("module", ["scipy.stats", "jinja2", "tensorboard", "matplotlib"])
def test_what_evaluates_a_training_is_imported_before_it(module, monkeypatch):
    """Hours of training would end with what is broken."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError):
        imports.import_what_evaluates()

import collections
import importlib.util
import re
import sys
import tomllib
from pathlib import Path

import pytest

from segtumor.system import installation
from segtumor.system.import_trials import Outcome
from segtumor.system.installation import BROKEN, MISSING, NOTE, OK, Check

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
    return next(p for p in (*installation.PACKAGES, *installation.TRAINING_PACKAGES) if p.title == name)


def test_what_is_installed_is_named_with_its_version():
    import numpy as np

    assert installation.check_package(package("numpy"), {}) == Check("numpy", OK, np.__version__)


def test_what_is_missing_comes_with_its_remedy(absent):
    absent("torch", "cv2", "pydicom")
    missing = Check("torch", MISSING, "not installed", "pip install torch")
    assert installation.check_package(package("torch"), {}) == missing
    assert installation.check_package(package("OpenCV"), {}).remedy == "pip install opencv-python-headless"
    assert installation.check_package(package("pydicom"), {}).state == NOTE


@pytest.mark.parametrize(("title", "again"), [("pydicom", "pydicom"), ("GDCM", "python-gdcm"), ("Pillow", "Pillow")])
def test_what_is_broken_is_a_failure_though_it_is_not_needed(title, again):
    outcomes = {package(title).module: Outcome("lib.so.1: cannot open shared object file")}
    check = installation.check_package(package(title), outcomes)
    assert (check.state, check.detail) == (BROKEN, "cannot be imported: lib.so.1: cannot open shared object file")
    assert check.remedy == f"Install it again: pip install --force-reinstall {again}"


def test_every_package_that_the_product_needs_is_looked_for():
    listed = {name.lower() for listed in installation.PACKAGES for name in listed.distributions}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]}
    assert needed - listed == {"pylibjpeg"}  # which openjpeg brings along


@pytest.mark.parametrize(
    ("hidden", "exports_only"),
    [((), False), (("torch",), True), (("torch", "openvino"), True), (("torch", "openvino", "onnxruntime"), False)],
)
def test_an_installation_without_torch_may_be_one_for_exports(absent, hidden, exports_only):
    absent(*hidden)
    assert installation.runs_exports_only() is exports_only
    assert installation.check_exports_only().state == NOTE


def test_detectron2_is_missing_in_the_words_of_compat(absent):
    absent("detectron2")
    outcomes = {"detectron2": Outcome("Detectron2 is not installed", "Type: pip install it")}
    assert installation.check_detectron2(outcomes) == Check(
        "Detectron2", MISSING, "Detectron2 is not installed", "Type: pip install it"
    )


def test_a_broken_detectron2_is_a_failure_too():
    check = installation.check_detectron2({"detectron2": Outcome("No module named 'fvcore'")})
    assert (check.state, check.detail) == (BROKEN, "cannot be imported: No module named 'fvcore'")
    assert check.remedy


def test_which_detectron2_it_is():
    check = installation.check_detectron2({"detectron2": Outcome(value="0.5 (used as it is)")})
    assert check == Check("Detectron2", OK, "0.5 (used as it is)")


def test_what_detectron2_imports_is_listed_with_one_command(absent):
    absent("hydra", "yacs")
    assert installation.check_detectron2_imports({}).remedy == "pip install yacs hydra-core"
    absent()
    check = installation.check_detectron2_imports({"hydra": Outcome("no lib.so")})
    assert (check.state, check.detail) == (BROKEN, "hydra-core cannot be imported: no lib.so")


def test_an_old_python_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))
    assert installation.check_python().state == MISSING


@pytest.mark.parametrize(
    ("outcome", "state"), [(Outcome("no torch"), NOTE), (Outcome(), NOTE), (Outcome(value="GPU 7"), OK)]
)
def test_gpu_without_torch_without_a_device_and_with_one(outcome, state):
    check = installation.check_gpu({"gpu": outcome})
    assert check.state == state
    assert state == NOTE or check.detail == "GPU 7"


def test_little_disk_and_shared_memory_are_noted(monkeypatch, tmp_path):
    monkeypatch.setattr(installation.shutil, "disk_usage", lambda folder: Usage(0.06e9, 0, 0.05e9))
    assert installation.check_disk(tmp_path).state == NOTE
    (check,) = installation.check_shared_memory(tmp_path)
    assert "--shm-size" in check.remedy
    monkeypatch.setattr(installation.shutil, "disk_usage", lambda folder: Usage(9e9, 0, 9e9))
    assert installation.check_disk(tmp_path).state == OK
    assert installation.check_shared_memory(tmp_path)[0].state == OK
    assert installation.check_shared_memory(tmp_path / "none") == []

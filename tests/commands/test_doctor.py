import collections
import importlib.util
import sys
import types

import pytest

from segtumor.commands import doctor
from segtumor.commands.doctor import MISSING, NOTE, OK, Check
from segtumor.errors import InstallationError

Usage = collections.namedtuple("Usage", "total used free")


@pytest.fixture
def absent(monkeypatch):
    """Makes packages look absent."""
    find_spec = importlib.util.find_spec

    def hide(*names):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in names else find_spec(name))

    return hide


@pytest.fixture
def imports(monkeypatch):
    """Replaces what importing a module gives, or raises."""
    real, replaced = importlib.import_module, {}

    def import_module(name):
        if name not in replaced:
            return real(name)
        if isinstance(replaced[name], Exception):
            raise replaced[name]
        return replaced[name]

    monkeypatch.setattr(importlib, "import_module", import_module)
    return replaced


def package(name):
    return next(p for p in (*doctor.PACKAGES, *doctor.TRAINING_PACKAGES) if p.title == name)


def test_what_is_installed_is_named_with_its_version():
    import numpy as np

    assert doctor.check_package(package("numpy")) == Check("numpy", OK, np.__version__)


def test_what_is_missing_comes_with_its_remedy(absent):
    absent("torch", "cv2", "pydicom")
    assert doctor.check_package(package("torch")) == Check("torch", MISSING, "not installed", "pip install torch")
    assert doctor.check_package(package("OpenCV")).remedy == "pip install opencv-python-headless"
    assert doctor.check_package(package("pydicom")).state == NOTE


@pytest.mark.parametrize(
    ("hidden", "exports_only"),
    [((), False), (("torch",), True), (("torch", "openvino"), True), (("torch", "openvino", "onnxruntime"), False)],
)
def test_an_installation_without_torch_may_be_one_for_exports(absent, hidden, exports_only):
    absent(*hidden)
    assert doctor.runs_exports_only() is exports_only
    assert doctor.check_exports_only().state == NOTE


def test_detectron2_is_missing_in_the_words_of_compat(imports):
    imports["segtumor.compat"] = InstallationError("Detectron2 is not installed", remedy="Type: pip install it")
    assert doctor.check_detectron2() == Check(
        "Detectron2", MISSING, "Detectron2 is not installed", "Type: pip install it"
    )


@pytest.mark.parametrize("error", [ImportError("No module named 'fvcore'\nmore"), RuntimeError("torchvision::nms")])
def test_a_broken_detectron2_is_missing_too(imports, error):
    imports["segtumor.compat"] = error
    check = doctor.check_detectron2()
    assert check.state == MISSING
    assert check.detail == f"cannot be imported: {str(error).splitlines()[0]}"
    assert check.remedy


@pytest.mark.parametrize(("adapted", "words"), [(True, "adapted by segtumor"), (False, "used as it is")])
def test_which_detectron2_it_is(imports, adapted, words):
    imports["segtumor.compat"] = types.SimpleNamespace(detectron2_version=lambda: "0.5", is_adapted=lambda: adapted)
    imports["detectron2.modeling"] = types.SimpleNamespace()
    check = doctor.check_detectron2()
    assert check.state == OK
    assert check.detail.startswith("0.5 (") and words in check.detail


def test_what_detectron2_imports_is_listed_with_one_command(absent):
    absent("hydra", "yacs")
    assert doctor.check_detectron2_imports().remedy == "pip install yacs hydra-core"


def test_an_old_python_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))
    assert doctor.check_python().state == MISSING


def test_gpu_without_torch_with_a_broken_one_and_without_a_device(imports, absent):
    imports["torchvision"] = RuntimeError("operator torchvision::nms does not exist")
    imports["torch"] = types.SimpleNamespace(cuda=types.SimpleNamespace(is_available=lambda: False))
    assert doctor.check_gpu().detail == "fails: operator torchvision::nms does not exist"
    imports["torchvision"] = types.SimpleNamespace()
    assert doctor.check_gpu().state == NOTE
    cuda = types.SimpleNamespace(is_available=lambda: True, device_count=lambda: 1, get_device_name=lambda i: "GPU 7")
    imports["torch"] = types.SimpleNamespace(cuda=cuda)
    assert doctor.check_gpu() == Check("GPU", OK, "GPU 7")
    absent("torch")
    assert doctor.check_gpu().state == NOTE


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


@pytest.mark.parametrize("missing", [True, False])
def test_the_exit_code_says_whether_something_needed_is_missing(monkeypatch, capsys, missing, imports, absent):
    imports["segtumor.compat"] = types.SimpleNamespace(detectron2_version=lambda: "0.5", is_adapted=lambda: True)
    imports["detectron2.modeling"] = types.SimpleNamespace()
    monkeypatch.setattr(doctor, "check_gpu", lambda: Check("GPU", NOTE, "none"))
    monkeypatch.setattr(doctor, "PACKAGES", [package("numpy")])
    monkeypatch.setattr(doctor, "DETECTRON2_IMPORTS", {})
    if missing:
        absent("numpy")
    assert doctor.main([]) == (4 if missing else 0)
    last = capsys.readouterr().out.splitlines()[-1]
    assert ("checks failed: numpy." in last) == missing

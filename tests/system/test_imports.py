"""Libraries that report home are imported so that they do not; what strace sees: tests/export/test_exporting.py."""

import os
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

import segtumor
from segtumor.system.imports import offline_imports


def test_no_setting_of_the_process_stays_however_the_import_ends(monkeypatch):
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    monkeypatch.setenv("NO_ALBUMENTATIONS_UPDATE", "mine")
    monkeypatch.delitem(sys.modules, "openvino_telemetry", raising=False)  # tests import openvino as it comes
    before = dict(os.environ)
    with pytest.raises(RuntimeError), offline_imports():
        assert os.environ["ORT_DISABLE_TELEMETRY"] == os.environ["NO_ALBUMENTATIONS_UPDATE"] == "1"
        with pytest.raises(ImportError):
            import openvino_telemetry  # noqa: F401
        raise RuntimeError
    assert dict(os.environ) == before and "openvino_telemetry" not in sys.modules


def test_what_was_imported_before_comes_back(monkeypatch):
    module = types.ModuleType("openvino_telemetry")
    monkeypatch.setitem(sys.modules, "openvino_telemetry", module)
    with offline_imports():
        assert sys.modules["openvino_telemetry"] is None
    assert sys.modules["openvino_telemetry"] is module


ALL_MODULES = """
import importlib, os, pathlib, sys, warnings
warnings.simplefilter("ignore")
root, before, changed = pathlib.Path(sys.argv[1]), dict(os.environ), []
for path in sorted(root.rglob("*.py")):
    name = ".".join(path.relative_to(root.parent).with_suffix("").parts).removesuffix(".__init__")
    if path.stem not in ("__main__", "gdcm_worker"):  # programs
        importlib.import_module(name)
        if "segtumor.compat" in sys.modules and not sys.modules["segtumor.compat"].is_adapted():
            os.environ.pop("OPENCV_OPENCL_RUNTIME", None)  # other Detectron2's are imported as they come
        if dict(os.environ) != before:
            changed.append(name)
            os.environ.clear()
            os.environ.update(before)
print(*changed)
"""


@pytest.mark.command
def test_importing_any_module_changes_no_environment_variable():
    root = Path(segtumor.__file__).parent
    command = [sys.executable, "-c", ALL_MODULES, str(root)]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (shown.returncode, shown.stdout) == (0, "\n"), shown.stderr


def test_opencv_is_imported_in_one_place():
    """Whoever imports it first would leave its environment variables behind."""
    files = Path(segtumor.__file__).parent.rglob("*.py")
    names = [
        path.name for path in files if re.search(r"^ *(import cv2|from cv2)", path.read_text("utf-8"), re.MULTILINE)
    ]
    assert names == ["opencv.py"]

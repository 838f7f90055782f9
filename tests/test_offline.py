"""Libraries that report home are imported so that they do not; what strace sees: tests/engine/test_exporting.py."""

import os
import sys
import types

import pytest

from segtumor.system.offline import offline_imports


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

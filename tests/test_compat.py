"""Detectron2 0.5 is helped, any other version is left alone, and a missing one is said in one sentence.

What happens at import is looked at in fresh processes, since this one has imported Detectron2 already.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segtumor import compat
from segtumor.compat import INSTALL_ALL, INSTALL_COMMAND, prepare_detectron2
from segtumor.errors import InstallationError
from segtumor.system.versions import detectron2_version

pytestmark = pytest.mark.model

SUPPLIED = """
import json, sys
import numpy as np
from PIL import Image
import segtumor.compat
print(json.dumps({
    "numpy": [name for name in ("int", "float") if name in vars(np)],
    "pillow": hasattr(Image, "LINEAR"),
    "stub": "detectron2._C" in sys.modules,
    "pkg_resources": "pkg_resources" in sys.modules,
    "imported": "detectron2" in sys.modules,
}))
"""
BLOCKED = """
import importlib.util, sys
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "{name}" else find_spec(name, package)
from segtumor.errors import InstallationError
try:
    import segtumor.compat
except InstallationError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def python(code, *first_on_path):
    paths = [*map(str, first_on_path), str(Path(compat.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)


def supplied(*first_on_path):
    result = python(SUPPLIED, *first_on_path)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def fake_detectron2(folder, text):
    (folder / "detectron2").mkdir()
    (folder / "detectron2" / "__init__.py").write_text(text)
    return folder


def test_a_newer_detectron2_is_left_alone_and_not_imported(tmp_path):
    newer = supplied(fake_detectron2(tmp_path, '__version__ = "0.6"\n'))
    assert newer == {"numpy": [], "pillow": False, "stub": False, "pkg_resources": False, "imported": False}


@pytest.mark.skipif(detectron2_version() != "0.5", reason="another Detectron2 than 0.5 is installed")
def test_detectron2_0_5_gets_what_it_misses():
    names = supplied()
    assert names["numpy"] == ["int", "float"] and names["pillow"] and names["stub"]
    assert not names["pkg_resources"]  # the stand-in was withdrawn


@pytest.mark.skipif(detectron2_version() != "0.5", reason="another Detectron2 than 0.5 is installed")
def test_the_names_have_their_old_meaning():
    assert (np.int, np.float, np.object) == (int, float, object)
    assert Image.LINEAR == Image.Resampling.BILINEAR
    with pytest.raises(AttributeError, match=r"detectron2\._C"):
        sys.modules["detectron2._C"].nms_rotated  # noqa: B018


@pytest.mark.parametrize("version", ["0.6", "0.4", "0.5.1", "unknown"])
def test_only_0_5_is_touched(monkeypatch, version):
    touched = []
    monkeypatch.setattr(compat, "detectron2_version", lambda: version)
    for name in ("_restore_removed_names", "_stub_compiled_extension", "_import_model_zoo"):
        monkeypatch.setattr(compat, name, lambda name=name: touched.append(name))
    prepare_detectron2()
    assert touched == []


def test_preparing_twice_is_preparing_once():
    before = set(sys.modules), set(vars(np))
    prepare_detectron2()
    assert (set(sys.modules), set(vars(np))) == before


@pytest.mark.parametrize(
    ("text", "version"),
    [('__version__ = "0.5"\n', "0.5"), ("x = 1\n__version__ = '0.6+cu121'\n", "0.6+cu121"), ("", "unknown")],
)
def test_the_version_is_read_without_importing(tmp_path, monkeypatch, text, version):
    monkeypatch.syspath_prepend(fake_detectron2(tmp_path, text + "raise RuntimeError('imported')\n"))
    monkeypatch.delitem(sys.modules, "detectron2")
    assert detectron2_version() == version


def test_without_detectron2_the_command_that_installs_it_is_named():
    result = python(BLOCKED.format(name="detectron2"))
    assert result.returncode == 4 and "Detectron2 is not installed" in result.stdout
    assert INSTALL_COMMAND in result.stdout and result.stderr == ""


@pytest.mark.parametrize("package", ["torch", "torchvision"])
def test_without_torch_its_name_is_named(package):
    result = python(BLOCKED.format(name=package))
    assert result.returncode == 4 and f"{package} is not installed" in result.stdout and result.stderr == ""
    assert INSTALL_ALL in result.stdout


def test_the_error_can_be_caught_like_any_other(monkeypatch):
    monkeypatch.setattr(compat, "detectron2_version", lambda: None)
    with pytest.raises(InstallationError, match=r"detectron2-cdo==0\.5"):
        prepare_detectron2()


def test_torchvision_does_not_bring_torchs_compiler_and_finds_it_when_asked():
    program = (
        "import sys, segtumor.compat, torchvision.ops as ops\n"
        "before = [name for name in sys.modules if name.startswith('torch._dynamo')]\n"
        "answer = ops.roi_align.__globals__['is_compile_supported']('cpu')\n"
        "from torch._dynamo.utils import is_compile_supported\n"
        "assert answer == is_compile_supported('cpu') and sys.modules['torch._dynamo'].__file__\n"
        "print(before)"
    )
    assert python(program).stdout.strip() == "[]"

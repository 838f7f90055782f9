"""Makes Detectron2 importable: the one place that knows which one is installed.

The package index holds Detectron2's Python code, version 0.5, under the name ``detectron2-cdo``; its compiled part is
not needed for Mask R-CNN, but its modules look for it and for names that NumPy, Pillow and setuptools have since
removed. Importing this module supplies them if, and only if, that version without its compiled part is what is
installed. With a newer or an official (compiled) Detectron2 nothing is touched. Every room that uses Detectron2
imports this module in its ``__init__``.
"""

import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

from segtumor.errors import InstallationError, check_current_folder
from segtumor.system.imports import unchanged_environment
from segtumor.system.versions import detectron2_version

#: Installs Detectron2 0.5 without a compiler, on top of an installed torch. pip 26.3 refuses the package for an
#: optional dependency it names, and setuptools 65 does not understand the build options: hence the pinned pair.
INSTALL_COMMAND = (
    'python -m pip install "pip==26.2.1" "setuptools==84.2.1" wheel && '
    "python -m pip install --no-deps --no-build-isolation "
    '--config-settings="--global-option=build_py" --config-settings="--build-option=--skip-build" detectron2-cdo==0.5'
)

#: All that training and training runs need, typed in the repository.
INSTALL_ALL = f"python -m pip install -c constraints.txt '.[train]' && {INSTALL_COMMAND}"

_PATCHED_VERSION = "0.5"


def is_adapted() -> bool:
    """Whether the installed Detectron2 is the one that this module completes: 0.5 without its compiled part."""
    return detectron2_version() == _PATCHED_VERSION and not _has_compiled_part()


def prepare_detectron2() -> None:
    """Supply what Detectron2 0.5 misses on a current stack; does nothing on any other version.

    Raises:
        InstallationError: no Detectron2, or no torch, is installed; or there is no current folder.
    """
    check_current_folder()
    for package in ("torch", "torchvision"):
        if importlib.util.find_spec(package) is None:
            remedy = f"In the repository type `make install`, or: {INSTALL_ALL}"
            raise InstallationError(f"{package} is not installed", remedy=remedy)
    version = detectron2_version()
    if version is None:
        raise InstallationError("Detectron2 is not installed", remedy=f"Type: {INSTALL_COMMAND}")
    _import_torchvision()
    if is_adapted():
        _restore_removed_names()
        _stub_compiled_extension()
        with unchanged_environment():  # it sets a variable of OpenCV's
            _import_model_zoo()


def _import_torchvision() -> None:
    """Import torchvision without torch's compiler, which takes 2 s and half of the start of every command.

    torchvision.ops.roi_align takes one function from it, which it calls only on a GPU with deterministic algorithms.
    That function is given, and the compiler imported when it is called.
    """
    names = ("torch._dynamo", "torch._dynamo.utils")
    if "torchvision" in sys.modules or any(name in sys.modules for name in names):
        return
    importlib.import_module("torch")
    stand_ins = {name: _LaterModule(name) for name in names}
    vars(stand_ins["torch._dynamo.utils"])["is_compile_supported"] = _is_compile_supported
    sys.modules.update(stand_ins)
    try:
        importlib.import_module("torchvision")
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]


class _LaterModule(types.ModuleType):
    """Replaces a module until an attribute is needed that it does not have; then the module is imported."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import system asks for these itself
            raise AttributeError(name)
        for known, module in list(sys.modules.items()):
            if isinstance(module, _LaterModule):
                del sys.modules[known]
        return getattr(importlib.import_module(self.__name__), name)


def _is_compile_supported(device_type: str) -> bool:
    return bool(importlib.import_module("torch._dynamo.utils").is_compile_supported(device_type))


def _has_compiled_part() -> bool:
    # Looked for as a file: asking the import system would import Detectron2, which is what is being prepared.
    return any(_origin("detectron2").parent.glob("_C.*"))


def _restore_removed_names() -> None:
    import numpy as np
    from PIL import Image

    for name, builtin in (("int", int), ("float", float), ("object", object)):
        if name not in vars(np):
            setattr(np, name, builtin)
    if not hasattr(Image, "LINEAR"):
        vars(Image)["LINEAR"] = Image.Resampling.BILINEAR


def _stub_compiled_extension() -> None:
    # Deformable convolution, rotated boxes and the fast COCO evaluation ask for it on import and use it only when
    # called; an attribute error naming detectron2._C then says what is missing.
    sys.modules.setdefault("detectron2._C", types.ModuleType("detectron2._C"))


def _import_model_zoo() -> None:
    # detectron2.model_zoo, imported by its engine, wants pkg_resources, which setuptools no longer ships. The stand-in
    # is withdrawn at once, so that no other library takes it for the real one.
    if "detectron2.model_zoo" in sys.modules or importlib.util.find_spec("pkg_resources") is not None:
        return
    stand_in = types.ModuleType("pkg_resources")
    vars(stand_in)["resource_filename"] = _resource_filename
    sys.modules["pkg_resources"] = stand_in
    try:
        importlib.import_module("detectron2.model_zoo")
    finally:
        del sys.modules["pkg_resources"]


def _resource_filename(package: str, resource: str) -> str:
    return str(_origin(package).parent / resource)


def _origin(package: str) -> Path:
    """The file that an installed package is imported from."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    return Path(spec.origin)


prepare_detectron2()

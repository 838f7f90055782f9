"""Libraries imported so that nothing of the process is changed and nobody is contacted.

Seen with strace: onnxruntime 1.31 stores an identity of the computer and looks up an events server once it is imported,
openvino 2026.4 likewise through openvino-telemetry, and albumentations asks the package index. See SECURITY.md.
"""

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from typing import Any

from segtumor.errors import needed

#: Read while the libraries are imported.
_NO_REPORTS = {"ORT_DISABLE_TELEMETRY": "1", "NO_ALBUMENTATIONS_UPDATE": "1"}
#: Left out as if it were not installed, which openvino allows for.
_REPORTER = "openvino_telemetry"


@contextlib.contextmanager
def unchanged_environment() -> Iterator[None]:
    """Environment variables that are set in this context, as OpenCV and Detectron2 do on import, are set back after it:
    the processes that are started later would inherit them."""
    before = dict(os.environ)
    try:
        yield
    finally:
        after = dict(os.environ)
        for name in before.keys() | after.keys():
            if name not in before:
                os.environ.pop(name, None)
            elif before[name] != after.get(name):
                os.environ[name] = before[name]


@contextlib.contextmanager
def offline_imports() -> Iterator[None]:
    """What is imported in this context contacts nobody and leaves no identity in the home folder.

    What was imported before stays as it was; the environment is that of before.
    """
    loaded = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == _REPORTER}
    with unchanged_environment():
        os.environ.update(_NO_REPORTS)
        sys.modules[_REPORTER] = None  # type: ignore[assignment]  # how Python marks what must not be imported
        try:
            yield
        finally:
            sys.modules.pop(_REPORTER, None)
            sys.modules.update(loaded)


def import_optional(module: str, *, extra: str, title: str | None = None) -> Any:
    """A module of a library that not everybody has, imported offline.

    Args:
        module: its name, with dots.
        extra: what segtumor calls the group of packages that brings it, "onnx" of ``segtumor[onnx]``.
        title: what people call the library; None: as the module.

    Raises:
        InstallationError: it is missing or broken.
    """
    package, remedy = module.partition(".")[0], f'Type: python -m pip install "segtumor[{extra}]"'
    with offline_imports(), needed(package, f"{title or package} is not installed", remedy=remedy):
        return importlib.import_module(module)

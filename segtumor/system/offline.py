"""Libraries that report their use, or ask for news, imported so that they do neither; no setting of the process stays.

Seen with strace: onnxruntime 1.31 stores an identity of the computer and looks up an events server once it is imported,
openvino 2026.4 likewise through openvino-telemetry, and albumentations asks the package index. See SECURITY.md.
"""

import contextlib
import os
import sys

#: Read while the libraries are imported.
_TOLD = {"ORT_DISABLE_TELEMETRY": "1", "NO_ALBUMENTATIONS_UPDATE": "1"}
#: Left out as if it were not installed, which openvino allows for.
_REPORTER = "openvino_telemetry"


@contextlib.contextmanager
def offline_imports():
    """What is imported in this context contacts nobody and leaves no identity in the home folder.

    What was imported before stays as it was.
    """
    before = {name: os.environ.get(name) for name in _TOLD}
    loaded = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == _REPORTER}
    os.environ.update(_TOLD)
    sys.modules[_REPORTER] = None
    try:
        yield
    finally:
        sys.modules.pop(_REPORTER, None)
        sys.modules.update(loaded)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

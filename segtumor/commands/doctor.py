"""``doctor``: what is installed here, what is missing and exactly how to get it.

Reads package metadata first, so that it works where torch or Detectron2 is absent or broken. Not here: installing
anything, and checks of data or of a model.
"""

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import segtumor
from segtumor.commands.shell import make_parser, run, use_color
from segtumor.errors import InstallationError

OK, NOTE, MISSING = "ok", "note", "MISSING"
_COLOR_CODES = {OK: 32, NOTE: 33, MISSING: 31}

MINIMUM_PYTHON = (3, 11)
# A training run of ResNet-50-FPN keeps two checkpoints with optimizer state of about 0.35 GB each, and its logs.
MINIMUM_DISK_GB = 2.0
# Data workers hand images over in shared memory; containers often come with 64 MB, and workers then die of a bus error.
MINIMUM_SHARED_MEMORY_GB = 0.5


@dataclass(frozen=True)
class Package:
    """A package to look for.

    Attributes:
        title: name shown.
        module: what is imported.
        distributions: names it goes by at the package index; any one will do.
        remedy: what to type if it is missing.
        needed: whether segtumor cannot work without it.
    """

    title: str
    module: str
    distributions: tuple[str, ...]
    remedy: str
    needed: bool = True


@dataclass(frozen=True)
class Check:
    """One line of the report; ``state`` is ``OK``, ``NOTE`` or ``MISSING``."""

    title: str
    state: str
    detail: str
    remedy: str | None = None


def _simple(name, *, module=None, needed=True):
    return Package(name, module or name, (name,), f"pip install {name}", needed)


#: Training needs them; an installation that only runs exported models does without.
TRAINING_PACKAGES = (_simple("torch"), _simple("torchvision"), _simple("albumentations"))
PACKAGES = (
    _simple("numpy"),
    _simple("scipy"),
    _simple("Pillow", module="PIL"),
    Package(
        "OpenCV",
        "cv2",
        ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python"),
        "pip install opencv-python-headless",
    ),
    _simple("pycocotools"),
    _simple("pandas"),
    _simple("matplotlib"),
    _simple("PyYAML", module="yaml"),
    Package("openpyxl", "openpyxl", ("openpyxl",), "Only to prepare BTXRD: pip install openpyxl", needed=False),
    Package("pydicom", "pydicom", ("pydicom",), "Only for DICOM files: pip install pydicom", needed=False),
    Package("OpenVINO", "openvino", ("openvino",), "Only to run such exports: pip install openvino", needed=False),
    Package(
        "onnxruntime",
        "onnxruntime",
        ("onnxruntime",),
        "Only to run such exports: pip install onnxruntime",
        needed=False,
    ),
    Package("onnx", "onnx", ("onnx",), "Only to write exports: pip install onnx", needed=False),
)

#: What Detectron2 imports; installing it with --no-deps leaves them out. Distribution -> module.
DETECTRON2_IMPORTS = {
    "fvcore": "fvcore",
    "iopath": "iopath",
    "yacs": "yacs",
    "tabulate": "tabulate",
    "cloudpickle": "cloudpickle",
    "tqdm": "tqdm",
    "tensorboard": "tensorboard",
    "omegaconf": "omegaconf",
    "hydra-core": "hydra",
    "termcolor": "termcolor",
    "pydot": "pydot",
    "future": "future",
}


def build_parser():
    """Parser of ``doctor``."""
    return make_parser(
        "segtumor doctor",
        "Say what is installed, what is missing and how exactly to get it.\n"
        "Exit code 4 if something needed is missing.",
        examples=["segtumor doctor", "python -m segtumor doctor"],
    )


def main(argv=None):
    """Run ``doctor``; returns its exit code."""
    return run(_body, build_parser(), argv)


def _body(arguments):
    checks = [check_python(), *map(check_package, PACKAGES), check_threads(), check_disk(), *check_shared_memory()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what torch deprecates of itself is no news about this installation
        checks += [check_exports_only()] if runs_exports_only() else check_training()
    print(f"segtumor {segtumor.__version__} on {platform.platform()}")
    print(report(checks, color=use_color(sys.stdout)))
    missing = [check.title for check in checks if check.state == MISSING]
    print(
        f"{len(missing)} of {len(checks)} checks failed: {', '.join(missing)}."
        if missing
        else "All that is needed is here."
    )
    return InstallationError.exit_code if missing else 0


def runs_exports_only():
    """Whether this installation has a runtime for exported models, and no torch to train with."""
    installed = {name for name in ("torch", "openvino", "onnxruntime") if importlib.util.find_spec(name) is not None}
    return bool(installed) and "torch" not in installed


def check_exports_only():
    """What an installation without torch can do."""
    detail = "not installed: this installation runs exported models and evaluates, it does not train"
    return Check("Training", NOTE, detail, "To train: install segtumor[train] and Detectron2 as the README says")


def check_training():
    """Checks of what training needs."""
    packages = [check_package(package) for package in TRAINING_PACKAGES]
    return [*packages, check_detectron2(), check_detectron2_imports(), check_gpu()]


def report(checks, *, color=False):
    """The checks as aligned lines, each remedy below its line."""
    width = max(len(check.title) for check in checks)
    lines = []
    for check in checks:
        state = f"{check.state:<7}"
        state = f"\033[{_COLOR_CODES[check.state]}m{state}\033[0m" if color else state
        lines.append(f"{state}  {check.title:<{width}}  {check.detail}")
        if check.remedy:
            lines.append(f"{'':7}  {'':{width}}  -> {check.remedy}")
    return "\n".join(lines)


def check_python():
    """Whether this Python is new enough."""
    wanted = ".".join(map(str, MINIMUM_PYTHON))
    if sys.version_info < MINIMUM_PYTHON:
        return Check("Python", MISSING, platform.python_version(), f"Make an environment with Python {wanted} or newer")
    return Check("Python", OK, f"{platform.python_version()} ({sys.executable})")


def check_package(package):
    """Whether a package is installed, by its metadata, without importing it."""
    if importlib.util.find_spec(package.module) is None:
        state = MISSING if package.needed else NOTE
        return Check(package.title, state, "not installed", package.remedy)
    return Check(package.title, OK, _version(package.distributions) or "installed, version unknown")


def check_detectron2():
    """Whether Detectron2 is installed, which one, and whether it can be imported on this torch."""
    try:
        # It knows the exact command, adapts the PyPI build and imports Detectron2, which is the only real proof.
        compat = importlib.import_module("segtumor.compat")
        importlib.import_module("detectron2.modeling")
    except InstallationError as error:
        return Check("Detectron2", MISSING, error.what, error.remedy)
    except (ImportError, AttributeError, OSError, RuntimeError) as error:
        remedy = "Mend what else is missing here first; then install it anew as the README says"
        return Check("Detectron2", MISSING, f"cannot be imported: {_first_line(error)}", remedy)
    adapted = compat.is_adapted()
    build = "Python part only, adapted by segtumor" if adapted else "used as it is"
    return Check("Detectron2", OK, f"{compat.detectron2_version()} ({build})")


def check_detectron2_imports():
    """Whether the packages that Detectron2 imports are there."""
    title = "Detectron2 needs"
    absent = [name for name, module in DETECTRON2_IMPORTS.items() if importlib.util.find_spec(module) is None]
    if absent:
        return Check(title, MISSING, f"not installed: {', '.join(absent)}", f"pip install {' '.join(absent)}")
    return Check(title, OK, f"all {len(DETECTRON2_IMPORTS)} packages installed")


def check_threads():
    """Processor cores this process may use, and the limit set for threads."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    limit = os.environ.get("OMP_NUM_THREADS")
    return Check("Threads", OK, f"{cores} CPU cores, OMP_NUM_THREADS {f'= {limit}' if limit else 'not set'}")


def check_gpu():
    """Whether torch can be imported together with torchvision, and the GPUs it sees."""
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("torchvision") is None:
        return Check("GPU", NOTE, "unknown without torch and torchvision")
    try:
        torch = importlib.import_module("torch")
        importlib.import_module("torchvision")
    except (ImportError, OSError, RuntimeError) as error:  # a torchvision made for another torch raises RuntimeError
        remedy = "Install two that belong together: pip install --force-reinstall torch torchvision"
        return Check("torch import", MISSING, f"fails: {_first_line(error)}", remedy)
    if not torch.cuda.is_available():
        return Check("GPU", NOTE, "none that torch can use; training on the CPU works and is slow")
    return Check("GPU", OK, ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())))


def check_disk(folder="."):
    """Free space where results would be written."""
    free_gb = shutil.disk_usage(folder).free / 1e9
    detail = f"{free_gb:.1f} GB free in {Path(folder).resolve()}"
    if free_gb < MINIMUM_DISK_GB:
        return Check("Disk", NOTE, detail, f"A training run may need {MINIMUM_DISK_GB:g} GB: free some space")
    return Check("Disk", OK, detail)


def check_shared_memory(folder="/dev/shm"):
    """Size of the shared memory that data workers use: a list of one check, empty where there is no such folder."""
    if not Path(folder).is_dir():
        return []
    total_gb = shutil.disk_usage(folder).total / 1e9
    if total_gb < MINIMUM_SHARED_MEMORY_GB:
        remedy = "Give the container more (docker run --shm-size=2g), or train with DATALOADER.NUM_WORKERS 0"
        return [Check("Shared memory", NOTE, f"{total_gb:.2f} GB", remedy)]
    return [Check("Shared memory", OK, f"{total_gb:.1f} GB")]


def _first_line(error):
    return next(iter(str(error).splitlines()), type(error).__name__)


def _version(distributions):
    for name in distributions:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None

"""What is installed here and can be imported, what is missing or broken, and exactly how to get it.

Everything that is listed is imported, in a process of its own (``import_trials``), so that this works where torch or
Detectron2 is missing or broken. Not here: installing anything, and checks of data or of a model.
"""

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from segtumor.system.import_trials import Outcome, try_imports
from segtumor.system.processes import available_cores
from segtumor.system.versions import package_version

OK, NOTE, MISSING, BROKEN = "ok", "note", "MISSING", "BROKEN"

MINIMUM_PYTHON = (3, 11)
# A training run of ResNet-50-FPN keeps two checkpoints with optimizer state of about 0.35 GB each, and its logs.
MINIMUM_DISK_GB = 2.0
# Data workers hand images over in shared memory; containers often come with 64 MB, and workers then die of a bus error.
MINIMUM_SHARED_MEMORY_GB = 0.5


@dataclass(frozen=True)
class Package:
    """A package to look for.

    Attributes:
        module: what is imported, down to a part that is compiled.
        distributions: names it goes by at the package index; any one will do.
        needed: whether segtumor cannot work without it. One that is installed and broken is a failure in any case.
    """

    title: str
    module: str
    distributions: tuple[str, ...]
    remedy: str
    needed: bool = True


@dataclass(frozen=True)
class Check:
    """One line of the report; ``state`` is ``OK``, ``NOTE``, ``MISSING`` or ``BROKEN``."""

    title: str
    state: str
    detail: str
    remedy: str | None = None


def _simple(name: str, *, module: str | None = None) -> Package:
    return Package(name, module or name, (name,), f"pip install {name}")


def _only_for(purpose: str, title: str, *, module: str | None = None, distribution: str | None = None) -> Package:
    name = distribution or title
    return Package(title, module or title, (name,), f"Only {purpose}: pip install {name}", needed=False)


#: Where the package alone is not enough: a torchvision that was made for another torch.
_INSTALL_AGAIN = {"torch": "torch torchvision", "torchvision": "torch torchvision"}
#: Training needs them; an installation that only runs exported models does without.
TRAINING_PACKAGES = (_simple("torch"), _simple("torchvision"), _simple("albumentations"))
PACKAGES = (
    _simple("numpy"),
    _simple("scipy", module="scipy.ndimage"),
    _simple("Pillow", module="PIL.Image"),
    Package(
        "OpenCV",
        "cv2",
        ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python"),
        "pip install opencv-python-headless",
    ),
    _simple("pycocotools", module="pycocotools.mask"),
    _simple("simplejpeg"),
    _simple("pandas"),
    _simple("matplotlib"),
    _simple("PyYAML", module="yaml"),
    _simple("Jinja2", module="jinja2"),
    _simple("defusedxml"),
    _simple("tqdm"),
    _simple("filelock"),
    _only_for("for Excel tables", "openpyxl"),
    _only_for("for DICOM files", "pydicom"),
    _only_for("for JPEG 2000 in DICOM files", "OpenJPEG", module="openjpeg", distribution="pylibjpeg-openjpeg"),
    _only_for("for lossless JPEG and JPEG-LS in DICOM files", "GDCM", module="gdcm", distribution="python-gdcm"),
    _only_for("for DICOM objects of findings", "highdicom"),
    _only_for("to ask a DICOMweb archive", "dicomweb-client", module="dicomweb_client"),
    _only_for("to receive DICOM files", "pynetdicom"),
    _only_for("to run OpenVINO exports", "OpenVINO", module="openvino", distribution="openvino"),
    _only_for("to run ONNX exports", "onnxruntime"),
    _only_for("to write exports", "onnx"),
)

#: What Detectron2 imports; installing it with --no-deps leaves them out. Distribution -> module.
DETECTRON2_IMPORTS = {
    "fvcore": "fvcore",
    "iopath": "iopath",
    "yacs": "yacs",
    "tabulate": "tabulate",
    "cloudpickle": "cloudpickle",
    "tensorboard": "tensorboard",
    "omegaconf": "omegaconf",
    "hydra-core": "hydra",
    "termcolor": "termcolor",
    "pydot": "pydot",
    "future": "future",
}


def check_installation(probes: Mapping[str, str]) -> list[Check]:
    """Every check, in the order of the report.

    Args:
        probes: of ``try_imports``; "detectron2" and "gpu" are needed, unless this installation only runs exports.
    """
    exports_only = runs_exports_only()
    packages = PACKAGES if exports_only else (*PACKAGES, *TRAINING_PACKAGES)
    names = [package.module for package in packages if is_installed(package.module)]
    if not exports_only:
        names += [*filter(is_installed, DETECTRON2_IMPORTS.values()), "detectron2", "gpu"]
    outcomes = try_imports(names, probes)
    checks = [check_python(), *(check_package(package, outcomes) for package in PACKAGES)]
    checks += [check_threads(), check_disk(), *check_shared_memory(), check_network()]
    return checks + ([check_exports_only()] if exports_only else check_training(outcomes))


def runs_exports_only() -> bool:
    """Whether this installation has a runtime for exported models, and no torch to train with."""
    installed = {name for name in ("torch", "openvino", "onnxruntime") if importlib.util.find_spec(name) is not None}
    return bool(installed) and "torch" not in installed


def check_exports_only() -> Check:
    """What an installation without torch can do."""
    detail = "not installed: this installation runs exported models and evaluates, it does not train"
    return Check(
        "Training", NOTE, detail, "To train: install segtumor[train] and Detectron2 as docs/how-to/install.md says"
    )


def check_training(outcomes: Mapping[str, Outcome]) -> list[Check]:
    """Checks of what training needs; ``outcomes`` of ``try_imports``."""
    packages = [check_package(package, outcomes) for package in TRAINING_PACKAGES]
    return [*packages, check_detectron2(outcomes), check_detectron2_imports(outcomes), check_gpu(outcomes)]


def check_python() -> Check:
    """Whether this Python is new enough."""
    wanted = ".".join(map(str, MINIMUM_PYTHON))
    if sys.version_info < MINIMUM_PYTHON:
        return Check("Python", MISSING, platform.python_version(), f"Make an environment with Python {wanted} or newer")
    return Check("Python", OK, f"{platform.python_version()} ({sys.executable})")


def is_installed(module: str) -> bool:
    """Whether a package is there, broken or not."""
    return importlib.util.find_spec(module.partition(".")[0]) is not None


def check_package(package: Package, outcomes: Mapping[str, Outcome]) -> Check:
    """Whether a package is installed and can be imported; a module without an outcome was not tried."""
    if not is_installed(package.module):
        return Check(package.title, MISSING if package.needed else NOTE, "not installed", package.remedy)
    outcome = outcomes.get(package.module, Outcome())
    if outcome.error is not None:
        again = _INSTALL_AGAIN.get(package.module, package.distributions[0])
        remedy = outcome.remedy or f"Install it again: pip install --force-reinstall {again}"
        return Check(package.title, BROKEN, f"cannot be imported: {outcome.error}", remedy)
    version = next(filter(None, map(package_version, package.distributions)), "installed, version unknown")
    return Check(package.title, OK, version)


def check_detectron2(outcomes: Mapping[str, Outcome]) -> Check:
    """Whether Detectron2 is installed, which one, and whether it can be imported on this torch."""
    outcome = outcomes["detectron2"]
    if outcome.error is None:
        return Check("Detectron2", OK, outcome.value or "installed")
    if outcome.remedy is not None and not is_installed("detectron2"):
        return Check("Detectron2", MISSING, outcome.error, outcome.remedy)
    remedy = "Fix what else is missing here first; then install it again as docs/how-to/install.md says"
    return Check("Detectron2", BROKEN, f"cannot be imported: {outcome.error}", remedy)


def check_detectron2_imports(outcomes: Mapping[str, Outcome]) -> Check:
    """Whether the packages that Detectron2 imports are there, and can be imported."""
    title = "Detectron2 needs"
    absent = [name for name, module in DETECTRON2_IMPORTS.items() if not is_installed(module)]
    if absent:
        return Check(title, MISSING, f"not installed: {', '.join(absent)}", f"pip install {' '.join(absent)}")
    errors = {name: outcomes.get(module, Outcome()).error for name, module in DETECTRON2_IMPORTS.items()}
    broken = {name: error for name, error in errors.items() if error is not None}
    if broken:
        detail = "; ".join(f"{name} cannot be imported: {error}" for name, error in broken.items())
        return Check(title, BROKEN, detail, f"pip install --force-reinstall {' '.join(broken)}")
    return Check(title, OK, f"all {len(DETECTRON2_IMPORTS)} packages installed")


def check_threads() -> Check:
    """Processor cores this process may use, and the limit set for threads."""
    limit = os.environ.get("OMP_NUM_THREADS")
    return Check(
        "Threads", OK, f"{available_cores()} CPU cores, OMP_NUM_THREADS {f'= {limit}' if limit else 'not set'}"
    )


def check_gpu(outcomes: Mapping[str, Outcome]) -> Check:
    """The GPUs that torch can use."""
    outcome = outcomes["gpu"]
    if outcome.error is not None:
        return Check("GPU", NOTE, "unknown without torch")
    if outcome.value is None:
        return Check("GPU", NOTE, "none that torch can use; training on the CPU works and is slow")
    return Check("GPU", OK, outcome.value)


def check_disk(folder: str = ".") -> Check:
    """Free space where results would be written."""
    try:
        free_gb = shutil.disk_usage(folder).free / 1e9
        detail = f"{free_gb:.1f} GB free in {Path(folder).resolve()}"
    except OSError as error:
        return Check("Disk", NOTE, f"unknown: {error.strerror}", "Go to a folder that exists: cd")
    if free_gb < MINIMUM_DISK_GB:
        return Check("Disk", NOTE, detail, f"A training run may need {MINIMUM_DISK_GB:g} GB: free some space")
    return Check("Disk", OK, detail)


def check_shared_memory(folder: str = "/dev/shm") -> list[Check]:
    """Size of the shared memory that data workers use: a list of one check, empty where there is no such folder."""
    if not Path(folder).is_dir():
        return []
    total_gb = shutil.disk_usage(folder).total / 1e9
    if total_gb < MINIMUM_SHARED_MEMORY_GB:
        remedy = "Give the container more (docker run --shm-size=2g), or train with DATALOADER.NUM_WORKERS 0"
        return [Check("Shared memory", NOTE, f"{total_gb:.2f} GB", remedy)]
    return [Check("Shared memory", OK, f"{total_gb:.1f} GB")]


def check_network() -> Check:
    """What leaves this computer: nothing, and how that is ensured."""
    detail = (
        "no connection is opened, nothing is sent or downloaded; onnxruntime and OpenVINO report nothing (SECURITY.md)"
    )
    return Check("Network", OK, detail)

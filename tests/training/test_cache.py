"""The image cache: the same pixels as without it, whatever happens to its folder."""

import errno
import logging
import multiprocessing
import os
import stat

import numpy as np
import pytest
import torch
from PIL import Image

from segtumor.errors import BadImageError, ConfigError
from segtumor.training.batches import cache as cache_module
from segtumor.training.batches.cache import ImageCache
from segtumor.training.batches.mapper import RadiographMapper

pytestmark = pytest.mark.model

PIXELS = np.random.default_rng(0).random((6, 8), dtype=np.float32)
#: Half a step of 16 bits, and the rounding of float32.
ROUNDING = 0.5 / 65535 + 1e-7


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "image.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (60, 80), dtype=np.uint8)).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "deep" / "cache"


def open_cache(folder, *, max_gb=1.0, settings=None):
    return ImageCache(folder, max_gb=max_gb, settings=settings or {"size": 1})


def made(pixels=PIXELS):
    """A maker for ``get`` that counts its calls."""

    def make():
        make.calls += 1
        return pixels, (12, 16)

    make.calls = 0
    return make


def entries(folder):
    return sorted(folder.glob("*.image"))


def mapped(image, folder, **settings):
    defaults = {
        "short_edges_px": [30],
        "max_long_edge_px": 200,
        "window_percentiles": [0.5, 99.5],
        "max_pixels": 10_000,
        "augmentation": "none",
        "min_lesion_area_px": 1,
        "cache_folder": folder,
        "cache_max_gb": 1.0,
    }
    polygon = [10.0, 10, 40, 10, 40, 50, 10, 50]
    annotation = {"segmentation": [polygon], "category_id": 0, "bbox": [10, 10, 30, 40], "bbox_mode": 1}
    record = {"file_name": str(image), "image_id": 1, "height": 60, "width": 80, "annotations": [annotation]}
    np.random.seed(3)
    return RadiographMapper(**{**defaults, **settings})(record)


def test_an_image_is_made_once_and_comes_back_rounded_to_16_bits(image, folder):
    make = made()
    first = open_cache(folder).get(image, make)
    again = open_cache(folder).get(image, make)
    assert make.calls == 1 and first[1] == again[1] == (12, 16)
    assert np.array_equal(first[0], again[0]) and again[0].dtype == np.float32
    assert np.abs(again[0] - PIXELS).max() <= ROUNDING
    again[0][:] = 0  # the caller may write into it


@pytest.mark.parametrize("pixels", [np.zeros((1, 1)), np.ones((3, 1)), np.array([[0.0, 1.0, 0.5]])])
def test_black_white_and_single_pixels(image, folder, pixels):
    pixels = pixels.astype(np.float32)
    for _ in range(2):
        assert open_cache(folder).get(image, made(pixels))[0] == pytest.approx(pixels, abs=ROUNDING)


@pytest.mark.parametrize("augmentation", ["none", "strong"])
def test_examples_are_the_same_with_and_without_it(image, folder, augmentation):
    settings = {"augmentation": augmentation}
    without = mapped(image, "", **settings)
    for with_cache in (mapped(image, folder, **settings), mapped(image, folder, **settings)):
        # A contrast of up to 1.3 and a gamma of 0.7 widen the rounding in dark places.
        limit = 255 * ROUNDING * 1.01 if augmentation == "none" else 1.0
        assert float((with_cache["image"] - without["image"]).abs().max()) <= limit
        assert torch.equal(with_cache["instances"].gt_masks.tensor, without["instances"].gt_masks.tensor)
        assert torch.equal(with_cache["instances"].gt_boxes.tensor, without["instances"].gt_boxes.tensor)
    assert len(entries(folder)) == 1


def test_of_several_sizes_the_largest_is_kept(image, folder):
    examples = [mapped(image, cache, short_edges_px=[15, 30, 20]) for cache in ("", folder, folder)]
    assert examples[0]["image"].shape == examples[1]["image"].shape
    assert torch.equal(examples[1]["image"], examples[2]["image"])
    (entry,) = entries(folder)
    assert entry.stat().st_size == 28 + 2 * 30 * 40


def test_a_changed_file_another_setting_and_another_file_have_entries_of_their_own(image, folder):
    assert mapped(image, folder)["image"].mean() > 0
    Image.new("L", (80, 60), 7).save(image)
    assert mapped(image, folder)["image"].max() == 0  # a constant picture is black
    mapped(image, folder, window_percentiles=[1, 99])
    mapped(image, folder, short_edges_px=[31])
    other = image.with_name("other.png")
    other.write_bytes(image.read_bytes())
    mapped(other, folder)
    assert len(entries(folder)) == 5


def test_a_replacement_of_the_same_size_and_date_is_noticed(image, folder):
    before, make = image.stat(), made()
    cache = open_cache(folder)
    cache.get(image, make)
    image.write_bytes(b"x" * before.st_size)
    os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns))
    cache.get(image, make)
    assert make.calls == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:10],
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: data[:-5] + bytes([data[-5] ^ 1]) + data[-4:],
        lambda data: data[:28] + bytes(len(data) - 28),
        lambda data: b"segtumo!" + data[8:],
        lambda data: data[:8] + b"\1" + data[9:],
        lambda data: bytes(len(data)),
    ],
    ids=["empty", "header cut", "cut", "longer", "one bit", "zeroed", "other magic", "other size", "all zero"],
)
def test_a_damaged_entry_is_made_again(image, folder, damage):
    make = made()
    expected = open_cache(folder).get(image, make)[0]
    (entry,) = entries(folder)
    sound = entry.read_bytes()
    entry.write_bytes(damage(sound))
    assert np.array_equal(open_cache(folder).get(image, make)[0], expected)
    assert make.calls == 2 and entry.read_bytes() == sound


def test_an_entry_under_another_name_is_not_used(image, folder):
    other, make = image.with_name("other.png"), made()
    other.write_bytes(b"x")
    cache = open_cache(folder)
    cache.get(image, make)
    (first,) = entries(folder)
    cache.get(other, make)
    (second,) = set(entries(folder)) - {first}
    second.write_bytes(first.read_bytes())
    cache.get(other, make)
    assert make.calls == 3


def test_an_interrupted_write_leaves_nothing_and_an_old_rest_is_removed(image, folder, monkeypatch):
    cache = open_cache(folder)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(cache_module.os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        cache.get(image, made())
    assert [path.name for path in folder.iterdir()] == ["CACHEDIR.TAG"]
    old, new = folder / ".part-old", folder / ".part-new"
    for rest in (old, new):
        rest.write_bytes(b"half")
    os.utime(old, (0, 0))
    make = made()
    assert open_cache(folder).get(image, make)[0].shape == (6, 8)
    assert make.calls == 1 and not old.exists() and new.exists()


def test_a_full_disk_is_said_once_and_training_goes_on(image, folder, monkeypatch, caplog):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    cache, make = open_cache(folder), made()
    monkeypatch.setattr(cache_module.tempfile, "mkstemp", full)
    with caplog.at_level(logging.WARNING, "segtumor"):
        for _ in range(3):
            assert np.abs(cache.get(image, make)[0] - PIXELS).max() <= ROUNDING
    assert make.calls == 3 and [r.message.count("No space left") for r in caplog.records] == [1]
    assert entries(folder) == []


def test_the_limit_is_kept_and_said_once(tmp_path, folder, caplog):
    entry_bytes, paths = 28 + 2 * 6 * 8, [tmp_path / f"{index}.png" for index in range(6)]
    for path in paths:
        path.write_bytes(b"x")
    tag_bytes = len(cache_module._TAG)
    cache = open_cache(folder, max_gb=(tag_bytes + 3.5 * entry_bytes) / 1e9)
    for path in paths:
        cache.get(path, made())
    assert len(entries(folder)) == 3
    assert ["is full" in record.message for record in caplog.records] == [True]
    make = made()
    cache.get(paths[0], make)
    assert make.calls == 0  # what it holds is still used


def test_a_folder_with_other_things_is_refused_and_left_alone(image, folder):
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"INPUT\.CACHE_DIR.*other things, e\.g\. thesis\.txt|thesis\.txt"):
        open_cache(folder)
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]
    with pytest.raises(ConfigError, match="cannot be used"):
        open_cache(image)


@pytest.mark.skipif(os.name != "posix", reason="permissions and links as POSIX has them")
def test_entries_are_private_and_links_are_not_followed(image, folder, tmp_path):
    open_cache(folder).get(image, made())
    (entry,) = entries(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and stat.S_IMODE(entry.stat().st_mode) == 0o600
    assert (folder / "CACHEDIR.TAG").read_bytes().startswith(b"Signature: 8a477f597d28d172789f06886806bc55")
    elsewhere = tmp_path / "elsewhere"
    entry.rename(elsewhere)
    entry.symlink_to(elsewhere)
    with pytest.raises(ConfigError, match="other things"):
        open_cache(folder)


def test_an_image_that_cannot_be_read_is_said_and_not_kept(image, folder):
    with pytest.raises(BadImageError, match=r"nowhere\.png"):
        mapped(image.with_name("nowhere.png"), folder)
    image.write_bytes(b"nothing")
    with pytest.raises(BadImageError, match=r"image\.png"):
        mapped(image, folder)
    assert entries(folder) == []


def test_the_limit_on_pixels_holds_with_a_cache_too(image, folder):
    mapped(image, folder)
    with pytest.raises(BadImageError, match="too large"):
        mapped(image, folder, max_pixels=60 * 80 - 1)


def _fill(folder, paths, seed):
    cache = open_cache(folder)
    for index in np.random.default_rng(seed).permutation(len(paths)):
        pixels, _ = cache.get(paths[index], lambda index=index: (np.full((40, 50), index / 65535, np.float32), (1, 1)))
        assert np.rint(pixels[0, 0] * 65535) == index


def test_two_processes_fill_one_folder(tmp_path, folder):
    paths = [tmp_path / f"{index}.png" for index in range(40)]
    for path in paths:
        path.write_bytes(b"x")
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_fill, args=(folder, paths, seed)) for seed in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert len(entries(folder)) == 40 and list(folder.glob(".part-*")) == []
    make = made()
    for path in paths:
        open_cache(folder).get(path, make)
    assert make.calls == 0

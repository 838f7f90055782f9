"""What identifies the picture in a file: a hash of its pixels, a perceptual hash and a thumbnail.

Each file is decoded once, in several processes where there are many. Not here: comparing (``duplicates``), and whether
a file name is safe to open (``file_names``; the callers ask first).
"""

import hashlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segtumor.errors import InstallationError, SegtumorError
from segtumor.imaging import MAX_PIXELS, read_radiograph
from segtumor.imaging.perceptual_hash import perceptual_hashes, thumbnail_of
from segtumor.progress import Progress
from segtumor.system.processes import available_cores, end_with_parent

_CHUNK = 16
#: Below this many images, starting processes costs more than it saves.
_FEW = 64


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """One image file as it is compared with others.

    Attributes:
        size_hw: (height, width) of the upright picture, px.
        pixel_sha256: of shape and pixels rounded to 16 bits; equal for a PNG and a TIFF of one picture.
        phash: (3,) uint64, of ``perceptual_hashes``.
        mirror_phash: (3,) uint64, that of the picture with left and right exchanged.
        thumbnail: (64, 64) uint8, exposure taken off.
    """

    file_name: str
    size_hw: tuple[int, int]
    pixel_sha256: str
    phash: NDArray[np.uint64] = field(repr=False)
    mirror_phash: NDArray[np.uint64] = field(repr=False)
    thumbnail: NDArray[np.uint8] = field(repr=False)


def fingerprint(path: Path | str, file_name: str | None = None, *, max_pixels: int = MAX_PIXELS) -> Fingerprint:
    """The Fingerprint of an image file, called ``file_name``, else by its own; raises as ``read_radiograph``."""
    path = Path(path)
    pixels = read_radiograph(path, max_pixels=max_pixels).pixels
    thumbnail = thumbnail_of(pixels)
    phash, mirror_phash = perceptual_hashes(thumbnail)
    return Fingerprint(
        file_name=path.name if file_name is None else file_name,
        size_hw=(pixels.shape[0], pixels.shape[1]),
        pixel_sha256=pixel_hash(pixels),
        phash=phash,
        mirror_phash=mirror_phash,
        thumbnail=thumbnail,
    )


def pixel_hash(pixels: NDArray[np.float32]) -> str:
    """SHA-256 of the shape and of the pixels, (H, W) float32 in [0, 1], rounded to 16 bits."""
    digest = hashlib.sha256(f"{pixels.shape[0]}x{pixels.shape[1]}:".encode())
    digest.update(np.rint(pixels * np.float32(65535)).astype("<u2"))
    return digest.hexdigest()


def fingerprint_images(
    names: Iterable[str],
    image_root: Path | str,
    *,
    progress: Progress = iter,
    workers: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> tuple[dict[str, Fingerprint], dict[str, SegtumorError]]:
    """Fingerprints of many images.

    Args:
        names: file names relative to ``image_root``, safe to open.
        workers: number of processes; None takes one per processor, and none for few images.

    Returns:
        {name: Fingerprint} of the images that open and {name: SegtumorError} of the others, in the order of ``names``.

    Raises:
        InstallationError: a process died, of memory or in a decoder.
    """
    distinct = list(dict.fromkeys(names))
    found: dict[str, Fingerprint] = {}
    failed: dict[str, SegtumorError] = {}
    one = partial(_try_fingerprint, image_root=str(image_root), max_pixels=max_pixels)
    if workers is None:
        workers = 1 if len(distinct) < _FEW else available_cores()
    for name, result in _each(one, distinct, progress, workers, image_root):
        if isinstance(result, SegtumorError):
            failed[name] = result
        else:
            found[name] = result
    return found, failed


def _each(
    one: Callable[[str], Fingerprint | SegtumorError],
    names: list[str],
    progress: Progress,
    workers: int,
    image_root: Path | str,
) -> Iterator[tuple[str, Fingerprint | SegtumorError]]:
    if workers <= 1:
        yield from ((name, one(name)) for name in progress(names))
        return
    pool = ProcessPoolExecutor(workers, initializer=_begin_worker, initargs=(os.getpid(),))
    try:
        results = pool.map(one, names, chunksize=_CHUNK)  # forks; a progress bar then starts a thread, not before
        yield from zip(progress(names), results, strict=True)
    except BrokenProcessPool as error:
        what = "a process that reads images was killed, most often for lack of memory"
        remedy = "Free some memory; else find the image that it fails on by taking a part of the folder at a time"
        raise InstallationError(what, where=image_root, remedy=remedy) from error
    finally:
        pool.shutdown(cancel_futures=True)  # what has not started is dropped, so that Ctrl-C ends at once


def _begin_worker(parent: int) -> None:
    end_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the work
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _try_fingerprint(name: str, *, image_root: Path | str, max_pixels: int) -> Fingerprint | SegtumorError:
    try:
        return fingerprint(Path(image_root) / name, name, max_pixels=max_pixels)
    except SegtumorError as error:
        return error

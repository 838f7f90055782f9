"""The one thread that reads radiographs: what waits in the store, and heat maps that were asked for.

One, since a model uses all cores by itself. What waits is in the database, so that a restart loses nothing; heat maps
that were asked for and not made before a restart are asked for again.
"""

import dataclasses
import io
import logging
import queue
import threading
import time
from typing import Any

import numpy as np

from segtumor.arrays import GrayImage
from segtumor.errors import DataError, SegtumorError
from segtumor.imaging import Radiograph, read_radiograph
from segtumor.imaging.intensity import window_limits
from segtumor.system.resource_errors import is_out_of_memory
from segtumor.web import readings
from segtumor.web.model import ServedModel, reason_of
from segtumor.web.storage.schema import DONE, FAILED, Image
from segtumor.web.storage.store import Store, UnknownImageError

logger = logging.getLogger(__name__)

#: Heat maps that may wait; each takes seconds.
MOST_HEAT_MAPS = 20
_LOOK_AGAIN_S = 1.0


class Worker:
    """Reads what waits, from ``start`` to ``stop``.

    Args:
        max_pixels: larger radiographs fail, px.
    """

    def __init__(self, store: Store, model: ServedModel, *, max_pixels: int) -> None:
        self._store, self._model, self._max_pixels = store, model, max_pixels
        self._wanted: queue.Queue[tuple[str, str]] = queue.Queue(MOST_HEAT_MAPS)
        self._pending: set[tuple[str, str]] = set()
        self._failures: dict[tuple[str, str], str] = {}
        self._something, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="reading", daemon=True)

    def start(self) -> None:
        """Begin; what an ended process was reading is read again."""
        self._store.start_again()
        self._thread.start()

    def stop(self) -> None:
        """End after the present radiograph."""
        self._stopping.set()
        self._something.set()
        if self._thread.is_alive():
            self._thread.join()

    def wake(self) -> None:
        """Say that something waits; else it is noticed within a second."""
        self._something.set()

    def want_heat(self, key: str, method: str) -> bool:
        """Ask for heat maps of an image; False where too many wait already."""
        if (key, method) not in self._pending:
            try:
                self._wanted.put_nowait((key, method))
            except queue.Full:
                return False
            self._pending.add((key, method))
            self._failures.pop((key, method), None)
        self.wake()
        return True

    def heat_failures(self, key: str) -> dict[str, str]:
        """{method: reason} of the heat maps of an image that could not be made since the start."""
        return {method: reason for (image, method), reason in list(self._failures.items()) if image == key}

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._something.clear()
            try:
                busy = self._explain_one() or self._read_one()
            except Exception:
                logger.exception("reading failed")
                busy = False
            if not busy:
                self._something.wait(_LOOK_AGAIN_S)

    def _read_one(self) -> bool:
        image = self._store.next_waiting()
        if image is None:
            return False
        started = time.perf_counter()
        try:
            values = self._values(image)
        except Exception as error:  # noqa: BLE001 - the page goes on; the image says what happened
            values = {"status": FAILED, "reason": _told(error)}
        self._store.finish(image.key, **values, seconds=time.perf_counter() - started)
        return True

    def _values(self, image: Image) -> dict[str, Any]:
        """What is kept of an image that was read (``Store.finish``)."""
        started = time.perf_counter()
        radiograph = read_stored(self._store, image, self._max_pixels)
        low, high = window_limits(radiograph.pixels)
        read_s = time.perf_counter() - started
        reading = self._model.read(radiograph)
        reading = dataclasses.replace(reading, timings_s={"read": read_s, **reading.timings_s})
        threshold = self._model.threshold
        kept = readings.KeptReading(reading, f"{self._model.name} {self._model.version}", threshold)
        return {
            "status": DONE,
            "reason": None,
            "window_low": low,
            "window_high": high,
            "tumour": float(reading.tumor_score),
            "malignant": readings.malignant_score(reading),
            "called": readings.called(reading, threshold),
            "reading": readings.to_bytes(kept),
        }

    def _explain_one(self) -> bool:
        try:
            key, method = self._wanted.get_nowait()
        except queue.Empty:
            return False
        try:
            image = self._store.image(key)
            maps = self._model.heat(method, read_stored(self._store, image, self._max_pixels))
            # What cannot be explained, such as an image without findings, is told by a map without heat.
            for name, heat in (maps or {method: np.zeros((image.height_px, image.width_px), np.float32)}).items():
                self._store.add_map(key, name, _png(heat))
        except UnknownImageError:  # removed meanwhile: nobody waits for it
            return True
        except Exception as error:  # noqa: BLE001 - the page goes on, and who waits for the map is told
            self._failures[key, method] = _told(error)
        finally:
            self._pending.discard((key, method))
        return True


def read_stored(store: Store, image: Image, max_pixels: int) -> Radiograph:
    """The radiograph of an image in the store, without a name; raises as ``read_radiograph``."""
    radiograph = read_radiograph(store.blobs.path(image.file_sha256), max_pixels=max_pixels, log=False)
    return dataclasses.replace(radiograph, name="")


def _told(error: Exception) -> str:
    if is_out_of_memory(error):
        return "The memory of this machine does not suffice for this image."
    if isinstance(error, SegtumorError):
        return reason_of(error)
    logger.exception("an image could not be read", exc_info=error)
    return str(DataError("a bug in segtumor", got=type(error).__name__, remedy="Please report it with the log"))


def _png(heat: GrayImage) -> bytes:
    from PIL import Image as Pictures

    written = io.BytesIO()
    Pictures.fromarray(np.rint(heat * 255).astype(np.uint8)).save(written, format="png", compress_level=3)
    return written.getvalue()

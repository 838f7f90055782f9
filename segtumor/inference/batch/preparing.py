"""File -> what the model and the overlay need of it.

Runs in threads, so that files are decoded while the model computes. A radiograph of 4,000 x 4,000 px is 64 MB; what is
kept of it is a few megabytes. As many radiographs are in memory at full size as there are threads.
"""

import dataclasses
import functools
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segtumor.datasets.fingerprints import pixel_hash
from segtumor.errors import BadImageError, SegtumorError
from segtumor.imaging import Radiograph, normalize_window, read_radiograph
from segtumor.imaging.radiograph import OneFrameError, TooLargeError
from segtumor.inference.batch.contexts import Contexts
from segtumor.inference.batch.earlier_output import what_infer_made
from segtumor.inference.batch.inputs import file_identity
from segtumor.reporting.pictures.overlay_view import OverlayBase, overlay_base
from segtumor.runtime.predictor import Predictor
from segtumor.system.resource_errors import is_out_of_memory
from segtumor.tabular.encoder import Context


@dataclass(frozen=True, eq=False)
class Prepared:
    """One input, ready for the model, or the reason why not.

    Attributes:
        identity: ``inputs.file_identity`` before it was read.
        size_hw: of the radiograph, px; None if it could not be read.
        window: what the model sees (``Predictor.window``).
        base: what the overlay is drawn on, or None.
        as_read: the picture before it is windowed, as large; None unless it is asked for.
        spacing_mm, spacing_source: as ``imaging.Radiograph``.
        remarks: as ``imaging.Radiograph``.
        pixel_sha256: of the radiograph (``datasets.fingerprints.pixel_hash``), or None.
        context: what is known beside its pixels.
        reason: why it could not be read, or None.
        starved: whether the reason is that memory ran out.
        seconds: taken, s.
    """

    path: Path
    identity: list[int] | None = None
    size_hw: tuple[int, int] | None = None
    window: Any = None
    base: OverlayBase | None = None
    as_read: OverlayBase | None = None
    spacing_mm: tuple[float, float] | None = None
    spacing_source: str | None = None
    remarks: tuple[str, ...] = ()
    pixel_sha256: str | None = None
    context: Context = field(default_factory=dict)
    reason: str | None = None
    starved: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Preparer:
    """Reads, windows and resizes files.

    Attributes:
        window_percentiles: gray values made black and white on overlays; None where none are drawn.
        max_pixels: larger pictures fail, px.
        frame: of DICOM files with several, from 0; None lets these fail.
        hashes: whether the pixels' hash is needed.
        contexts: what is known of files beside their pixels.
        keeps_as_read: whether to keep the picture as it was read.
    """

    predictor: Predictor
    window_percentiles: tuple[float, float] | None
    max_pixels: int
    frame: int | None = None
    hashes: bool = False
    contexts: Contexts = field(default_factory=Contexts)
    keeps_as_read: bool = False

    def __call__(self, path: Path) -> Prepared:
        """Path -> Prepared; what is wrong with the file becomes its ``reason``."""
        started, identity = time.perf_counter(), file_identity(path)
        try:
            prepared = self._prepare(path)
        except Exception as error:
            starved = is_out_of_memory(error)
            if not (starved or isinstance(error, SegtumorError)):
                raise
            prepared = Prepared(path, reason=str(_no_memory(path) if starved else error), starved=starved)
        return dataclasses.replace(prepared, identity=identity, seconds=time.perf_counter() - started)

    def window(self, path: Path, short_edge_px: int) -> Any:
        """What the model sees of a file at another size; raises as ``read_radiograph``."""
        radiograph = self._read(path)
        spacing_mm = radiograph.spacing_mm
        return self.predictor.window(radiograph.pixels, spacing_mm=spacing_mm, short_edge_px=short_edge_px)

    def _prepare(self, path: Path) -> Prepared:
        radiograph = self._read(path)
        base = None
        if self.window_percentiles is not None:
            base = overlay_base(normalize_window(radiograph.pixels, *self.window_percentiles))
        return Prepared(
            path,
            size_hw=radiograph.size_hw,
            window=self.predictor.window(radiograph.pixels, spacing_mm=radiograph.spacing_mm),
            base=base,
            as_read=overlay_base(radiograph.pixels) if self.keeps_as_read else None,
            spacing_mm=radiograph.spacing_mm,
            spacing_source=radiograph.spacing_source,
            remarks=self.predictor.windowing.remarks_on(radiograph),
            pixel_sha256=pixel_hash(radiograph.pixels) if self.hashes else None,
            context=self.contexts.of(path),
        )

    def _read(self, path: Path) -> Radiograph:
        made = what_infer_made(path)
        if made is not None:
            what = f"this is {made} of an earlier run, not a radiograph"
            raise BadImageError(what, where=path, remedy="Give the radiograph that it was made of")
        try:
            return self._chosen_frame(path)
        except TooLargeError as error:
            raise _too_large(error) from error

    def _chosen_frame(self, path: Path) -> Radiograph:
        read = functools.partial(read_radiograph, path, max_pixels=self.max_pixels, log=False)  # remarks become notes
        try:
            return read(frame=self.frame)
        except OneFrameError:  # the choice is among several
            return read()


def _too_large(error: TooLargeError) -> BadImageError:
    """The same error with the option that helps."""
    remedy = f"Resize it, or add --max-pixels {error.needed_pixels} if the file can be trusted"
    return BadImageError(error.what, where=error.where, got=error.got, expected=error.expected, remedy=remedy)


def _no_memory(path: Path) -> BadImageError:
    remedy = "Use fewer threads (--num-workers 0), or a machine with more memory"
    return BadImageError("out of memory while reading", where=path, remedy=remedy)

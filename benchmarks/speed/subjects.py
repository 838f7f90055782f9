"""What is predicted in a benchmark, and by which model: radiographs, or phantoms; weights, or seeded random ones."""

import dataclasses
import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import torch
from PIL import Image

from benchmarks.speed.random_weights import calibrated_random_model
from segtumor.errors import DataError
from segtumor.export.export import export
from segtumor.files import write_text
from segtumor.imaging import Radiograph, list_images, read_radiograph
from segtumor.models.build import create_model, windowing_from_config
from segtumor.models.weights import load_weights
from segtumor.runs import BEST_WEIGHTS, CONFIG
from segtumor.runtime.breakdown import all_sound
from segtumor.synthesis.phantoms import make_phantoms

_DRAWN = 4
_CLASS_NAMES = ("benign", "malignant")
_SEED = 0


def benchmark_images(folder, *, count, size_px):
    """``count`` radiographs.

    Args:
        folder: with image files, the first of which are taken, evenly over the folder; None for phantoms.
        count: from 1; of phantoms, the last is blank if there is more than one.
        size_px: of phantoms.

    Returns:
        (list of Radiograph, a sentence that says what they are).

    Raises:
        DataError: a folder without images.
    """
    if folder is None:
        radiographs = [*phantom_radiographs(max(1, count - 1), size_px), blank_radiograph(size_px)]
        return radiographs[:count], f"{count} synthetic ones (phantoms) of {size_px} px, the last of several is blank"
    paths = list_images(folder)
    if not paths:
        raise DataError("folder without images", where=folder, remedy="Check --images")
    chosen = [paths[i * len(paths) // min(count, len(paths))] for i in range(min(count, len(paths)))]
    return [read_radiograph(path) for path in chosen], f"{len(chosen)} of the {len(paths)} images of the folder"


def phantom_radiographs(count, size_px):
    """Synthetic radiographs, the same every time; both views of a case count."""
    cases = make_phantoms((count + 1) // 2, _SEED, size_px=size_px)
    views = itertools.chain.from_iterable(case.views for case in cases)
    return [
        Radiograph(view.pixels.astype(np.float32) / 255, None, None, f"phantom{number}", "uint8")
        for number, view in enumerate(itertools.islice(views, count))
    ]


def blank_radiograph(size_px):
    """A square image of one gray value."""
    return Radiograph(np.full((size_px, size_px), 0.5, dtype=np.float32), None, None, "blank", "float32")


@dataclass(frozen=True)
class Subject:
    """A model and what it is to predict.

    Attributes:
        cfg: its configuration.
        model: Detectron2's, in evaluation mode; None where only the images count.
        windows: list of (h, w) float32 in [0, 1], at its size.
        sizes_hw: sizes of the radiographs, px.
    """

    cfg: object
    model: torch.nn.Module | None
    windows: list
    sizes_hw: list

    def some(self, count):
        """The same with at most ``count`` of its images, evenly chosen."""
        total = len(self.windows)
        chosen = sorted({i * total // count for i in range(count)})
        return dataclasses.replace(
            self, windows=[self.windows[i] for i in chosen], sizes_hw=[self.sizes_hw[i] for i in chosen]
        )

    def detect_all(self, detector):
        """Findings of every image, one image at a time."""
        pairs = zip(self.windows, self.sizes_hw, strict=True)
        return [all_sound(detector.detect([window], [size_hw]), ["an image"])[0] for window, size_hw in pairs]

    def detect_in_parallel(self, detectors):
        """The same twice over, with as many images at once as there are detectors; each works in one thread."""
        free = SimpleQueue()
        for detector in detectors:
            free.put(detector)

        def detect(window, size_hw):
            detector = free.get()
            try:
                return detector.detect([window], [size_hw])[0]
            finally:
                free.put(detector)

        threads = torch.get_num_threads()
        try:
            with ThreadPoolExecutor(len(detectors), initializer=torch.set_num_threads, initargs=(1,)) as pool:
                return list(pool.map(detect, 2 * self.windows, 2 * self.sizes_hw))
        finally:
            torch.set_num_threads(threads)


def make_subject(cfg, weights, radiographs):
    """Model of ``cfg`` with ``weights``, or with seeded random ones that are calibrated on the images.

    Args:
        cfg: configuration.
        weights: file, or None.
        radiographs: list of Radiograph.

    Raises:
        ModelError: the weights are missing, damaged or of another model.
    """
    windows = windows_of(cfg, radiographs)
    if weights:
        model = create_model(cfg)
        load_weights(model, weights, strict=True)
    else:
        (blank,) = windows_of(cfg, [blank_radiograph(cfg.INPUT.MIN_SIZE_TEST)])
        model = calibrated_random_model(cfg, [window for window in windows if window.any()] or windows, blank)
    return Subject(cfg, model.eval(), windows, [radiograph.pixels.shape for radiograph in radiographs])


def windows_of(cfg, radiographs):
    """What a model of ``cfg`` sees of each radiograph, (h, w) float32 in [0, 1]."""
    windowing = windowing_from_config(cfg)
    return [windowing.window(radiograph.pixels) for radiograph in radiographs]


def class_names(cfg):
    """Names of the configuration's classes, made up where it has none."""
    count = cfg.MODEL.ROI_HEADS.NUM_CLASSES
    return tuple(cfg.MODEL.CLASS_NAMES) or (*_CLASS_NAMES, *(f"class {i}" for i in range(2, count)))[:count]


def make_run(cfg, folder, *, weights=None) -> None:
    """Write config.yaml and model_best.pth of a model into ``folder``, which is made.

    Args:
        cfg: configuration.
        folder: Path.
        weights: file to take them from; None for seeded random ones.
    """
    cfg = cfg.clone()
    cfg.defrost()
    subject = make_subject(cfg, weights, phantom_radiographs(_DRAWN, cfg.INPUT.MIN_SIZE_TEST))
    names = list(class_names(cfg))
    cfg.MODEL.CLASS_NAMES = names
    folder = Path(folder)
    folder.mkdir(parents=True)
    write_text(folder / CONFIG, cfg.dump())
    torch.save({"model": subject.model.state_dict(), "class_names": names}, folder / BEST_WEIGHTS)


def export_run(cfg, run, folder, format_name) -> None:
    """Export what ``make_run`` or a training wrote to ``folder``; errors as ``export.export.export``."""
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.WEIGHTS = str(Path(run) / BEST_WEIGHTS)
    export(cfg, folder, format_name=format_name)


def write_images(folder, count, size_px):
    """``count`` small radiographs as PNG files, a few phantoms again and again; returns their paths."""
    folder = Path(folder)
    folder.mkdir(parents=True)
    drawn = [(r.pixels * 255).astype("uint8") for r in phantom_radiographs(min(count, _DRAWN), size_px)]
    paths = [folder / f"image{number:05d}.png" for number in range(count)]
    for number, path in enumerate(paths):
        Image.fromarray(drawn[number % len(drawn)]).save(path)
    return paths

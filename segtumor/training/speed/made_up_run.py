"""A training run without a training: what ``tools/infer.py`` and ``tools/export.py`` need, with random weights."""

from pathlib import Path

import torch
from PIL import Image

from segtumor.export.export import export
from segtumor.files import write_text
from segtumor.runs import BEST_WEIGHTS, CONFIG
from segtumor.training.speed.images import phantom_radiographs
from segtumor.training.speed.models import class_names, make_subject

_COUNT = 4


def make_run(cfg, folder, *, weights=None) -> None:
    """Write config.yaml and model_best.pth of a model into ``folder``, which is made.

    Args:
        cfg: configuration.
        folder: Path.
        weights: file to take them from; None for seeded random ones.
    """
    cfg = cfg.clone()
    cfg.defrost()
    subject = make_subject(cfg, weights, phantom_radiographs(_COUNT, cfg.INPUT.MIN_SIZE_TEST))
    names = list(class_names(cfg))
    cfg.MODEL.CLASS_NAMES = names
    folder = Path(folder)
    folder.mkdir(parents=True)
    write_text(folder / CONFIG, cfg.dump())
    torch.save({"model": subject.model.state_dict(), "class_names": names}, folder / BEST_WEIGHTS)


def export_run(cfg, run, folder, format_name) -> None:
    """Export what ``make_run`` or a training wrote to ``folder``; errors as ``exporting.export``."""
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.WEIGHTS = str(Path(run) / BEST_WEIGHTS)
    export(cfg, folder, format_name=format_name)


def write_images(folder, count, size_px):
    """``count`` small radiographs as PNG files, a few phantoms again and again; returns their paths."""
    folder = Path(folder)
    folder.mkdir(parents=True)
    drawn = [(r.pixels * 255).astype("uint8") for r in phantom_radiographs(min(count, _COUNT), size_px)]
    paths = [folder / f"image{number:05d}.png" for number in range(count)]
    for number, path in enumerate(paths):
        Image.fromarray(drawn[number % len(drawn)]).save(path)
    return paths

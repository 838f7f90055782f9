"""Seconds and memory of a training step: Detectron2 as it comes beside our configuration.

Batches lie ready in memory: what the loader does is measured by ``benchmarks/loader.py``.
"""

import functools
import itertools
import math

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.structures import BitMasks, Boxes, Instances
from detectron2.utils.env import seed_all_rng
from detectron2.utils.events import EventStorage

import segtumor.models.backbones.narrow_resnet
import segtumor.models.backbones.vgg
import segtumor.models.detectors.roi_heads  # noqa: F401  the three register the model parts that configurations name
from benchmarks.speed.detectors import stock_training_config
from benchmarks.speed.processes import in_fresh_process
from benchmarks.speed.report import Part, Table, milliseconds, ratio
from benchmarks.speed.timing import Contender, speedups, take_turns
from segtumor.imaging import normalize_window
from segtumor.models.detectron2_detector import image_tensor
from segtumor.structures.masks import box_from_mask
from segtumor.synthesis.phantoms import make_phantoms
from segtumor.training.trainer import Trainer

STOCK, OURS = "Detectron2, its own numbers", "segtumor"
_SEED = 3
_LABELS = ("benign", "malignant")
_PROFILED_ROWS = 15


def measure_training(cfg, *, size_px, batch_size, repeats, threads, profile: bool = False, with_memory: bool = True):
    """Both sides on the same batch, in turns.

    Args:
        cfg: our configuration; the other side is made from it.
        size_px: of the square phantoms.
        batch_size: images of a step.
        repeats: turns.
        threads: of torch.
        profile: whether a table of the most costly operations of each side is added.
        with_memory: whether each side's peak memory is taken too, in a process of its own.

    Returns:
        Part; raw values by side: seconds of each step, peak_mib.
    """
    torch.set_num_threads(threads)
    configs = {STOCK: stock_training_config(cfg), OURS: cfg}
    batch = phantom_batch(size_px, batch_size)
    trainers = {name: _trainer(config, batch) for name, config in configs.items()}
    steps = {name: functools.partial(_step, trainer) for name, trainer in trainers.items()}
    timings = take_turns({name: Contender(step) for name, step in steps.items()}, repeats=repeats)
    common = {"size_px": size_px, "batch_size": batch_size, "threads": threads}
    peaks = {name: _peak_mib(config, common) if with_memory else math.nan for name, config in configs.items()}
    tables = [_table(timings, peaks, common)]
    if profile:
        tables += [_profile(name, step) for name, step in steps.items()]
    raw = {name: {"seconds": list(timings[name].seconds), "peak_mib": peaks[name]} for name in timings}
    return Part(tuple(tables), {**common, "sides": raw})


def peak_of_steps(config_text, size_px, batch_size, threads, steps=2) -> None:
    """Take training steps; for ``processes.in_fresh_process``, which reads the memory of the process."""
    torch.set_num_threads(threads)
    trainer = _trainer(CfgNode.load_cfg(config_text), phantom_batch(size_px, batch_size))
    for _ in range(steps):
        _step(trainer)


def phantom_batch(size_px, count):
    """A training batch of ``count`` phantoms as Detectron2's models take it, with and without lesions."""
    cases = make_phantoms(count, _SEED, size_px=size_px)
    return [_example(case.views[0], number) for number, case in enumerate(cases)]


def _example(view, number):
    masks = np.array([lesion.mask for lesion in view.lesions], dtype=bool).reshape(-1, *view.pixels.shape)
    instances = Instances(view.pixels.shape)
    boxes = np.array([box_from_mask(mask) for mask in masks], dtype=np.float32).reshape(-1, 4)
    instances.gt_boxes = Boxes(torch.from_numpy(boxes))
    instances.gt_classes = torch.tensor([_LABELS.index(lesion.label) for lesion in view.lesions], dtype=torch.int64)
    instances.gt_masks = BitMasks(torch.from_numpy(masks))
    height, width = view.pixels.shape
    return {
        "image": image_tensor(normalize_window(view.pixels)),
        "instances": instances,
        "height": height,
        "width": width,
        "file_name": f"phantom {number}",
        "image_id": number,
    }


def _trainer(cfg, batch):
    seed_all_rng(_SEED)
    trainer = Trainer.from_config(cfg, _Endless(batch))
    trainer.model.train()
    trainer.iter = 0
    trainer.begin()
    return trainer


class _Endless:
    """The same batch again and again."""

    def __init__(self, batch) -> None:
        self._batch = batch

    def after(self, batches):
        return itertools.repeat(self._batch)  # whichever were taken before


def _step(trainer) -> None:
    with EventStorage() as trainer.storage:
        trainer.run_step()


def _peak_mib(cfg, common):
    call = "benchmarks.speed.training:peak_of_steps"
    steps = [{"name": "steps", "call": call, "arguments": {"config_text": cfg.dump(), **common}}]
    return in_fresh_process(steps, threads=common["threads"])["peak_mib"]


def _table(timings, peaks, common):
    faster, images = speedups(timings, STOCK), common["batch_size"]
    rows = [
        (
            name,
            milliseconds(timing.median_s),
            milliseconds(timing.minimum_s),
            f"{images / timing.median_s:.2f}",
            ratio(faster[name]),
            "-" if math.isnan(peaks[name]) else f"{peaks[name]:,.0f}",
        )
        for name, timing in timings.items()
    ]
    columns = ("", "ms per step", "minimum", "images per s", "times as fast", "peak memory, MiB")
    notes = (
        "A step is forward, backward and the optimizer, on batches that lie ready in memory. Peak memory is that of a "
        "process of its own that takes two steps.",
        "Detectron2's side has the same backbone, pyramid and norms, all trained, and its own anchors, proposals "
        "(2,000 of a level, 1,000 of an image), samples (256 anchors, 512 regions), heads and order in memory.",
    )
    title = f"Training, {common['size_px']} px, {images} images per step, {common['threads']} threads"
    return Table(title, columns, tuple(rows), notes)


def _profile(name, step):
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        step()
    events = sorted(profile.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    rows = tuple(
        (
            event.key,
            f"{event.self_cpu_time_total / 1000:,.1f}",
            f"{event.self_cpu_time_total / total:.1%}",
            str(event.count),
        )
        for event in events[:_PROFILED_ROWS]
    )
    return Table(f"Most costly operations of one step: {name}", ("operation", "own ms", "share", "calls"), rows)

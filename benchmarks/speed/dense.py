"""The dense part alone: backbone, pyramid and proposal head, which is most of the arithmetic and all of it regular.

Its rate in GFLOP per second says what the machine gives, and what another network would take at that rate. A FLOP is
half of a multiply-add: one multiplication or one addition. Convolutions and fully connected layers are counted;
normalisation, activations and pooling are not.
"""

import functools
import math
from contextlib import ExitStack

import torch
from torch import nn

from benchmarks.speed.report import Table, milliseconds, ratio
from benchmarks.speed.timing import Contender, speedups, take_turns
from segtumor.export.graphs import Dense, EagerGraphs
from segtumor.runtime.inputs import model_images

STOCK = "Detectron2, eager"
#: YOLOv8n-seg at 640 px, FLOP, as its documentation states them.
_YOLO_FLOP = 12.6e9


def dense_table(subject, detectors, *, repeats):
    """Time the dense part of a model in every runtime, on the first image.

    Args:
        subject: ``models.Subject``.
        detectors: {runtime: Detector}.
        repeats: turns.

    Returns:
        (Table, raw values).
    """
    graphs = {STOCK: EagerGraphs(subject.model, channels_last=False, fold=False)}
    graphs.update({f"segtumor, {runtime}": detector.graphs for runtime, detector in detectors.items()})
    images = _images(subject)
    flop = 2 * multiply_adds(Dense(subject.model), torch.from_numpy(images))
    timings = take_turns(
        {name: Contender(functools.partial(graph.dense, images)) for name, graph in graphs.items()}, repeats=repeats
    )
    faster = speedups(timings, STOCK)
    rates = {name: flop / timing.median_s for name, timing in timings.items()}
    rows = tuple(
        (
            name,
            milliseconds(timing.median_s),
            milliseconds(timing.minimum_s),
            ratio(faster[name]),
            f"{rates[name] / 1e9:,.0f}",
            milliseconds(_YOLO_FLOP / rates[name]),
        )
        for name, timing in timings.items()
    )
    height, width = images.shape[2:]
    columns = ("", "ms", "minimum", "times as fast", "GFLOP per s", "12.6 GFLOP would take, ms")
    title = f"The dense part alone, {height} x {width} px: {flop / 1e9:,.1f} GFLOP"
    notes = (
        "A FLOP is half of a multiply-add; convolutions and fully connected layers are counted.",
        "12.6 GFLOP is YOLOv8n-seg at 640 px, from its documentation. The package itself is AGPL and is not used here: "
        "the last column is arithmetic, not a measurement of it.",
    )
    raw = {name: {"seconds": list(timing.seconds), "flop_per_s": rates[name]} for name, timing in timings.items()}
    return Table(title, columns, rows, notes), {"flop": flop, "runtimes": raw}


def _images(subject):
    cfg = subject.cfg
    return model_images(
        subject.windows[:1],
        pixel_mean=cfg.MODEL.PIXEL_MEAN,
        pixel_std=cfg.MODEL.PIXEL_STD,
        size_divisibility=subject.model.backbone.size_divisibility,
    )


@torch.inference_mode()
def multiply_adds(module, *inputs):
    """Multiply-adds of one forward pass, int.

    Args:
        module: ``nn.Module``; is run once, not changed.
        inputs: what it is called with.
    """
    counts = []
    kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    with ExitStack() as hooks:
        for layer in module.modules():
            if isinstance(layer, kinds):
                handle = layer.register_forward_hook(lambda *call: counts.append(_of_layer(*call)))
                hooks.callback(handle.remove)
        module(*inputs)
    return sum(counts)


def _of_layer(layer, inputs, output):
    if isinstance(layer, nn.Linear):
        return output.numel() * layer.in_features
    kernel = math.prod(layer.kernel_size)
    if isinstance(layer, nn.ConvTranspose2d):  # every value of the input meets the whole kernel
        return inputs[0].numel() * kernel * layer.out_channels // layer.groups
    return output.numel() * kernel * layer.in_channels // layer.groups

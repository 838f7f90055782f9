"""Seconds per image: Detectron2's own way beside segtumor's, torchvision's detectors, and a small model.

Like for like: a windowed image goes in; boxes, scores, classes and full-size masks as RLE come out, on every side that
has masks. Reading files, windows and post-processing are not timed: they are the same on both sides.
"""

import dataclasses
import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch

from benchmarks.speed.dense import dense_table
from benchmarks.speed.detectors import (
    DETECTORS,
    PARALLEL,
    TorchvisionDetector,
    our_detectors,
    parallel_detectors,
    stock_detector,
    stock_inference_config,
    with_stock_anchors,
)
from benchmarks.speed.inference_tables import STOCK, Comparison, compare, main_table, problem, raw_rows, small_table
from benchmarks.speed.report import Part
from benchmarks.speed.subjects import Subject, benchmark_images, make_subject, windows_of
from benchmarks.speed.timing import Contender, take_turns
from segtumor.export.contract import contract_of
from segtumor.models.detectron2_detector import image_tensor
from segtumor.runtime.mask_rcnn.detector import Detector


@dataclass(frozen=True)
class InferenceSettings:
    """What is measured.

    Attributes:
        cfg: configuration of the large model.
        weights: its weights, or None for random ones.
        fast_cfg, fast_weights, fast_name: likewise of the small model; ``fast_cfg`` None leaves it out.
        folder: with images, or None for phantoms.
        n_images: of them, on which findings are compared.
        n_timed: of these, which are timed; evenly chosen.
        short_edge_px: of the large model's input; the longer one may have 1333 / 800 of it.
        repeats: turns.
        threads: of each contender.
        peers: names of torchvision's detectors.
        with_pairs: whether two images at once are measured too; only with two threads, one for each.
    """

    cfg: object
    weights: str | None
    fast_cfg: object | None
    fast_weights: str | None
    fast_name: str
    folder: str | None
    n_images: int
    n_timed: int = 5
    short_edge_px: int = 800
    repeats: int = 5
    threads: int = 1
    peers: tuple[str, ...] = tuple(DETECTORS)
    with_pairs: bool = True


def measure_inference(settings):
    """All rows in one run, in turns.

    Returns:
        Part; its problems name each row that finds something else than Detectron2.
    """
    torch.set_num_threads(settings.threads)
    cv2.setNumThreads(settings.threads)
    radiographs, description = benchmark_images(
        settings.folder, count=settings.n_images, size_px=min(512, settings.short_edge_px)
    )
    comparison = Comparison(notes=[_images_note(description, settings), _weights_note(settings)])
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        large = make_subject(_large_config(settings), settings.weights, radiographs)
        detectors = _add_large(comparison, large, Path(folder), settings)
        _add_peers(comparison, radiographs, settings)
        if settings.fast_cfg is not None:
            _add_fast(comparison, radiographs, Path(folder), settings)
        timings = take_turns(comparison.contenders, repeats=settings.repeats)
        dense, dense_raw = dense_table(large, detectors, repeats=settings.repeats)
    size = f"{settings.short_edge_px} px"
    rest = f"{settings.threads} threads, {settings.repeats} turns"
    tables = (
        main_table(comparison, timings, f"Inference, {size}, {rest}"),
        small_table(comparison, timings, f"Small models, {rest}", size),
        dense,
    )
    return Part(
        tuple(table for table in tables if table.rows),
        {"rows": raw_rows(comparison, timings), "dense": dense_raw, "images": description},
        tuple(filter(None, (problem(name, parity) for name, parity in comparison.parities.items()))),
    )


def _large_config(settings):
    px = settings.short_edge_px
    stock = stock_inference_config(settings.cfg, short_edge_px=px, max_long_edge_px=round(px * 1333 / 800))
    return stock if settings.weights else with_stock_anchors(stock)


def _add_large(comparison, subject, folder, settings):
    """Rows of the large model; returns its detectors."""
    stock, timed = stock_detector(subject), subject.some(settings.n_timed)
    count = len(timed.windows)
    expected = comparison.findings[STOCK] = subject.detect_all(stock)
    comparison.contenders[STOCK] = Contender(functools.partial(timed.detect_all, stock), count)
    raw = functools.partial(_instances_only, timed)
    comparison.contenders[f"{STOCK}, masks not encoded"] = Contender(raw, count)
    folder = folder / "large"
    folder.mkdir()
    detectors, skipped = our_detectors(subject, folder, threads=settings.threads)
    comparison.notes += skipped
    for runtime, detector in detectors.items():
        _add_ours(comparison, f"segtumor, {runtime}", subject, detector, expected, settings.n_timed)
    runtime, fastest = list(detectors.items())[-1]
    own = Detector(fastest.graphs, _own_numbers(settings.cfg, subject.model, fastest.contract))
    name = f"segtumor, {runtime}, its own numbers of proposals and findings"
    comparison.findings[name] = subject.detect_all(own)
    comparison.contenders[name] = Contender(functools.partial(timed.detect_all, own), count)
    if settings.with_pairs and settings.threads == PARALLEL:
        _add_pairs(comparison, timed, stock, parallel_detectors(subject, detectors, folder))
    return detectors


def _add_pairs(comparison, timed, stock, pairs) -> None:
    """Rows of two images at once; they are compared with Detectron2 that works in the same way."""
    baseline = f"{STOCK}, two images at once"
    pairs = {STOCK: [stock, stock], **{f"segtumor, {runtime}": pair for runtime, pair in pairs.items()}}
    for name, pair in pairs.items():
        name = f"{name}, two images at once"
        comparison.contenders[name] = Contender(
            functools.partial(timed.detect_in_parallel, pair), 2 * len(timed.windows)
        )
        comparison.baselines[name] = baseline


def _own_numbers(cfg, model, contract):
    """The contract with the numbers of ``cfg`` in place of Detectron2's."""
    own = contract_of(cfg, model, contract.class_names)
    return dataclasses.replace(contract, proposals=own.proposals, regions=own.regions)


def _instances_only(subject) -> None:
    """Detectron2's own output, an Instances with masks as arrays, and nothing after it."""
    for window, (height, width) in zip(subject.windows, subject.sizes_hw, strict=True):
        subject.model([{"image": image_tensor(window), "height": height, "width": width}])


def _add_ours(comparison, name, subject, detector, expected, n_timed) -> None:
    comparison.findings[name] = subject.detect_all(detector)
    comparison.parities[name] = compare(expected, comparison.findings[name], detector.contract.regions)
    timed = subject.some(n_timed)
    comparison.contenders[name] = Contender(functools.partial(timed.detect_all, detector), len(timed.windows))


def _add_peers(comparison, radiographs, settings) -> None:
    for peer in settings.peers:
        cfg = stock_inference_config(settings.cfg, short_edge_px=DETECTORS[peer], max_long_edge_px=1333)
        windows = windows_of(cfg, radiographs)
        subject = Subject(cfg, None, windows, [window.shape for window in windows]).some(settings.n_timed)
        detector, name = TorchvisionDetector(peer), f"torchvision {peer}, {DETECTORS[peer]} px"
        comparison.findings[name] = subject.detect_all(detector)
        comparison.contenders[name] = Contender(functools.partial(subject.detect_all, detector), len(subject.windows))
        if DETECTORS[peer] < settings.short_edge_px:
            comparison.small[name] = None


def _add_fast(comparison, radiographs, folder, settings) -> None:
    """Rows of the small model, with its own numbers and at its own size."""
    subject = make_subject(settings.fast_cfg, settings.fast_weights, radiographs)
    name = f"{settings.fast_name}, {settings.fast_cfg.INPUT.MIN_SIZE_TEST} px"
    stock, folder = stock_detector(subject), folder / "fast"
    folder.mkdir()
    itself = f"{name}, Detectron2"
    expected = comparison.findings[itself] = subject.detect_all(stock)
    timed = subject.some(settings.n_timed)
    comparison.contenders[itself] = Contender(functools.partial(timed.detect_all, stock), len(timed.windows))
    comparison.small[itself] = itself
    detectors, _ = our_detectors(subject, folder, threads=settings.threads)
    for runtime, detector in detectors.items():
        _add_ours(comparison, f"{name}, {runtime}", subject, detector, expected, settings.n_timed)
        comparison.small[f"{name}, {runtime}"] = itself


def _images_note(description, settings) -> str:
    timed = f"; {settings.n_timed} of them are timed" if settings.n_timed < settings.n_images else ""
    return f"Images: {description}{timed}."


def _weights_note(settings) -> str:
    if settings.weights:
        return "Trained weights, the same on all sides; the anchors are those that they were trained with."
    return (
        "Seeded random weights, the same on all sides, scaled so that there are findings on some images and none on "
        "others; Detectron2's own anchors. Speed does not depend on what was learnt, but for the number of findings."
    )

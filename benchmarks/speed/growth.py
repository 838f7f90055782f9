"""How time and memory grow: with the size of an image, the number of lesions on it, and the number of files.

Every point of size and files is a process of its own, so that one's memory is not the other's.
"""

import functools
import logging
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import torch
from detectron2.layers import paste_masks_in_image
from PIL import Image

from benchmarks.speed.processes import in_fresh_process
from benchmarks.speed.report import Part, Table, milliseconds
from benchmarks.speed.subjects import phantom_radiographs, write_images
from benchmarks.speed.timing import Contender, take_turns
from segtumor.errors import InstallationError
from segtumor.reporting.pictures.overlay import draw_overlay
from segtumor.runtime.mask_rcnn.pasting import paste_mask
from segtumor.structures import postprocessing
from segtumor.structures.lesions import Finding
from segtumor.structures.masks import rle_from_crop, rle_from_mask

logger = logging.getLogger(f"segtumor.{__name__}")  # below segtumor, whose messages commands show
SIZES_PX = (256, 400, 512, 800, 1200, 1600)
LESIONS = (0, 1, 5, 20, 100)
FILES = (10, 100, 1000)
_LARGE_HW = (2500, 2000)
_LESION_PX, _MASK_PX = 120, 28
_FILE_PX = 96


def measure_growth(ways, fast_export, folder, *, repeats, threads, sizes_px=SIZES_PX, lesions=LESIONS, files=FILES):
    """Three tables.

    Args:
        ways: {name: options of ``tools/infer.py`` that choose a model and its runtime}, for the table of sizes.
        fast_export: folder of an exported small model, for the table of files.
        folder: for images and what is written, exists.
        repeats: turns, of the tables of sizes and lesions.
        threads: of each process.
        sizes_px, lesions, files: points.

    Returns:
        Part.
    """
    folder = Path(folder)
    tables, raw = [], {}
    for name, table, values in (
        ("size", *_sizes(ways, folder, sizes_px, repeats, threads)),
        ("lesions", *_lesions(lesions, repeats)),
        ("files", *_files(fast_export, folder, files, threads)),
    ):
        tables.append(table)
        raw[name] = values
    return Part(tuple(tables), raw)


def _sizes(ways, folder, sizes_px, repeats, threads):
    rows, raw = [], {}
    for size_px in sizes_px:
        image = _image_of(folder / f"size{size_px}.png", size_px)
        answers = {}
        for name, options in ways.items():
            logger.info("%d px: %s", size_px, name)
            steps = _size_steps(options, image, size_px, repeats, threads)
            answer = in_fresh_process(steps, threads=threads)
            seconds = [answer["steps"][_turn(number)] for number in range(repeats)]
            answers[name] = {"seconds": seconds, "peak_mib": answer["peak_mib"]}
        cells = [(milliseconds(median(a["seconds"])), f"{a['peak_mib']:,.0f}") for a in answers.values()]
        rows.append((f"{size_px} x {size_px} px", *(cell for pair in cells for cell in pair)))
        raw[size_px] = answers
    columns = ("size of the model's input", *(f"{name}, {unit}" for name in ways for unit in ("ms", "MiB")))
    notes = (
        f"Median of {repeats} predictions after a first one, in a process of its own, and the most memory it has held.",
        "Numbers of proposals and order in memory are the configuration's own, on Detectron2's side too.",
    )
    return Table(f"Size of an image, {threads} threads", columns, tuple(rows), notes), raw


def _size_steps(options, image, size_px, repeats, threads):
    argv = [*options, "--input", str(image), "--output", "unused", "--threads", str(threads)]
    predict = {
        "call": "@model:predictor.read_windows",
        "arguments": {"windows": ["@read:pixels"], "sizes_hw": [[size_px, size_px]]},
    }
    load = "segtumor.inference.load:load_models"
    given = {"runs": "@arguments:run", **{name: f"@arguments:{name}" for name in ("runtime", "threads")}}
    return [
        {"name": "parser", "call": "segtumor.commands.infer:build_parser"},
        {"name": "arguments", "call": "@parser:parse_args", "arguments": {"args": argv}},
        {"name": "model", "call": load, "arguments": given},
        {"name": "read", "call": "segtumor.imaging:read_radiograph", "arguments": {"path": str(image)}},
        {"name": "first", **predict},
        *({"name": _turn(number), **predict} for number in range(repeats)),
    ]


def _turn(number) -> str:
    return f"turn {number}"


def _image_of(path, size_px):
    (radiograph,) = phantom_radiographs(1, min(size_px, 512))
    pixels = cv2.resize(radiograph.pixels, (size_px, size_px), interpolation=cv2.INTER_LINEAR)
    Image.fromarray((pixels * 255).astype(np.uint8)).save(path)
    return path


def _lesions(counts, repeats):
    rows, raw = [], {}
    pixels = np.zeros(_LARGE_HW, dtype=np.float32)
    for count in counts:
        masks, boxes = _made_up_masks(count)
        findings = _our_findings(masks, boxes)
        settings = postprocessing.Postprocessing()
        work = {
            "Detectron2, masks": functools.partial(_stock_masks, masks, boxes),
            "segtumor, masks": functools.partial(_our_findings, masks, boxes),
            "post-processing": functools.partial(postprocessing.apply, findings, settings),
            "overlay": functools.partial(draw_overlay, pixels, findings, ("benign", "malignant"), score_threshold=0.5),
        }
        timings = take_turns({name: Contender(function) for name, function in work.items()}, repeats=repeats)
        rows.append((str(count), *(milliseconds(timing.median_s) for timing in timings.values())))
        raw[count] = {name: list(timing.seconds) for name, timing in timings.items()}
    height, width = _LARGE_HW
    columns = ("lesions", *(f"{name}, ms" for name in work))
    notes = (f"Made-up masks of {_MASK_PX} x {_MASK_PX} in boxes of {_LESION_PX} px, drawn at full size and encoded.",)
    return Table(f"Lesions on an image of {width} x {height} px", columns, tuple(rows), notes), raw


def _made_up_masks(count):
    """(count, M, M) probabilities, discs, and (count, 4) boxes on a grid that do not overlap; float32."""
    rows, columns = np.divmod(np.arange(count), _LARGE_HW[1] // (_LESION_PX + 20))
    corner = np.stack([columns, rows], axis=1) * (_LESION_PX + 20) + 10
    axis = np.linspace(-1, 1, _MASK_PX)
    disc = 1 / (1 + np.exp(8 * (np.hypot(*np.meshgrid(axis, axis)) - 0.8)))
    boxes = np.concatenate([corner, corner + _LESION_PX], axis=1)
    return np.repeat(disc[None], count, axis=0).astype(np.float32), boxes.astype(np.float32)


def _our_findings(masks, boxes):
    return tuple(
        Finding(0, 0.9, tuple(box.tolist()), rle_from_crop(*paste_mask(mask, box, _LARGE_HW), _LARGE_HW))
        for mask, box in zip(masks, boxes, strict=True)
    )


def _stock_masks(masks, boxes):
    pasted = paste_masks_in_image(torch.from_numpy(masks), torch.from_numpy(boxes), _LARGE_HW, 0.5)
    return [rle_from_mask(mask.numpy()) for mask in pasted]


def _files(fast_export, folder, counts, threads):
    rows, raw = [], {}
    for count in counts:
        logger.info("%d files", count)
        images = folder / f"files{count}"
        write_images(images, count, _FILE_PX)
        argv = ["--run", str(fast_export), "--input", str(images), "--output", str(folder / f"found{count}")]
        argv += ["--threads", str(threads)]
        steps = [{"name": "infer", "call": "segtumor.commands.infer:main", "arguments": {"argv": argv}}]
        answer = in_fresh_process(steps, threads=threads)
        _check_exit_code(answer["value"], count)
        seconds = answer["steps"]["infer"]
        rows.append((str(count), f"{seconds:.1f}", milliseconds(seconds / count), f"{answer['peak_mib']:,.0f}"))
        raw[count] = {"seconds": seconds, "peak_mib": answer["peak_mib"]}
    notes = ("tools/infer.py with the exported small model, overlays and tables included; the start is in it.",)
    columns = ("files", "s in all", "ms per file", "peak memory, MiB")
    return Table(f"Files of {_FILE_PX} px in one run, {threads} threads", columns, tuple(rows), notes), raw


def _check_exit_code(code, count):
    if code != 0:
        raise InstallationError(
            f"infer failed on {count} files that were to be measured", got=f"exit code {code}", expected="0"
        )

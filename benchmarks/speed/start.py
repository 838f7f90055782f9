"""From the command to the first result: one image, a fresh process each time, and where the time goes.

The same model as a training run and as its exports. Not here: what is slow only once per machine, such as reading the
libraries from a cold disk.
"""

import functools
import math
import re
import statistics
import sys
from pathlib import Path

from benchmarks.speed.processes import finish, in_fresh_process
from benchmarks.speed.report import Part, Table, milliseconds, ratio
from benchmarks.speed.timing import Contender, speedups, take_turns

RUN = "training run"
_CORE = ("numpy", "cv2", "PIL.Image", "pycocotools.mask", "tqdm")
_LIBRARIES = {
    RUN: (*_CORE, "torch", "torchvision", "segtumor.compat", "detectron2.modeling", "detectron2.config"),
    "torchscript": (*_CORE, "torch", "torchvision"),
    "onnx": (*_CORE, "onnxruntime"),
    "openvino": (*_CORE, "openvino"),
}
_OWN = (
    "segtumor.commands.infer",
    "segtumor.inference.load",
    "segtumor.inference.batch.run",
    "segtumor.runtime.exported",
)
_OWN_OF = {
    RUN: ("segtumor.config", "segtumor.models.detectron2_detector", "segtumor.export.graphs"),
    "torchscript": ("segtumor.runtime.sessions.torchscript",),
    "onnx": ("segtumor.runtime.sessions.onnx_graphs",),
    "openvino": ("segtumor.runtime.sessions.openvino_graphs",),
}
_STEPS = ("libraries", "own code", "load", "read", "first", "second")


def measure_start(folders, image, output, *, repeats, threads):
    """Time the command, and apart from that its steps.

    Args:
        folders: {"training run" or a format: folder}, the first is the baseline.
        image: file to predict.
        output: folder for what the command writes; is replaced.
        repeats: turns.
        threads: of the model.

    Returns:
        Part.
    """
    commands = {
        kind: _command(folder, image, Path(output, str(i)), threads) for i, (kind, folder) in enumerate(folders.items())
    }
    timings = take_turns(
        {kind: Contender(functools.partial(finish, command, threads)) for kind, command in commands.items()},
        repeats=repeats,
    )
    steps = {
        kind: [in_fresh_process(_steps(kind, folder, image, output, threads), threads=threads) for _ in range(repeats)]
        for kind, folder in folders.items()
    }
    own = {
        kind: own_import_s(finish([command[0], "-X", "importtime", *command[1:]], threads))
        for kind, command in commands.items()
    }
    faster = speedups(timings, next(iter(folders)))
    rows = tuple(_row(kind, timings[kind], faster[kind], steps[kind], own[kind]) for kind in folders)
    raw = {
        kind: {"seconds": list(timings[kind].seconds), "steps": steps[kind], "own_imports_s": own[kind]}
        for kind in folders
    }
    return Part((Table(f"From the command to the first result, {threads} threads", _COLUMNS, rows, _NOTES),), raw)


_COLUMNS = (
    "tools/infer.py, one image, ms",
    "in all",
    "times as fast",
    "interpreter",
    "libraries",
    "own code",
    "of it own",
    "load",
    "read",
    "first",
    "second",
    "peak, MiB",
)
_NOTES = (
    "In all: the whole command, with its output written. The other columns are from processes that do the same step by "
    "step. Own code is importing segtumor's modules after the libraries; of it own is their own time by "
    "`python -X importtime` within the command. Load: model and weights. First and second: one image predicted twice.",
)


def own_import_s(importtime):
    """Seconds that segtumor's modules themselves take when imported.

    Args:
        importtime: what ``python -X importtime`` writes on standard error.
    """
    found = re.findall(r"^import time:\s+(\d+) \|\s+\d+ \|\s+segtumor(?:\.|$)", importtime, re.MULTILINE)
    return sum(map(int, found)) / 1e6


def _command(folder, image, output, threads):
    options = ["--run", str(folder), "--input", str(image), "--output", str(output), "--threads", str(threads)]
    return [sys.executable, "-m", "segtumor", "infer", *options, "--overwrite"]


def _steps(kind, folder, image, output, threads):
    argv = ["--run", str(folder), "--input", str(image), "--output", str(output), "--threads", str(threads)]
    load = "segtumor.inference.load:load_models"
    given = {"runs": "@arguments:run", **{name: f"@arguments:{name}" for name in ("runtime", "threads")}}
    predict = {"call": "@model:predictor.read", "arguments": {"radiograph": "@read"}}
    return [
        {"name": "libraries", "import": _LIBRARIES[kind]},
        {"name": "own code", "import": (*_OWN, *_OWN_OF[kind])},
        {"name": "parser", "call": "segtumor.commands.infer:build_parser"},
        {"name": "arguments", "call": "@parser:parse_args", "arguments": {"args": argv}},
        {"name": "model", "call": load, "arguments": given},
        {"name": "read", "call": "segtumor.imaging:read_radiograph", "arguments": {"path": str(image)}},
        {"name": "first", **predict},
        {"name": "second", **predict},
    ]


def _row(kind, timing, faster, answers, own_s):
    def median_of(step):
        values = [answer["steps"].get("model" if step == "load" else step, math.nan) for answer in answers]
        return statistics.median(values)

    return (
        kind,
        milliseconds(timing.median_s),
        ratio(faster),
        milliseconds(statistics.median(answer["interpreter_s"] for answer in answers)),
        *(milliseconds(median_of(step)) for step in _STEPS[:2]),
        milliseconds(own_s),
        *(milliseconds(median_of(step)) for step in _STEPS[2:]),
        f"{statistics.median(answer['peak_mib'] for answer in answers):,.0f}",
    )

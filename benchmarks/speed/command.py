"""Speed and memory beside peers, in one run that anyone can repeat: ``tools/benchmark_speed.py``."""

import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from segtumor.commands.common.command_line import check_threads, make_parser, run
from segtumor.errors import ConfigError, ModelError
from segtumor.files import prepare_output_folder

_REPOSITORY = Path(__file__).resolve().parents[2]
_CONFIGS = _REPOSITORY / "configs"
PARTS = ("inference", "training", "start", "growth")
_QUICK_PARTS = ("inference", "training")
_LARGE, _TRAINED = "mask_rcnn_R_50_FPN.yaml", "mask_rcnn_R_18_FPN.yaml"
#: The flagship small model; the second where the first is not there.
_FAST = ("fast_mask_rcnn_R_18_FPN.yaml", "tiny_btxrd256.yaml")
_TINY = {
    "MODEL.RESNETS.STEM_OUT_CHANNELS": 8,
    "MODEL.FPN.OUT_CHANNELS": 16,
    "MODEL.ROI_BOX_HEAD.FC_DIM": 16,
    "MODEL.ROI_MASK_HEAD.CONV_DIM": 8,
}
_QUICK_PX = 96
_SIZE_PX, _BATCH = 256, 8
_TOOL = _REPOSITORY / "tools" / "benchmark_speed.py"
_FORMATS = ("torchscript", "onnx", "openvino")


def build_parser():
    """Parser of ``benchmark_speed.py``."""
    parser = make_parser(
        "benchmark_speed.py",
        "Measure speed and memory beside Detectron2 and torchvision. Contenders take turns in one process, figures\n"
        "are medians and ratios of medians; results must equal Detectron2's (exit code 3 if they do not).\n"
        "One table for each part on standard output, progress on standard error.",
        examples=[
            "python tools/benchmark_speed.py --quick",
            "python tools/benchmark_speed.py --parts inference --images datasets/btxrd256/images --n-images 50",
            "python tools/benchmark_speed.py --parts training --profile",
            "python tools/benchmark_speed.py --parts start --run output/demo/run --output output/speed",
        ],
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}; default all")
    parser.add_argument("--quick", action="store_true", help="tiny models and two images: checks results, not speed")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="turns (default %(default)s)")
    parser.add_argument("--threads", type=int, metavar="N", help="of each contender (default: one for each core)")
    parser.add_argument("--output", metavar="DIR", help="also write speed.md and speed.json there")
    parser.add_argument("--profile", action="store_true", help="training: the most costly operations of a step")
    models = parser.add_argument_group("models and images")
    models.add_argument("--images", metavar="DIR", help="radiographs; default synthetic ones and a blank image")
    models.add_argument(
        "--n-images", type=int, default=5, metavar="N", help="on which findings are compared (default %(default)s)"
    )
    models.add_argument("--n-timed", type=int, default=5, metavar="N", help="of these, timed (default %(default)s)")
    models.add_argument("--config-file", metavar="FILE", help=f"the large model; default configs/{_LARGE}")
    models.add_argument("--weights", metavar="FILE", help="its weights; default seeded random ones")
    models.add_argument("--fast", metavar="FILE", help="configuration of the small model; default one of configs/")
    models.add_argument("--fast-weights", metavar="FILE", help="its weights; default seeded random ones")
    models.add_argument("--run", metavar="DIR", help="start: a training run in place of the small model")
    return parser


def main(argv=None):
    """Run ``benchmark_speed.py``; returns its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    return run(functools.partial(_body, argv), build_parser(), argv)


def _body(argv, arguments):
    _check(arguments)
    arguments.threads = arguments.threads or os.cpu_count() or 1
    from benchmarks.speed.processes import thread_limits

    limits = thread_limits(arguments.threads)
    if limits.items() <= os.environ.items():
        return _measure(arguments)
    # Libraries read their limits once, when they are loaded: a process that starts with them.
    command = [sys.executable, "-P", str(_TOOL), *map(str, argv)]
    return subprocess.run(command, check=False, env={**os.environ, **limits}).returncode


def _measure(arguments) -> int:
    from benchmarks.speed.report import describe_machine, text_report, write_report
    from segtumor import compat  # noqa: F401  some parts import Detectron2 before anything else of segtumor

    machine = describe_machine(arguments.threads)
    measured = {}
    for name in arguments.parts or (_QUICK_PARTS if arguments.quick else PARTS):
        measured[name] = _MEASURE[name](arguments)
    print(text_report(machine, measured))
    if arguments.output:
        write_report(arguments.output, machine, measured)
        print(f"\nWritten to {arguments.output}: speed.md, speed.json")
    problems = [problem for part in measured.values() for problem in part.problems]
    if problems:
        raise ModelError(f"{len(problems)} ways differ from Detectron2, first: {problems[0]:.400}")
    if "inference" in measured:
        print(f"\nFindings: {_verdict(measured['inference'].raw['rows'])}.")
    if arguments.quick:
        print("Speed: tiny models and one turn say nothing of it; measure it without --quick.")
    return 0


def _verdict(rows) -> str:
    compared = [row["parity"]["n_findings_reference"] for row in rows.values() if row["parity"]]
    if 0 in compared:
        return "of a model Detectron2 found nothing, which leaves nothing to compare; choose other weights or images"
    return "every way gives those of Detectron2, but for rounding"


def _check(arguments):
    check_threads(arguments.threads)
    for option in ("repeats", "n_images", "n_timed"):
        value = getattr(arguments, option)
        if value < 1:
            raise ConfigError("out of range", where=f"--{option.replace('_', '-')}", got=value, expected="1 or more")
    if arguments.quick and set(arguments.parts or ()) - set(_QUICK_PARTS):
        raise ConfigError("--quick has inference and training only", where="--parts", got=" ".join(arguments.parts))
    for option in ("weights", "fast_weights"):
        path = getattr(arguments, option)
        if path and not Path(path).is_file():
            raise ModelError("no such weights file", where=path, remedy=f"Check --{option.replace('_', '-')}")
    if arguments.output:
        prepare_output_folder(arguments.output)  # hours later would be late to hear of it


def _inference(arguments):
    from benchmarks.speed.inference import InferenceSettings, measure_inference

    quick = arguments.quick
    fast_cfg, fast_name = _fast(arguments)
    options = {"short_edge_px": _QUICK_PX, "repeats": 1, "peers": (), "with_pairs": False} if quick else {}
    settings = {
        "cfg": _quick_config() if quick else _config(arguments.config_file or _CONFIGS / _LARGE),
        "weights": arguments.weights,
        "fast_cfg": None if quick else fast_cfg,
        "fast_weights": arguments.fast_weights,
        "fast_name": fast_name,
        "folder": arguments.images,
        "n_images": 2 if quick else arguments.n_images,
        "n_timed": arguments.n_timed,
        "repeats": arguments.repeats,
        "threads": arguments.threads,
    }
    return measure_inference(InferenceSettings(**{**settings, **options}))


def _training(arguments):
    from benchmarks.speed.training import measure_training

    quick = arguments.quick
    return measure_training(
        _quick_config() if quick else _config(_CONFIGS / _TRAINED),
        size_px=_QUICK_PX if quick else _SIZE_PX,
        batch_size=2 if quick else _BATCH,
        repeats=1 if quick else arguments.repeats,
        threads=arguments.threads,
        profile=arguments.profile,
        with_memory=not quick,
    )


def _start(arguments):
    from benchmarks.speed.start import RUN, measure_start
    from benchmarks.speed.subjects import export_run, make_run, write_images
    from segtumor.runs import find_run

    config, weights = find_run(arguments.run) if arguments.run else (None, arguments.fast_weights)
    cfg = _config(config) if config else _fast(arguments)[0]
    with tempfile.TemporaryDirectory() as folder:
        folders = {RUN: Path(folder, "run")}
        make_run(cfg, folders[RUN], weights=weights)
        for format_name in _installed(_FORMATS):
            folders[format_name] = Path(folder, format_name)
            export_run(cfg, folders[RUN], folders[format_name], format_name)
        (image,) = write_images(Path(folder, "images"), 1, 512)
        output = Path(folder, "found")
        return measure_start(folders, image, output, repeats=arguments.repeats, threads=arguments.threads)


def _growth(arguments):
    from benchmarks.speed.growth import measure_growth
    from benchmarks.speed.subjects import export_run, make_run

    large, fast = _config(arguments.config_file or _CONFIGS / _LARGE), _fast(arguments)[0]
    formats = _installed(_FORMATS)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for cfg, name, weights in ((large, "large", arguments.weights), (fast, "fast", arguments.fast_weights)):
            make_run(cfg, folder / name, weights=weights)
            for format_name in formats if name == "large" else formats[-1:]:
                export_run(cfg, folder / name, folder / f"{name}_{format_name}", format_name)
        ways = {"Detectron2": ["--run", str(folder / "large"), "--runtime", "detectron2"]}
        ways.update({name: ["--run", str(folder / f"large_{name}")] for name in formats})
        options = {"repeats": arguments.repeats, "threads": arguments.threads}
        return measure_growth(ways, folder / f"fast_{formats[-1]}", folder, **options)


_MEASURE = {"inference": _inference, "training": _training, "start": _start, "growth": _growth}


def _config(path):
    from segtumor.config import load_config

    return load_config(path)


def _quick_config():
    from segtumor.config import load_config

    return load_config(_CONFIGS / "tiny_phantoms.yaml", [str(text) for pair in _TINY.items() for text in pair])


def _fast(arguments):
    """Configuration of the small model and its name."""
    known = [_CONFIGS / name for name in _FAST if (_CONFIGS / name).is_file()]
    path = Path(arguments.fast) if arguments.fast else (known or [_CONFIGS / _FAST[0]])[0]
    return _config(path), path.stem


def _installed(formats):
    import importlib.util

    needed = {"openvino": ("onnx", "openvino"), "onnx": ("onnx", "onnxruntime"), "torchscript": ("torch",)}
    return [name for name in formats if all(map(importlib.util.find_spec, needed[name]))]

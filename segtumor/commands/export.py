"""Turn a trained model into a folder that runs without torch: ``tools/export.py``."""

import argparse
import logging
import math
from collections.abc import Mapping
from typing import Any

from segtumor.commands.common.command_line import command, make_parser
from segtumor.commands.common.shared_options import add_settings
from segtumor.inference.load import model_config
from segtumor.texts import aligned_table

_RUN = "--run output/demo/run --format openvino --output output/demo/openvino"
_LISTED = 8

logger = logging.getLogger(__name__)


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "export.py",
        "Export a trained model for fast inference on a CPU. What is written is read back and compared with\n"
        "Detectron2's own model on sample radiographs; a 32-bit export whose findings differ is not kept. With --half\n"
        "or --int8 it is kept, and its deviation is reported: evaluate it before use.\n\n"
        "openvino and onnx need neither torch nor Detectron2 to run; torchscript needs torch. A TorchScript file is\n"
        "a program: open only those of people you trust.",
        examples=[
            f"python tools/export.py {_RUN}",
            f"python tools/export.py {_RUN} --overwrite --samples output/demo/phantoms/images",
            "python tools/export.py --run output/demo/run --format onnx --output output/demo/onnx8 --int8"
            " --calibration output/demo/phantoms/images",
            "python tools/export.py --config-file configs/mask_rcnn_R_50_FPN.yaml --format onnx --output r50"
            " --opts MODEL.WEIGHTS model.pth",
        ],
    )
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument(
        "--run", metavar="DIR", help="folder of a training run; its config.yaml and best weights are used"
    )
    model.add_argument("--config-file", metavar="FILE", help="configuration; the weights are given with --opts")
    parser.add_argument(
        "--format", required=True, choices=("torchscript", "onnx", "openvino"), help="which runtime it is for"
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="folder to write, completely or not at all")
    precision = parser.add_mutually_exclusive_group()
    precision.add_argument(
        "--half",
        dest="precision",
        action="store_const",
        const="float16",
        default="float32",
        help="store weights as 16-bit floats: half the size, as fast, nearly the same scores; in ONNX, a training can"
        " start from them",
    )
    precision.add_argument(
        "--int8",
        dest="precision",
        action="store_const",
        const="int8",
        help="8-bit integers: smaller, faster on some processors, different scores",
    )
    parser.add_argument(
        "--calibration",
        nargs="+",
        metavar="PATH",
        help="radiographs to measure 8-bit ranges on: a few dozen like those that will be read (no test data)",
    )
    parser.add_argument(
        "--samples",
        nargs="+",
        default=[],
        metavar="PATH",
        help="radiographs to compare on; default: synthetic ones. A blank one is always added",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the export that is at --output")
    add_settings(parser)
    return parser


@command(build_parser)
def main(arguments: argparse.Namespace) -> None:
    from segtumor.export.export import check_options, export
    from segtumor.export.output_folder import check_output

    check_options(arguments.format, precision=arguments.precision, calibration=arguments.calibration)
    check_output(arguments.output, overwrite=arguments.overwrite)
    manifest = export(
        model_config(run=arguments.run, config_file=arguments.config_file, opts=arguments.opts),
        arguments.output,
        format_name=arguments.format,
        precision=arguments.precision,
        calibration=arguments.calibration,
        samples=arguments.samples,
        overwrite=arguments.overwrite,
    )
    print("\n".join(_table(manifest, arguments.output)))
    if arguments.precision != "float32":
        logger.warning("%s", _remark_on_rounding(arguments.precision, manifest["parity"]))


def _remark_on_rounding(precision: str, parity: Mapping[str, Any]) -> str:
    if "max_probability" in parity:
        change = f"{parity['max_probability']:.2g}, on average {parity['mean_probability']:.2g}"
        return f"Rounding changes probabilities: evaluate this export before use (by up to {change})"
    change = f"{parity['max_score']:.2g}" if math.isfinite(parity["max_score"]) else "unknown"
    what = {"float16": "Weights in 16 bits", "int8": "8-bit integers"}[precision]
    return (
        f"{what} change scores and masks: evaluate this export before use (largest change of a score {change},"
        f" findings lost {parity['n_unmatched_reference']}, new {parity['n_unmatched_other']})"
    )


def _table(manifest: Mapping[str, Any], output: str) -> list[str]:
    """What was written, how far it is from the model, how long that took."""
    rows = [(name, f"{entry['bytes'] / 1e6:.2f} MB") for name, entry in manifest["files"].items()]
    rows.append(("together", f"{sum(entry['bytes'] for entry in manifest['files'].values()) / 1e6:.2f} MB"))
    parity = manifest["parity"]
    rows += [("", ""), *_parity_rows(parity), ("", "")]
    rows += [
        ("exporting and comparing", f"{manifest['seconds']:.1f} s"),
    ]
    title = f"{output}: {manifest['format']}, {manifest['precision']}"
    return [title, *(f"  {line}".rstrip() for line in aligned_table(rows, "<"))]


def _parity_rows(parity: Mapping[str, Any]) -> list[tuple[str, str]]:
    if "max_probability" in parity:  # of a model that is one graph
        return [
            ("compared with", f"the model in torch on {parity['n_samples'] - 1} {parity['samples']} and a blank image"),
            ("largest change of a probability", f"{parity['max_probability']:.2g}"),
            ("mean change", f"{parity['mean_probability']:.2g}"),
        ]
    counts = parity["findings_per_sample"]
    each = ", ".join(map(str, counts)) if len(counts) <= _LISTED else f"{min(counts)} to {max(counts)}"
    paired = parity["n_findings_reference"] - parity["n_unmatched_reference"]
    rows = [
        ("compared with", f"Detectron2 on {parity['n_images'] - 1} {parity['samples']} and a blank image"),
        ("findings of Detectron2", f"{parity['n_findings_reference']} (per sample: {each})"),
        ("findings of this export", f"{parity['n_findings_other']}"),
        ("lost, new", f"{parity['n_unmatched_reference']}, {parity['n_unmatched_other']}"),
    ]
    if math.isfinite(parity["max_unmatched_score"]):
        rows.append(("highest score of those", f"{parity['max_unmatched_score']:.3f}"))
    if parity["n_at_edge"]:
        rows.append(("at the score limit of one only", f"{parity['n_at_edge']}"))
    if not paired:
        return [*rows, ("largest difference", "nothing to compare: no findings; choose --samples with lesions")]
    return [
        *rows,
        ("largest shift of a box", f"{parity['max_box_px']:.2g} px"),
        ("largest change of a score", f"{parity['max_score']:.2g}"),
        ("lowest, median mask IoU", f"{parity['min_mask_iou']:.4f}, {parity['median_mask_iou']:.4f}"),
    ]

"""Make a trained VGG model narrower, as a starting point for fine-tuning: ``tools/prune.py``."""

import argparse
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segtumor.commands.common.command_line import command, make_parser
from segtumor.commands.common.terminal import print_table
from segtumor.runs import CONFIG, PRUNED_WEIGHTS, PRUNING, find_run


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "prune.py",
        "Remove the least important channels of a trained model with a VGG backbone.\n"
        "The result finds fewer lesions until it is fine-tuned; the command for that is printed.",
        examples=[
            "python tools/prune.py --run output/vgg --fraction 0.5 --output output/vgg_pruned",
            "python tools/prune.py --run output/fast_vgg --fraction 0.5 --fc-dim 1024 --output output/fast_vgg_pruned",
        ],
    )
    parser.add_argument(
        "--run", required=True, metavar="DIR", help="folder of a training run; its best weights are used"
    )
    parser.add_argument(
        "--fraction",
        type=float,
        required=True,
        metavar="F",
        help="share of the backbone's channels to remove, 0 to 1",
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="where to write; new or empty")
    parser.add_argument(
        "--scope",
        choices=("layer", "global"),
        default="layer",
        help="remove that share of each layer, or of all layers together; default layer",
    )
    parser.add_argument(
        "--multiple", type=int, default=8, metavar="N", help="each layer keeps a multiple of N channels; default 8"
    )
    parser.add_argument(
        "--fc-dim", type=int, metavar="N", help="also cut the fully connected layers of the box head to N units"
    )
    return parser


@command(build_parser)
def main(arguments: argparse.Namespace) -> None:
    from segtumor.config import load_config
    from segtumor.export.pruning.runs import prune_run

    config_file, weights = find_run(arguments.run)
    report = prune_run(
        load_config(config_file),
        weights,
        arguments.output,
        fraction=arguments.fraction,
        scope=arguments.scope,
        multiple=arguments.multiple,
        fc_dim=arguments.fc_dim,
    )
    _show(report, Path(arguments.output))


def _show(report: Mapping[str, Any], folder: Path) -> None:
    def quote(path: str | Path) -> str:
        return shlex.quote(str(path))

    before_after = [(entry["name"], entry["before"], entry["after"]) for entry in report["layers"]]
    print_table(("channels of", "before", "after"), before_after)
    print()
    backbone, (height, width) = report["backbone"], report["backbone"]["image_size_hw"]
    totals = {
        "parameters of the model": report["model_parameters"],
        "parameters of the backbone": backbone["parameters"],
        f"multiplications of the backbone, {width} x {height} px": backbone["macs"],
    }
    rows = [
        (name, f"{n['before']:,}", f"{n['after']:,}", f"{100 * n['after'] / n['before']:.0f} %")
        for name, n in totals.items()
    ]
    print_table(("", "before", "after", "left"), rows)
    print(
        f"\nLeast important by: {report['importance']}\n"
        f"Written to {folder}: {CONFIG}, {PRUNED_WEIGHTS}, {PRUNING}\n"
        "This is a starting point, not a result: fine-tune it. The schedule is still that of the run;"
        " SOLVER.BASE_LR and SOLVER.MAX_ITER\nat the end of the line change it.\n"
        f"  python tools/train_net.py --config-file {quote(folder / CONFIG)}"
        f" --init-from {quote(folder / PRUNED_WEIGHTS)} OUTPUT_DIR {quote(f'{folder}_finetuned')}"
    )

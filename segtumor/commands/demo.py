"""The whole workflow in one command: synthetic radiographs, training, evaluation, overlays. ``make demo`` runs it."""

import argparse
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from segtumor.commands.common.command_line import command, make_parser
from segtumor.commands.common.output_folder import locks_output
from segtumor.commands.common.terminal import CaseProgress
from segtumor.errors import ConfigError
from segtumor.runs import EVALUATIONS, FINDINGS, OVERLAYS, REPORT, TRAINING_CURVES, find_run
from segtumor.shipped.registry import DEFAULT, starting_weights
from segtumor.system.locks import is_empty

if TYPE_CHECKING:
    from detectron2.config import CfgNode

    from segtumor.evaluation.study.values import Evaluation

_CONFIGURATION = "lite_phantoms.yaml"


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "segtumor demo",
        "Make synthetic radiographs (phantoms), train the model that comes with segtumor on them, evaluate it on\n"
        "held-out cases and draw what it finds there.",
        examples=[
            "segtumor demo",
            "segtumor demo --output output/quick --cases 100 SOLVER.MAX_ITER 50 TEST.EVAL_PERIOD 25",
            "segtumor demo --output output/scratch --config-file tiny_phantoms.yaml",
        ],
    )
    parser.add_argument(
        "--output", default="output/demo", metavar="DIR", help="where everything goes (default %(default)s)"
    )
    parser.add_argument(
        "--cases", type=int, default=300, metavar="N", help="cases, two views each (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="seed of the phantoms (default %(default)s)")
    parser.add_argument(
        "--config-file",
        default=_CONFIGURATION,
        metavar="FILE",
        help=f"configuration of model and training (default {_CONFIGURATION}, which starts from {DEFAULT}; any other"
        " starts from random weights)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the earlier demo in --output")
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE", help="settings, e.g. SOLVER.MAX_ITER 500")
    return parser


@command(build_parser)
@locks_output
def main(arguments: argparse.Namespace) -> None:
    output = Path(arguments.output)
    _refuse_earlier(output, overwrite=arguments.overwrite)
    from segtumor.config import load_config
    from segtumor.training.final_evaluation import import_late_dependencies

    cfg = load_config(arguments.config_file, arguments.opts)
    import_late_dependencies()
    cfg.OUTPUT_DIR = str(output / "run")
    print(f"1/3  Drawing {arguments.cases} synthetic cases (phantoms, no patient data)")
    _make_phantoms(output / "phantoms", cases=arguments.cases, seed=arguments.seed)
    print(f"2/3  Training {cfg.SOLVER.MAX_ITER} iterations, measuring on the validation part as it goes")
    evaluations = _train(cfg, output, init_from=_start(arguments.config_file))
    print("3/3  Drawing what the model found on the held-out cases")
    _draw(cfg, output)
    _show(evaluations, output)


def _refuse_earlier(output: Path, *, overwrite: bool) -> None:
    if is_empty(output):
        return
    if not (output / "phantoms" / "SYNTHETIC.txt").is_file():
        raise ConfigError("not the folder of an earlier demo", where=output, remedy="Choose another --output")
    if not overwrite:
        remedy = "Choose another --output, or replace it with --overwrite"
        raise ConfigError("the folder holds an earlier demo", where=output, remedy=remedy)


def _make_phantoms(folder: Path, *, cases: int, seed: int) -> None:
    from segtumor.synthesis.phantoms import write_phantom_dataset

    with CaseProgress(cases) as progress:
        write_phantom_dataset(folder, cases=cases, seed=seed, overwrite=True, progress=progress)


def _train(cfg: "CfgNode", output: Path, *, init_from: str | None) -> dict[str, "Evaluation"]:
    from segtumor.training.train import train

    os.environ["DETECTRON2_DATASETS"] = str(output)  # the names phantoms_train, ... are looked up there
    return train(cfg, overwrite=True, init_from=starting_weights(init_from) if init_from else None)


def _start(config_file: str) -> str | None:
    """The weights that a configuration, wherever it lies, starts from: other networks have no place for those."""
    return DEFAULT if Path(config_file).name == _CONFIGURATION else None


def _draw(cfg: "CfgNode", output: Path) -> None:
    from segtumor.inference.batch.options import Options
    from segtumor.inference.batch.run import infer_with
    from segtumor.inference.load import model_of_config

    test = json.loads((output / "phantoms" / "annotations" / "test.json").read_text(encoding="utf-8"))
    paths = [output / "phantoms" / "images" / image["file_name"] for image in test["images"]]
    cfg.defrost()
    cfg.MODEL.WEIGHTS = str(find_run(cfg.OUTPUT_DIR)[1])
    model = model_of_config(cfg)
    options = Options.of_model(model, note="Synthetic radiograph (phantom)", overwrite=True)
    infer_with(model, paths, output / "found", options)


def _show(evaluations: Mapping[str, "Evaluation"], output: Path) -> None:
    from segtumor.evaluation.study.headline import headline_table

    for evaluation in evaluations.values():
        print(f"\nHeld-out SYNTHETIC cases:\n{headline_table(evaluation)}\n")
    print(f"Overlays to look at:   {output / 'found' / OVERLAYS}")
    print(f"Findings as a table:   {output / 'found' / FINDINGS}")
    print(f"Report of all numbers: {output / 'run' / EVALUATIONS / 'phantoms_test' / REPORT}")
    print(f"Training curves:       {output / 'run' / TRAINING_CURVES}")
    print("These numbers are of synthetic images; they say nothing about real radiographs. Research use only.")

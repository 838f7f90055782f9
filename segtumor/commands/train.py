"""Train a model, or evaluate one: ``tools/train_net.py``."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from segtumor.commands.common.command_line import command, make_parser
from segtumor.commands.common.shared_options import add_training_settings

if TYPE_CHECKING:
    from detectron2.config import CfgNode

    from segtumor.evaluation.study.values import Evaluation

#: What Detectron2 sets where nobody has set it.
_DETECTRON2_OUTPUT = "./output"


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "train_net.py",
        "Train a model on radiographs, with validation, best weights and early stopping; evaluate it on the test set.",
        examples=[
            "python tools/train_net.py --config-file configs/tiny_phantoms.yaml",
            "python tools/train_net.py --config-file configs/btxrd256_R_18_FPN.yaml --dry-run",
            "python tools/train_net.py --config-file configs/btxrd256_R_18_FPN.yaml --resume",
            "python tools/train_net.py --config-file configs/btxrd256_R_18_FPN.yaml --eval-only",
            "python tools/train_net.py --config-file configs/tiny_phantoms.yaml --finish-only --init-from mean.pth"
            " OUTPUT_DIR output/mean",
        ],
    )
    parser.add_argument("--config-file", required=True, metavar="FILE", help="a file of configs/")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--resume", action="store_true", help="continue the run in OUTPUT_DIR")
    how.add_argument("--eval-only", action="store_true", help="evaluate MODEL.WEIGHTS, or the best model in OUTPUT_DIR")
    how.add_argument(
        "--finish-only",
        action="store_true",
        help="train nothing: make a run of the weights of --init-from, with all that follows a training",
    )
    how.add_argument(
        "--dry-run", action="store_true", help="check data and settings, take a few steps, print time and memory"
    )
    parser.add_argument(
        "--init-from",
        metavar="WEIGHTS",
        help="start from these weights: a file, a 16-bit ONNX export, or a name that `segtumor models` lists; reports"
        " what they lack",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the run in OUTPUT_DIR")
    parser.add_argument(
        "--num-gpus", type=int, metavar="N", help="GPUs per machine; 0: the CPU; default: as MODEL.DEVICE says"
    )
    parser.add_argument("--num-machines", type=int, default=1, metavar="N", help="machines, each running this command")
    parser.add_argument("--machine-rank", type=int, default=0, metavar="R", help="index of this machine, from 0")
    parser.add_argument("--dist-url", default="tcp://127.0.0.1:50152", metavar="URL", help="for several GPUs")
    add_training_settings(parser)
    return parser


@command(build_parser)
def main(arguments: argparse.Namespace) -> int:
    from segtumor.config import load_config
    from segtumor.shipped.registry import starting_weights

    cfg = load_config(arguments.config_file, arguments.opts)
    _check(arguments)
    if arguments.init_from:
        arguments.init_from = starting_weights(arguments.init_from)
    if arguments.num_gpus is not None:
        cfg.MODEL.DEVICE = "cuda" if arguments.num_gpus else "cpu"
    gpus = arguments.num_gpus or 0
    if cfg.OUTPUT_DIR == _DETECTRON2_OUTPUT:
        cfg.OUTPUT_DIR = str(Path("output") / Path(arguments.config_file).stem)
    if gpus * arguments.num_machines <= 1:
        return _work(cfg, arguments)
    from detectron2.engine import launch

    launch(
        _work,
        gpus,
        num_machines=arguments.num_machines,
        machine_rank=arguments.machine_rank,
        dist_url=arguments.dist_url,
        arguments=(cfg, arguments),
    )
    return 0


def _check(arguments: argparse.Namespace) -> None:
    import torch

    from segtumor.errors import ConfigError, InstallationError
    from segtumor.training.final_evaluation import import_late_dependencies

    import_late_dependencies()
    if arguments.init_from and (arguments.resume or arguments.eval_only):
        raise ConfigError(
            "--init-from starts a new run", where="command line", remedy="Leave out --resume or --eval-only"
        )
    if (arguments.num_gpus or 0) > torch.cuda.device_count():
        raise InstallationError(
            "fewer GPUs than asked for",
            got=torch.cuda.device_count(),
            expected=arguments.num_gpus,
            remedy="Use --num-gpus 0",
        )


def _work(cfg: "CfgNode", arguments: argparse.Namespace) -> int:
    from segtumor.training import final_evaluation, finishing
    from segtumor.training import train as training

    if arguments.dry_run:
        print("\n".join(training.dry_run(cfg, init_from=arguments.init_from)))
        return 0
    if arguments.eval_only:
        evaluations = final_evaluation.evaluate_run(cfg)
    elif arguments.finish_only:
        evaluations = finishing.finish_only(cfg, init_from=arguments.init_from, overwrite=arguments.overwrite)
    else:
        evaluations = training.train(
            cfg, resume=arguments.resume, overwrite=arguments.overwrite, init_from=arguments.init_from
        )
    _show(evaluations, cfg.OUTPUT_DIR)
    return 0


def _show(evaluations: Mapping[str, "Evaluation"], folder: str) -> None:
    from segtumor.evaluation.study.headline import headline_table

    for name, evaluation in evaluations.items():
        print(f"\n{name}:\n{headline_table(evaluation)}")
    print(f"\nEverything is in {folder}; tables and plots of each test set are in its folder inference/")

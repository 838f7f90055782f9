#!/usr/bin/env python3
"""Does the demo reach what it must? And does the same model with shuffled weights fail, so that the check can fail?"""

import os
import sys
from pathlib import Path

from segtumor.commands.common.command_line import make_parser, run
from segtumor.errors import DataError

#: Least values on held-out phantoms.
REQUIRED = {"mask AP50": 85.0, "mean lesion Dice (missed = 0)": 0.80}


def build_parser():
    parser = make_parser(
        "check_demo.py",
        "Evaluate a finished demo on its held-out phantoms, and once more with every weight tensor shuffled.",
        examples=["python tools/check_demo.py --demo output/demo"],
    )
    parser.add_argument("--demo", default="output/demo", metavar="DIR", help="folder of the demo (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the shuffling (default %(default)s)")
    return parser


def main(argv=None):
    return run(_body, build_parser(), argv)


def _body(arguments) -> int:
    os.environ["DETECTRON2_DATASETS"] = arguments.demo
    model, measure = _prepare(Path(arguments.demo) / "run")
    trained = measure()
    shuffle_weights(model, seed=arguments.seed)
    shuffled = measure()
    print(f"{'':32}{'required':>10}{'trained':>10}{'shuffled':>10}")
    for name, least in REQUIRED.items():
        print(f"{name:32}{least:>10.2f}{trained[name]:>10.2f}{shuffled[name]:>10.2f}")
    if not passes(trained):
        raise DataError("the demo falls short", where=arguments.demo, got=trained, expected=REQUIRED)
    if passes(shuffled):
        raise DataError("a model with shuffled weights passes: the check is worthless", where=arguments.demo)
    return 0


def passes(values):
    """Whether every required value is reached; NaN is not."""
    return all(values[name] >= least for name, least in REQUIRED.items())


def shuffle_weights(model, *, seed) -> None:
    """Permute the values inside every floating-point parameter: same values, no knowledge."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            flat = parameter.flatten()
            parameter.copy_(flat[torch.randperm(flat.numel(), generator=generator)].reshape(parameter.shape))


def _prepare(run_folder):
    from segtumor.config import load_config
    from segtumor.evaluation.study.metrics import evaluate
    from segtumor.models.build import create_model, predictor_from_config
    from segtumor.models.weights import load_weights
    from segtumor.runs import find_run
    from segtumor.training.batches.catalog import load_datasets
    from segtumor.training.validation import predict_dataset

    config_file, weights = find_run(run_folder)
    cfg = load_config(config_file)
    model = create_model(cfg)
    load_weights(model, weights, strict=True)
    (dataset,) = load_datasets(cfg.DATASETS.TEST)
    predictor = predictor_from_config(cfg, model, dataset.taxonomy.names)

    def measure():
        results = predict_dataset(
            predictor, dataset, batch_size=cfg.SOLVER.IMS_PER_BATCH, max_pixels=cfg.INPUT.MAX_PIXELS
        )
        metrics = evaluate(results, dataset.taxonomy.names, score_threshold=cfg.TEST.CONFIDENCE_THRESHOLD).metrics
        return dict(zip(REQUIRED, [metrics["detection"]["segm"]["AP50"], metrics["overlap"]["dice"]], strict=True))

    return model, measure


if __name__ == "__main__":
    sys.exit(main())

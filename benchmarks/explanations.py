"""How well heat maps agree with lesions: every method on images of a data set that have one, beside shuffled weights.

    python benchmarks/explanations.py --run output/classifier --annotations datasets/phantoms/annotations/test.json

Of an image the map of its first finding is judged, or that of the whole image where the model marks none; images
without either are counted. With shuffled weights (each tensor's values in another order) a map that explains the model
must change: the last columns are its correlation with the map of the trained weights, and how often it still points
into a lesion.
"""

import argparse
import copy
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from segtumor import compat  # noqa: F401  must come before Detectron2
from segtumor.annotations.coco import load_coco
from segtumor.datasets.sampling import evenly_spaced
from segtumor.evaluation.facts.heat import HeatScores, score_heat
from segtumor.explain.explained import Explained
from segtumor.explain.heat import METHODS
from segtumor.imaging import read_radiograph
from segtumor.inference.explaining import explainable_config
from segtumor.inference.load import model_of_config
from segtumor.models.build import predictor_from_config
from segtumor.models.image_models import module_of
from segtumor.runtime.predictor import Predictor
from segtumor.shipped.registry import model_folder
from segtumor.structures.masks import mask_from_rle
from segtumor.texts import aligned_table


def main() -> None:
    arguments = _arguments()
    cfg = explainable_config(model_folder(arguments.run), None, ())
    if arguments.threshold is not None:
        cfg.TEST.CONFIDENCE_THRESHOLD = arguments.threshold
    cfg.freeze()
    dataset = load_coco(arguments.annotations, arguments.images)
    records = [
        (record, truth)
        for record, truth in zip(dataset.records, dataset.annotated_images, strict=True)
        if any(lesion.rle is not None and not lesion.iscrowd for lesion in truth.lesions)
    ]
    chosen = evenly_spaced(records, arguments.n_images)
    loaded = model_of_config(cfg, runtime="detectron2")
    module = module_of(loaded.predictor.model)
    names = loaded.predictor.class_names
    trained = predictor_from_config(cfg, module, names)
    random = predictor_from_config(cfg, shuffled(module), names)
    rows = [["method", "images", "points inside", "energy inside", "IoU", "shuffled: correlation", "points inside"]]
    for method in arguments.methods:
        found = [
            _judged(record["file_name"], truth, trained, random, method, cfg.TEST.CONFIDENCE_THRESHOLD)
            for record, truth in chosen
        ]
        rows.append([method, *_row([each for each in found if each is not None], len(chosen))])
    print("\n".join(aligned_table(rows, "<>>>>>>")))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", help="training run or name of a model; default: the shipped one")
    parser.add_argument("--annotations", required=True)
    parser.add_argument("--images")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--n-images", type=int, default=50)
    parser.add_argument("--threshold", type=float)
    return parser.parse_args()


def shuffled(module: nn.Module) -> nn.Module:
    """A copy whose weights are those of ``module``, each tensor's values in another order."""
    copied, generator = copy.deepcopy(module), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in copied.parameters():
            flat = parameter.flatten()
            parameter.copy_(flat[torch.randperm(len(flat), generator=generator)].view_as(parameter))
    return copied


def _judged(
    path: str | Path, truth: object, trained: Predictor, random: Predictor, method: str, threshold: float
) -> tuple[HeatScores, HeatScores, float] | None:
    radiograph = read_radiograph(path)
    lesions = np.any([mask_from_rle(lesion.rle) for lesion in truth.lesions if lesion.rle is not None], axis=0)
    maps = [_map_of(predictor, radiograph, method, threshold) for predictor in (trained, random)]
    if maps[0] is None:
        return None
    if maps[1] is None:  # the shuffled model finds nothing: no heat at all
        maps[1] = np.zeros_like(maps[0])
    agreement = np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1] if maps[1].any() and maps[0].any() else 0.0
    return score_heat(maps[0], lesions), score_heat(maps[1], lesions), float(agreement)


def _map_of(predictor: Predictor, radiograph: object, method: str, threshold: float) -> np.ndarray | None:
    explained = Explained(
        module_of(predictor.model),
        predictor.model,
        predictor.class_names,
        method=method,
        settings=predictor.settings,
        threshold=threshold,
    )
    maps: Mapping[str, np.ndarray] = predictor.with_model(explained).read(radiograph).maps
    return next(iter(maps.values()), None)


def _row(found: Sequence[tuple[HeatScores, HeatScores, float]], asked: int) -> list[str]:
    if not found:
        return [f"0 of {asked}", *["-"] * 5]
    own, random, agreement = zip(*found, strict=True)
    return [
        f"{len(found)} of {asked}",
        f"{np.mean([scores.points_inside for scores in own]):.2f}",
        f"{np.nanmean([scores.energy_inside for scores in own]):.2f}",
        f"{np.mean([scores.iou for scores in own]):.2f}",
        f"{np.mean(agreement):.2f}",
        f"{np.mean([scores.points_inside for scores in random]):.2f}",
    ]


if __name__ == "__main__":
    main()

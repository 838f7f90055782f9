#!/usr/bin/env python
"""What images of one patient on both sides of a split are worth: tumour or normal, split by image and by case.

The cheap form of `segtumor benchmark reproduce --study alrabai-2026`: a network with ImageNet weights is not trained,
only its features (before its last layer) are computed, once, and a logistic regression learns from them on many splits
of 70/20/10 % (training, unused, test). Each split by image is paired with one by case of the same seed.
"""

import argparse

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from segtumor.annotations.coco import load_coco
from segtumor.cases import case_or_own
from segtumor.config import load_config
from segtumor.datasets.splits.split import GROUPED, IMAGE, make_split
from segtumor.evaluation.facts.truth import has_tumor
from segtumor.imaging import read_radiograph
from segtumor.models.build import create_model, windowing_from_config
from segtumor.models.kinds import set_classes
from segtumor.models.weights import load_weights
from segtumor.taxonomy import BENIGN, NORMAL

FRACTIONS = {"train": 0.7, "unused": 0.2, "test": 0.1}
BATCH = 32


def main():
    """Run the benchmark; returns 0."""
    args = _parser().parse_args()
    dataset = load_coco(args.annotations)
    names = [record["file_name"] for record in dataset.records]
    cases = [case_or_own(record) for record in dataset.records]
    tumor = np.array([has_tumor(truth, dataset.taxonomy.names) for truth in dataset.annotated_images])
    values = features(names, args)
    found = {kind: [] for kind in (IMAGE, GROUPED)}
    for seed in range(args.splits):
        for kind, rows in found.items():
            labels = [BENIGN if one else NORMAL for one in tumor]
            split = make_split(kind, names, cases, labels, seed=seed, fractions=FRACTIONS)
            rows.append(measured(values, tumor, names, cases, split))
    print(f"{'split':10}{'accuracy':>16}{'AUC':>16}{'test images whose case was trained on':>42}")
    for kind, rows in found.items():
        mean, sd = np.mean(rows, axis=0), np.std(rows, axis=0, ddof=1)
        cells = [f"{m:.3f} +- {s:.3f}" for m, s in zip(mean, sd, strict=True)]
        print(f"{kind:10}{cells[0]:>16}{cells[1]:>16}{cells[2]:>42}")
    difference = np.array(found[IMAGE]) - np.array(found[GROUPED])
    mean, sd = difference.mean(axis=0), difference.std(axis=0, ddof=1)
    print(f"difference {mean[0]:+.3f} +- {sd[0]:.3f} accuracy, {mean[1]:+.3f} +- {sd[1]:.3f} AUC, {args.splits} splits")
    return 0


def measured(values, tumor, names, cases, split):
    """(accuracy, AUC, proportion of the test images of trained cases) of one split."""
    part = np.array([split.assignment[name]["part"] for name in names])
    train, test = part == "train", part == "test"
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
    score = model.fit(values[train], tumor[train]).predict_proba(values[test])[:, 1]
    trained = {case for case, one in zip(cases, train, strict=True) if one}
    shared = np.mean([case in trained for case, one in zip(cases, test, strict=True) if one])
    return np.mean((score >= 0.5) == tumor[test]), roc_auc_score(tumor[test], score), shared


def features(paths, args):
    """(N, F) float32, what goes into the last layer."""
    size = ["INPUT.MIN_SIZE_TEST", str(args.size)]
    cfg = load_config(args.config_file, ["MODEL.DEVICE", "cpu", *size])
    set_classes(cfg, ["tumour"])
    model, windowing, seen = create_model(cfg), windowing_from_config(cfg), []
    load_weights(model, args.weights, strict=False)
    last = [layer for layer in model.eval().modules() if isinstance(layer, torch.nn.Linear)][-1]
    last.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].numpy()))
    with torch.inference_mode():
        for start in range(0, len(paths), BATCH):
            windows = [
                windowing.window(read_radiograph(path, log=False).pixels) for path in paths[start : start + BATCH]
            ]
            model([{"image": torch.from_numpy(255 * window).expand(3, -1, -1)} for window in windows])
    return np.concatenate(seen)


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="example:\n  python benchmarks/split_leak.py --annotations datasets/btxrd_all/annotations/all.json "
        "--weights efficientnet_lite0.pth",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--annotations", required=True, metavar="JSON", help="COCO file with all images")
    parser.add_argument("--weights", required=True, metavar="FILE", help="ImageNet weights of the network")
    parser.add_argument("--config-file", default="configs/classifier_efficientnet_lite0.yaml", metavar="FILE")
    parser.add_argument("--size", type=int, default=128, metavar="PX", help="side of the pictures (128)")
    parser.add_argument("--splits", type=int, default=20, metavar="N", help="splits of each kind (20)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

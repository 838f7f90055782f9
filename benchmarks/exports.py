#!/usr/bin/env python
"""Export every configuration with random weights, and print how far the export's answers are from the model's.

Weights of the last layers are drawn widely, so that the model finds something and scores differ. An export that
answers otherwise is refused as `segtumor export` refuses it, and said. Findings are compared on small phantoms.
"""

import argparse
import tempfile
from pathlib import Path

import torch

from segtumor.config import load_config
from segtumor.errors import SegtumorError
from segtumor.export.export import export
from segtumor.models.build import create_model
from segtumor.models.kinds import kind_of, set_classes
from segtumor.models.weights import write_checkpoint
from segtumor.tabular.encoder import fit_table, plans_of

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
NAMES = ["benign", "malignant"]
ROWS = [{"age": 12, "sex": "M"}, {"age": 60, "sex": "F"}]
#: Small pictures and few regions; no score limit.
SMALL = {
    "INPUT.MIN_SIZE_TEST": "96",
    "MODEL.RPN.POST_NMS_TOPK_TEST": "20",
    "MODEL.ROI_HEADS.SCORE_THRESH_TEST": "0.0",
    "MODEL.RETINANET.SCORE_THRESH_TEST": "0.0",
    "MODEL.DEVICE": "cpu",
}
LAST = (
    *("cls_score.weight", "bbox_pred.weight", "image_head.layers.3.weight"),
    *("head.layers.0.weight", "head.layers.1.weight", "head.layers.2.weight", "decoder.last.weight"),
    *("network.classifier.1.weight", "network.classifier.6.weight", "network.fc.1.weight", "head.weight"),
)
SPREAD = 0.05
DIFFERENCES = ("max_box_px", "max_score", "min_mask_iou", "max_image_probability", "max_probability")


def main():
    """Run the benchmark; 1 if an export answers otherwise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configs", nargs="+", metavar="NAME", help="of files in configs/ (default: all)")
    parser.add_argument("--formats", nargs="+", default=["onnx", "openvino"], help="(default onnx openvino)")
    args = parser.parse_args()
    paths = [CONFIGS / f"{name}.yaml" for name in args.configs] if args.configs else sorted(CONFIGS.glob("*.yaml"))
    print(f"{'configuration':42}{'format':12}" + "".join(f"{name:>24}" for name in DIFFERENCES))
    wrong = 0
    for path in paths:
        cfg = load_config(path, [text for pair in SMALL.items() for text in pair])
        if path.name.startswith("Base-"):  # no model by itself
            continue
        if kind_of(cfg).fit is not None:
            print(f"{path.stem:42}fitted at once, not exported")
            continue
        with tempfile.TemporaryDirectory() as folder:
            wrong += exported(with_weights(cfg, Path(folder)), path.stem, args.formats, Path(folder))
    return int(wrong > 0)


def with_weights(cfg, folder):
    """The configuration with random weights on disk."""
    torch.manual_seed(0)
    set_classes(cfg, NAMES)
    if cfg.MODEL.CLINICAL.COLUMNS:
        plans = plans_of(cfg.MODEL.CLINICAL.COLUMNS, where="MODEL.CLINICAL.COLUMNS")
        cfg.MODEL.CLINICAL.FITTED = fit_table(plans, ROWS, [True, False], [0, 1]).as_dicts()
    model = create_model(cfg).eval()
    for name, parameter in model.named_parameters():
        if name.endswith(LAST):
            torch.nn.init.normal_(parameter, std=SPREAD)
    cfg.MODEL.WEIGHTS = str(folder / "model.pth")
    write_checkpoint(cfg.MODEL.WEIGHTS, {"model": model.state_dict(), "class_names": NAMES})
    return cfg


def exported(cfg, name, formats, folder):
    """How many of the formats answer otherwise; prints a line for each."""
    wrong = 0
    for format_name in formats:
        try:
            parity = export(cfg, folder / format_name, format_name=format_name)["parity"]
            cells = [f"{parity[key]:24.2g}" if key in parity else f"{'':24}" for key in DIFFERENCES]
        except SegtumorError as error:
            wrong, cells = wrong + 1, [f"  {error}"]
        print(f"{name:42}{format_name:12}" + "".join(cells), flush=True)
    return wrong


if __name__ == "__main__":
    raise SystemExit(main())

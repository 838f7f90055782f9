"""Find tumours on radiographs: ``tools/infer.py``."""

import argparse

from segtumor.commands.shell import make_parser, run
from segtumor.errors import ConfigError, DataError, SomeInputsFailedError


def build_parser():
    parser = make_parser(
        "infer.py",
        "Find bone tumours on radiographs; writes overlays, predictions.json, findings.csv and summary.json.",
        examples=[
            "python tools/infer.py --run output/demo/run --input output/demo/phantoms/images --output output/overlays",
            "python tools/infer.py --run output/btxrd256_R_18_FPN --input 'scans/*.dcm' knee.png --output found",
            "python tools/infer.py --config-file configs/mask_rcnn_R_50_FPN.yaml --input scans --output found"
            " --opts MODEL.WEIGHTS model.pth",
        ],
    )
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument(
        "--run", metavar="DIR", help="folder of a training run; its config.yaml and best weights are used"
    )
    model.add_argument("--config-file", metavar="FILE", help="configuration; the weights are given with --opts")
    parser.add_argument("--input", nargs="+", required=True, metavar="PATH", help="files, folders or quoted patterns")
    parser.add_argument("--output", required=True, metavar="DIR", help="where to write; created if needed")
    parser.add_argument(
        "--confidence-threshold", type=float, metavar="T", help="0 to 1; default TEST.CONFIDENCE_THRESHOLD"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default MODEL.DEVICE, which is cpu")
    parser.add_argument("--no-overlays", action="store_true", help="write the tables only")
    parser.add_argument(
        "--opts", nargs=argparse.REMAINDER, default=[], metavar="KEY VALUE", help="settings, last on the line"
    )
    return parser


def main(argv=None):
    return run(_body, build_parser(), argv)


def _body(arguments):
    from segtumor.engine.inference import find_inputs, infer

    threshold = arguments.confidence_threshold
    if threshold is not None and not 0 <= threshold <= 1:
        raise ConfigError("confidence threshold out of range", got=threshold, expected="0 to 1")
    paths = find_inputs(arguments.input)
    cfg = _config(arguments)
    result = infer(cfg, paths, arguments.output, with_overlays=not arguments.no_overlays)
    counts = result["counts"]
    written = [] if arguments.no_overlays else ["overlays/"]
    written += ["predictions.json", "findings.csv", "summary.json"]
    print(
        f"{counts['inputs']} inputs: {counts['with_findings']} with findings at or above"
        f" {cfg.TEST.CONFIDENCE_THRESHOLD:.2f}, {counts['without_findings']} without, {counts['failed']} failed\n"
        f"Written to {arguments.output}: {', '.join(written)}"
    )
    failed = [entry for entry in result["inputs"] if entry["status"] == "failed"]
    if failed:
        kind = DataError if len(failed) == counts["inputs"] else SomeInputsFailedError
        raise kind(f"{len(failed)} of {counts['inputs']} inputs failed, first: {failed[0]['reason']:.300}".rstrip("."))
    return 0


def _config(arguments):
    from segtumor.config import load_config
    from segtumor.engine.run_folder import find_run

    config_file, weights = find_run(arguments.run) if arguments.run else (arguments.config_file, None)
    cfg = load_config(config_file)
    if weights:
        cfg.MODEL.WEIGHTS = str(weights)
    cfg = load_config(config_file, ["MODEL.WEIGHTS", cfg.MODEL.WEIGHTS, *arguments.opts])
    if arguments.device:
        cfg.MODEL.DEVICE = arguments.device
    if arguments.confidence_threshold is not None:
        cfg.TEST.CONFIDENCE_THRESHOLD = arguments.confidence_threshold
    cfg.freeze()
    return cfg

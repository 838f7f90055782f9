"""Options of ``infer``."""

import argparse

from segtumor.commands.common.command_line import make_parser
from segtumor.commands.common.shared_options import add_settings


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "infer.py",
        "Find bone tumours on radiographs; writes overlays, predictions.json, findings.csv and summary.json.",
        examples=[
            "python tools/infer.py --run output/demo/run --input output/demo/phantoms/images --output output/overlays",
            "python tools/infer.py --run output/btxrd256_R_18_FPN --input 'scans/*.dcm' knee.png --output found",
            "python tools/infer.py --run output/exported --input scans --output found --batch-size 4 --num-workers 2",
            "python tools/infer.py --run output/exported --input scans --recursive --output found --continue",
            "python tools/infer.py --run output/tiny_phantoms_crossval --tta --input scans --output found",
            "python tools/infer.py --cascade output/tumour_or_not --run output/which --input scans --output found",
            "python tools/infer.py --input scans --output found --dicom-output seg,sr,sc",
            "python tools/infer.py --explain gradcam --input knee.png --output explained",
            "python tools/infer.py --similar 5 --index output/index/index.npz --input knee.png --output found",
            "python tools/infer.py --run output/exported --annotations mine/annotations/test.json --output found",
            "python tools/infer.py --config-file configs/mask_rcnn_R_50_FPN.yaml --input scans --output found"
            " --opts MODEL.WEIGHTS model.pth",
        ],
    )
    model = parser.add_mutually_exclusive_group()
    model.add_argument(
        "--run",
        nargs="+",
        metavar="MODEL",
        help="folder of a training run, whose config.yaml and best weights are used, or of an exported model; or a name"
        " that `segtumor models` lists; default: btxrd-lite, which comes with segtumor. Several, or the folder of a"
        " cross-validation, read together as an ensemble",
    )
    model.add_argument("--config-file", metavar="FILE", help="configuration; the weights are given with --opts")
    _add_looks(parser.add_argument_group("looking twice, and several models"))
    _add_reasons(parser.add_argument_group("why"))
    _add_inputs(parser)
    parser.add_argument("--output", required=True, metavar="DIR", help="where to write; created if needed")
    _add_thresholds(parser)
    parser.add_argument(
        "--dicom-output",
        type=_kinds,
        default=(),
        metavar="KINDS",
        help="of DICOM inputs also write, to dicom/, objects of the patient's study, separated by commas: seg"
        " (segmentation), sr (measurement report), sc (overlay as a secondary capture); needs segtumor[dicom]",
    )
    parser.add_argument("--no-overlays", action="store_true", help="write the tables only")
    parser.add_argument(
        "--panels",
        action="store_true",
        help="beside each overlay, in one picture, the radiograph as it was read and as the model sees it",
    )
    parser.add_argument("--max-pixels", type=int, metavar="N", help="refuse larger images; default: that of the model")
    parser.add_argument("--frame", type=int, metavar="N", help="index, from 0, of the frame of multi-frame DICOM files")
    _add_working_options(parser)
    _add_earlier_run_options(parser)
    add_settings(parser)
    return parser


def _kinds(text: str) -> tuple[str, ...]:
    """ "seg,sr" -> ("seg", "sr"), each once, in the order in which they are made; what they may be is checked later."""
    kinds = dict.fromkeys(kind.strip().lower() for kind in text.split(",") if kind.strip())
    return tuple(kinds) or ("",)


def _add_looks(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--cascade",
        nargs="+",
        default=[],
        metavar="MODEL",
        help="a model that is asked first whether there is a tumour at all; --run then says which, and where if it"
        " marks lesions. Several are an ensemble, as in --run",
    )
    group.add_argument(
        "--tta",
        nargs="*",
        choices=("flip", "scale"),
        help="look at the mirrored picture, too (flip, the default): twice the time; or at it smaller and larger"
        " (scale): three times",
    )
    group.add_argument(
        "--mc-dropout",
        type=int,
        default=0,
        metavar="N",
        help="read N times with dropout left on, for the mean and the uncertainty (Monte-Carlo dropout); of a training"
        " run of a model with dropout",
    )
    group.add_argument(
        "--fusion",
        choices=("wbf", "nms"),
        default="wbf",
        help="how findings of several looks become one: weighted boxes fusion (default), or the highest score",
    )


def _add_reasons(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--explain",
        choices=("gradcam", "layercam", "guided", "occlusion"),
        help="heat maps beside the overlay: which parts of the picture each finding, and the whole image, depends on;"
        " of a training run or a shipped model",
    )
    group.add_argument(
        "--similar",
        type=int,
        metavar="N",
        help="the N images of --index that the model sees most like each radiograph, one of a case and never its own:"
        " beside the overlay, in predictions.json and in similar.csv",
    )
    group.add_argument(
        "--index", metavar="FILE", help="index of a data set, as `segtumor embed` writes it, for --similar"
    )


def _add_thresholds(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("thresholds")
    called = group.add_mutually_exclusive_group()
    called.add_argument("--confidence-threshold", type=float, metavar="T", help="0 to 1; default: that of the model")
    called.add_argument(
        "--operating-point",
        metavar="NAME",
        help="the threshold that validation chose for it: youden, sensitivity, specificity, risk, false-positives, dice"
        " or lesion-risk, of those that the model has",
    )
    group.add_argument(
        "--review-threshold",
        metavar="T|NAME",
        help="an image without a tumour called gets the note 'look again' if its tumour score reaches T, or that"
        " operating point, which is below the confidence threshold; `segtumor models show` lists thresholds by"
        " sensitivity",
    )
    group.add_argument(
        "--prediction-sets",
        choices=("marginal", "by-class"),
        help="also list the classes that an image may be of, so that the true one is missing no more often than the"
        " risk for which validation chose: over all images, or in each class",
    )
    group.add_argument(
        "--points",
        metavar="FILE",
        help="operating points from a file, as of an ensemble (segtumor evaluate --choose-operating-points)",
    )


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what to read")
    group.add_argument(
        "--input",
        nargs="+",
        default=[],
        metavar="PATH",
        help="files, folders, quoted patterns such as 'scans/**/*.dcm', and lists: a .txt file with a path on each"
        " line, or a table with a column 'path'",
    )
    group.add_argument("--recursive", action="store_true", help="search sub-folders, too")
    group.add_argument(
        "--annotations", metavar="JSON", help="the images of a COCO file, e.g. the test part of a data set"
    )
    group.add_argument("--images", metavar="DIR", help="folder of its images (beside the folder of the file)")
    group.add_argument(
        "--clinical",
        metavar="TABLE",
        help="what is known of the patients, for a model that takes it: CSV, Excel or COCO file with a row for each"
        " image; default: the file of --annotations",
    )


def _add_working_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("speed and memory")
    group.add_argument(
        "--batch-size", type=int, default=1, metavar="N", help="images that the model sees at once (default 1)"
    )
    group.add_argument(
        "--num-workers",
        type=int,
        default=1,
        metavar="N",
        help="threads that read ahead, each one image at full size, and as many that draw overlays; 0 for none"
        " (default 1)",
    )
    group.add_argument("--threads", type=int, metavar="N", help="threads of the model; default: one per core")
    group.add_argument("--device", choices=("cpu", "cuda"), help="for a training run; default: MODEL.DEVICE, i.e. cpu")
    group.add_argument(
        "--runtime",
        choices=("torch", "detectron2"),
        help="how a training run is computed: by torch without Detectron2's own steps (default, where it can: on a CPU,"
        " not every kind of model), or by Detectron2 itself, which is slower there; an export has its own",
    )


def _add_earlier_run_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("an output folder with an earlier run").add_mutually_exclusive_group()
    group.add_argument(
        "--continue",
        dest="continued",
        action="store_true",
        help="resume: keep finished results, retry what failed, was not reached or has changed; new inputs are added",
    )
    group.add_argument("--overwrite", action="store_true", help="replace it")

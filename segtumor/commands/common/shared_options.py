"""Options that several commands have, declared once. Not here: those of commands that measure (``study_options``)."""

import argparse


def add_settings(parser: argparse.ArgumentParser) -> None:
    """``--opts KEY VALUE ...``; to be added last."""
    parser.add_argument(
        "--opts", nargs=argparse.REMAINDER, default=[], metavar="KEY VALUE", help="settings, last on the line"
    )


def add_training_settings(parser: argparse.ArgumentParser) -> None:
    """``KEY VALUE ...`` after all options, where a configuration is what a command is about."""
    parser.add_argument(
        "opts", nargs=argparse.REMAINDER, metavar="KEY VALUE", help="settings, e.g. SOLVER.MAX_ITER 500"
    )


def add_fractions(
    parser: argparse._ActionsContainer, default: tuple[float, float, float], *, of: str = "images"
) -> None:
    """``--fractions TRAIN VAL TEST``, three shares."""
    shares = " ".join(map(str, default))
    parser.add_argument(
        "--fractions",
        type=float,
        nargs=3,
        default=default,
        metavar=("TRAIN", "VAL", "TEST"),
        help=f"shares of the {of}, adding up to 1; 0 leaves a part out (default {shares})",
    )


def add_image_folder(parser: argparse._ActionsContainer) -> None:
    """``--images``."""
    parser.add_argument("--images", metavar="DIR", help="folder of the images (default: images beside the annotations)")


def add_data_set(parser: argparse.ArgumentParser) -> None:
    """``SOURCE``, for ``datasets.annotation_files.load_parts``."""
    parser.add_argument("source", metavar="SOURCE", help="annotation file, or folder with annotations/<part>.json")


def positive(text: str) -> int:
    """The type of an option that is a whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)

"""``segtumor weights show``: what a file of weights holds."""

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from segtumor.commands.common.command_line import command, make_parser
from segtumor.texts import aligned_table


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "segtumor weights show",
        "Show what a file of weights holds, and whose layout it has. No code in it is run.",
        examples=[
            "segtumor weights show output/demo/run/model_best.pth",
            "segtumor weights show btxrd-lite",
            "segtumor weights show efficientnet_lite0.pth --tensors",
        ],
    )
    parser.add_argument("file", metavar="FILE", help="weights: .pth, .pkl of Detectron2's model zoo, or a model's name")
    parser.add_argument("--tensors", action="store_true", help="list every tensor with its type and shape")
    return parser


@command(build_parser)
def main(arguments: argparse.Namespace) -> int:
    from segtumor.models.weights import read_checkpoint
    from segtumor.shipped.registry import starting_weights

    file = starting_weights(arguments.file)
    checkpoint = read_checkpoint(file)
    print("\n".join(aligned_table(list(_facts(checkpoint, file)), align="<")))
    if arguments.tensors:
        print()
        print("\n".join(aligned_table(list(_tensors(checkpoint["model"])), align="<")))
    return 0


def _facts(checkpoint: Mapping[str, Any], path: Path) -> Iterator[tuple[str, str]]:
    from segtumor.models.layouts.table import layout_of, unwrapped
    from segtumor.models.pixel_scale import learnt_scale

    state = unwrapped(checkpoint["model"])
    layout = layout_of(state)
    tensors = [tensor for tensor in state.values() if hasattr(tensor, "numel")]
    yield "layout", layout.name if layout else "segtumor, Detectron2 or unknown"
    yield "tensors", f"{len(tensors):,}"
    yield "numbers", f"{sum(tensor.numel() for tensor in tensors):,}"
    types = Counter(str(tensor.dtype).removeprefix("torch.") for tensor in tensors)
    yield "types", ", ".join(f"{name} ({count})" for name, count in types.most_common())
    if scale := learnt_scale(checkpoint, path):
        mean, std = (", ".join(f"{value:.6g}" for value in values) for values in scale)
        yield "pixels", f"mean {mean}; standard deviation {std}"
    if checkpoint.get("class_names"):
        yield "classes", ", ".join(checkpoint["class_names"])
    if isinstance(checkpoint.get("iteration"), int):
        yield "iteration", str(checkpoint["iteration"])


def _tensors(state: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, tensor in state.items():
        shape = " x ".join(map(str, getattr(tensor, "shape", ()))) or "1"
        yield name, str(getattr(tensor, "dtype", type(tensor).__name__)).removeprefix("torch."), shape

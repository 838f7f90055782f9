"""What a model sees in a data set's images: an index for ``infer --similar``, a map, and how good they are:
``tools/embed.py``."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtumor.commands.common.command_line import check_threads, command, make_parser
from segtumor.commands.common.output_folder import add_overwrite_option, locks_output, refuse_earlier
from segtumor.commands.common.shared_options import add_image_folder, add_settings, positive
from segtumor.commands.common.terminal import print_table, progress_bar
from segtumor.runs import INDEX

if TYPE_CHECKING:  # would delay --help
    from segtumor.retrieval.index import Index
    from segtumor.retrieval.quality import Retrieval

_MAP, _TABLE, _QUALITY = "embedding_map.png", "embedding.csv", "retrieval.json"
_COLUMNS = ("file", "case_id", "class", "called", "x", "y")


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(
        "embed.py",
        "Read a data set's images with a model and keep what it sees in each (its embedding). Writes an index, for\n"
        "infer.py --similar; a map of the images; and whether near images are of one class. The index holds names of\n"
        "files and cases, no pixels.",
        examples=[
            "python tools/embed.py --annotations datasets/btxrd/annotations/train.json --output output/index",
            "python tools/embed.py --annotations datasets/btxrd/annotations/val.json --against output/index/index.npz"
            " --output output/embedding_val",
            "python tools/embed.py --run output/classifier --annotations mine/annotations/train.json --map tsne"
            " --output output/index",
        ],
    )
    parser.add_argument(
        "--run",
        metavar="MODEL",
        help="training run, exported Mask R-CNN, or a name that `segtumor models` lists (default: btxrd-lite)",
    )
    parser.add_argument("--annotations", required=True, metavar="JSON", help="COCO file of the images")
    add_image_folder(parser)
    parser.add_argument("--output", required=True, metavar="DIR", help="folder to write, created if needed")
    parser.add_argument(
        "--against",
        metavar="FILE",
        help="index of other images, in which neighbours are looked for to say how good they are; default: among the"
        " other cases of these images",
    )
    parser.add_argument("--neighbours", type=positive, default=5, metavar="K", help="of each image, for that (5)")
    parser.add_argument(
        "--map",
        choices=("pca", "tsne"),
        default="pca",
        help="principal components, or t-SNE, which needs scikit-learn (pca)",
    )
    parser.add_argument("--threads", type=int, metavar="N", help="threads of the model; default: one per core")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="for a training run; default: MODEL.DEVICE, i.e. cpu")
    add_overwrite_option(parser)
    add_settings(parser)
    return parser


@command(build_parser)
@locks_output
def main(arguments: argparse.Namespace) -> None:
    from segtumor.annotations.coco import load_coco
    from segtumor.files import write_bytes, write_csv, write_json
    from segtumor.inference.indexing import index_of
    from segtumor.inference.load import check_model, load_model, with_embedding
    from segtumor.inference.similar import model_identity
    from segtumor.reporting.figures.canvas import png_bytes
    from segtumor.reporting.figures.embedding import embedding_figure
    from segtumor.retrieval import index as indexes
    from segtumor.retrieval.neighbours import Neighbours
    from segtumor.retrieval.projection import MAPS
    from segtumor.retrieval.quality import retrieval
    from segtumor.shipped.registry import model_folder

    check_threads(arguments.threads)
    refuse_earlier(arguments, (INDEX, _MAP, _TABLE, _QUALITY))
    folder = model_folder(arguments.run)
    check_model(folder)
    dataset = load_coco(arguments.annotations, arguments.images, require_masks=False)
    options = {"device": arguments.device, "threads": arguments.threads, "opts": arguments.opts}
    model = with_embedding(load_model(run=folder, **options))
    against = indexes.read_index(arguments.against) if arguments.against else None
    if against is not None:
        indexes.check_model(against, model_identity(model), where=arguments.against)
    index = index_of(model, dataset, progress=progress_bar("reading"))
    points = MAPS[arguments.map](Neighbours(index).directions)
    found = retrieval(index, against or index, k=arguments.neighbours)
    output = Path(arguments.output)
    labels = (index.labels, index.calls, index.class_names)
    picture = png_bytes(lambda: embedding_figure(points, *labels, method=arguments.map))
    columns = (index.file_names, index.cases, index.labels, index.calls, *points.round(5).T.tolist())
    write_csv(output / _TABLE, (dict(zip(_COLUMNS, row, strict=True)) for row in zip(*columns, strict=True)), _COLUMNS)
    write_json(output / _QUALITY, _quality(arguments, index, against, found))
    write_bytes(output / _MAP, picture)
    indexes.write_index(output / INDEX, index)
    _print(found, arguments.neighbours)
    print(f"written to {output}: {INDEX}, {_MAP}, {_TABLE}, {_QUALITY}")


def _quality(
    arguments: argparse.Namespace, index: "Index", against: "Index | None", found: Sequence["Retrieval"]
) -> dict[str, Any]:
    return {
        "annotations": arguments.annotations,
        "against": arguments.against,
        "model": index.model,
        "n_images": len(index),
        "n_images_searched": len(against or index),
        "neighbours": arguments.neighbours,
        "retrieval": [dataclasses.asdict(row) for row in found],
    }


def _print(found: Sequence["Retrieval"], k: int) -> None:
    header = (
        "class",
        "images",
        "cases",
        f"precision@{k}",
        "95% interval",
        "chance",
        "vote right",
        "95% interval",
        "chance",
    )
    rows = [
        (
            *(row.label or "all", row.n_images, row.n_cases),
            *(f"{row.precision:.3f}", _interval(row.precision_interval), f"{row.precision_chance:.3f}"),
            *(f"{row.accuracy:.3f}", _interval(row.accuracy_interval), f"{row.accuracy_chance:.3f}"),
        )
        for row in found
    ]
    print_table(header, rows)


def _interval(interval: Any) -> str:
    return f"{interval.low:.3f} to {interval.high:.3f}"

"""The data card: one page that says what a data set holds and how to recognise it, as HTML or, without pictures, as
Markdown.

Self-contained: pictures are embedded, nothing is fetched. Not here: the counting (``segtumor.datasets.counts``).
"""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from segtumor import NOTICE, __version__
from segtumor.annotations.coco import CocoDataset
from segtumor.datasets.counts import Statistics
from segtumor.datasets.flow import Flow
from segtumor.reporting.figures.canvas import png_bytes
from segtumor.reporting.figures.flow import flow_figure
from segtumor.reporting.figures.histograms import age_histogram_figure, lesion_size_figure
from segtumor.reporting.pages.page import data_url, environment
from segtumor.reporting.pictures.contact_sheet import contact_sheet
from segtumor.structures.lesions import AnnotatedImage
from segtumor.texts import markdown_table, markdown_text


def data_card(
    title: str,
    parts: Mapping[str, CocoDataset],
    statistics: Statistics,
    examples: Sequence[tuple[AnnotatedImage, NDArray[np.float32] | None]],
    *,
    split_sha256: str | None = None,
    flow: Flow | None = None,
) -> str:
    """The page as HTML.

    Args:
        examples: images with their pixels, (H, W) in [0, 1], None where unreadable; may be empty.
        flow: what was found and left out before, if it is known.
    """
    page = environment().get_template("data_card.html")
    return page.render(
        title=title,
        notice=NOTICE,
        version=__version__,
        tables=statistics.tables,
        figures=[(caption, data_url(picture)) for caption, picture in _figures(statistics, flow)],
        sheet=data_url(_png(contact_sheet(examples, statistics.class_names))) if examples else None,
        n_examples=len(examples),
        files=[(part, len(dataset.images), dataset.sha256) for part, dataset in parts.items()],
        infos=_infos(parts.values()),
        split_sha256=split_sha256,
    )


def data_card_text(
    title: str,
    parts: Mapping[str, CocoDataset],
    statistics: Statistics,
    *,
    split_sha256: str | None = None,
    flow: Flow | None = None,
) -> str:
    """What the page says, without its pictures, as Markdown."""
    identity = [("part", "images", "SHA-256"), *((part, len(d.images), d.sha256) for part, d in parts.items())]
    if split_sha256:
        identity.append(("split", "", split_sha256))
    infos = list(_infos(parts.values()).items())
    sections = [f"# {markdown_text(title)}", NOTICE, *(_section("About", [("", ""), *infos]) if infos else ())]
    if flow is not None:
        left_out = [(f"left out: {reason}", images) for reason, images in flow.left_out.items()]
        rows = [("", "images"), ("found", flow.found), *left_out, ("used", flow.used.images)]
        sections += _section("Flow of images", rows)
    for table in statistics.tables:
        sections += [*_section(table.title, [table.header, *table.rows]), markdown_text(table.note)]
    sections += [*_section("How to recognise it", identity), f"Made by segtumor {__version__}."]
    return "\n\n".join(filter(None, sections)) + "\n"


def _section(title: str, rows: Sequence[Sequence[Any]]) -> tuple[str, str]:
    return f"## {markdown_text(title)}", "\n".join(markdown_table(rows[0], rows[1:]))


def _infos(datasets: Iterable[CocoDataset]) -> dict[str, Any]:
    """What the files say of themselves, where they all say the same: "part" is of one of several files."""
    infos = [dataset.info for dataset in datasets]
    said = {key: value for info in infos for key, value in info.items() if isinstance(value, (str, int))}
    return {key: value for key, value in said.items() if all(info.get(key) == value for info in infos)}


def _figures(statistics: Statistics, flow: Flow | None) -> Iterator[tuple[str, bytes]]:
    if flow is not None:
        yield (
            "Images found, left out with the reason, and used. An image with several reasons counts under its first.",
            png_bytes(lambda: flow_figure(flow)),
        )
    yield (
        "Lesion sizes by class. Further right is larger; lesions of fewer than about 8 px are hard for any model.",
        png_bytes(lambda: lesion_size_figure(statistics.sides_px)),
    )
    if statistics.ages:
        yield "Ages of the images whose age is known.", png_bytes(lambda: age_histogram_figure(statistics.ages))


def _png(pixels: ArrayLike) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(pixels)).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()

"""The data card: one HTML page that says what a data set holds and how to recognise it.

Self-contained: pictures are embedded, nothing is fetched. Not here: the counting (``segtumor.datasets.counts``).
"""

import io

import numpy as np
from PIL import Image

from segtumor import NOTICE, __version__
from segtumor.reporting.figures.data_plots import age_histogram_figure, lesion_size_figure
from segtumor.reporting.figures.figure import png_bytes
from segtumor.reporting.pages.page import data_url, environment
from segtumor.reporting.pictures.contact_sheet import contact_sheet


def data_card(title, parts, statistics, examples, *, split_sha256=None):
    """A page as text.

    Args:
        title: name of the data set.
        parts: {part: CocoDataset}.
        statistics: ``segtumor.datasets.counts.Statistics`` of the same parts.
        examples: (AnnotatedImage, pixels) pairs to show; may be empty.
        split_sha256: hash of the split, if the data set has one.

    Returns:
        HTML, str.
    """
    page = environment().get_template("data_card.html")
    return page.render(
        title=title,
        notice=NOTICE,
        version=__version__,
        tables=statistics.tables,
        figures=[(caption, data_url(picture)) for caption, picture in _figures(statistics)],
        sheet=data_url(_png(contact_sheet(examples, statistics.class_names))) if examples else None,
        n_examples=len(examples),
        files=[(part, len(dataset.images), dataset.sha256) for part, dataset in parts.items()],
        infos=_infos(parts.values()),
        split_sha256=split_sha256,
    )


def _infos(datasets):
    """What the files say of themselves, where they all say the same: "part" is of one of several files."""
    infos = [dataset.info for dataset in datasets]
    said = {key: value for info in infos for key, value in info.items() if isinstance(value, (str, int))}
    return {key: value for key, value in said.items() if all(info.get(key) == value for info in infos)}


def _figures(statistics):
    yield (
        "Lesion sizes by class. Further right is larger; lesions of fewer than about 8 px are hard for any model.",
        png_bytes(lambda: lesion_size_figure(statistics.sides_px)),
    )
    if statistics.ages:
        yield "Ages of the images whose age is known.", png_bytes(lambda: age_histogram_figure(statistics.ages))


def _png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(pixels)).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()

"""Features inside boxes, resampled to a fixed size: RoIAlign and RoI max pooling, in NumPy.

Both are separable: what happens along rows does not depend on columns. A box is therefore two small matrices (or two
lists of intervals), one for each axis, applied to the part of the map it covers. On a CPU that is several times as
quick as pooling sample by sample, as torchvision's, onnxruntime's and OpenVINO's operators do, and one code for all
runtimes. Equal to torchvision's ``roi_align`` (He et al. 2017, section 3) and ``roi_pool`` (Girshick 2015, section
2.1) but for rounding.

Letters: N images, H, W, C a map's height, width and channels; R boxes; S side of what is pooled; P pixels of a side.
"""

from collections.abc import Sequence

import numpy as np

from segtumor.arrays import Floats32, Ints
from segtumor.runtime.contract import Pooling, Regions

ALIGN, MAX = "align", "max"


class RegionPooling:
    """Pools boxes that were dealt to the maps of a pyramid, whose strides are px of the image."""

    def __init__(self, strides_px: Sequence[int], settings: Pooling) -> None:
        self._strides_px, self._settings = strides_px, settings

    def __call__(self, features: Sequence[Floats32], boxes: Sequence[Floats32]) -> Floats32:
        """Maps (N, H, W, C) float32 and (R_i, 5) boxes of each (image index, corners in px) -> (R, S, S, C)."""
        sizes = [len(rows) for rows in boxes]
        side, channels = self._settings.size, features[0].shape[-1]
        pooled = np.zeros((sum(sizes), side, side, channels), dtype=np.float32)
        ends = np.cumsum(sizes)
        for feature, rows, stride, start, end in zip(
            features, boxes, self._strides_px, ends - sizes, ends, strict=True
        ):
            self._pool(feature, rows, stride, pooled[start:end])
        return pooled

    def _pool(self, feature: Floats32, rows: Floats32, stride_px: int, out: Floats32) -> None:
        settings = self._settings
        if settings.kind == MAX:
            max_pool(feature, rows, stride_px=stride_px, out=out)
        else:
            align(
                feature,
                rows,
                stride_px=stride_px,
                sampling_ratio=settings.sampling_ratio,
                aligned=settings.aligned,
                out=out,
            )


def pools_of(regions: Regions) -> dict[str, RegionPooling]:
    """{head: its ``RegionPooling``} of ``contract.Regions``."""
    poolings = {"box_head": regions.box_pooling, "mask_head": regions.mask_pooling}
    return {
        head: RegionPooling(regions.strides_px, pooling) for head, pooling in poolings.items() if pooling is not None
    }


def align(
    feature: Floats32, boxes: Floats32, *, stride_px: int, sampling_ratio: int, aligned: bool, out: Floats32
) -> None:
    """RoIAlign of one map: the mean of bilinear samples in each cell of a box.

    Args:
        feature: (N, H, W, C) float32, contiguous.
        boxes: (R, 5) float32, image index and corners in px of the image.
        stride_px: of the map.
        sampling_ratio: samples of a cell along each axis; 0 for one about each pixel of the map.
        aligned: whether pixel centres lie at halves (Detectron2's ROIAlignV2) or at whole numbers, boxes then being at
            least one pixel of the map.
        out: (R, S, S, C) float32 of zeros, written to.
    """
    _, height, width, _ = feature.shape
    side = out.shape[1]
    corners = boxes[:, 1:] * np.float32(1 / stride_px) - np.float32(0.5 if aligned else 0)
    spans = corners[:, 2:] - corners[:, :2]
    spans = spans if aligned else np.maximum(spans, np.float32(1))
    weights_x, left, right = _axis_weights(corners[:, 0], spans[:, 0], side, sampling_ratio, width)
    weights_y, top, bottom = _axis_weights(corners[:, 1], spans[:, 1], side, sampling_ratio, height)
    for row, (image, x0, x1, y0, y1) in enumerate(
        zip(boxes[:, 0].astype(int).tolist(), *(v.tolist() for v in (left, right, top, bottom)), strict=True)
    ):
        if x0 < x1 and y0 < y1:
            # Many small products and no large one: BLAS would wake its threads for that, which costs more than it does.
            columns = feature[image, y0:y1, x0:x1].transpose(1, 0, 2)
            squeezed = weights_y[row, :, : y1 - y0] @ columns
            np.matmul(weights_x[row, :, : x1 - x0], squeezed.transpose(1, 0, 2), out=out[row])


def _axis_weights(
    starts: Floats32, spans: Floats32, side: int, sampling_ratio: int, length: int
) -> tuple[Floats32, Ints, Ints]:
    """Weights of the pixels of one axis in each cell.

    Args:
        starts, spans: (R,) float32, of the boxes, px of the map.
        side: S.
        sampling_ratio: as in ``align``.
        length: of the axis, px.

    Returns:
        (weights (R, S, P) float32, first (R,), end (R,)): pixel p of a row of weights is pixel first + p of the map; no
        weight lies at or beyond end. A box without samples on the map has first = end.
    """
    cells = spans / np.float32(side)
    counts = np.full(len(spans), sampling_ratio) if sampling_ratio else np.ceil(cells).astype(np.intp)
    grid = np.arange(max(1, counts.max(initial=1)))
    taken = grid < counts[:, None]
    steps = cells / np.maximum(counts, 1).astype(np.float32)
    places = starts[:, None, None] + np.arange(side, dtype=np.float32)[:, None] * cells[:, None, None]
    places = places + (grid.astype(np.float32) + np.float32(0.5)) * steps[:, None, None]
    taken = taken[:, None, :] & (places >= -1) & (places <= length)
    places = np.clip(places, 0, length - 1)
    below = np.minimum(places.astype(np.intp), length - 1)
    above = np.minimum(below + 1, length - 1)
    share = places - below
    first = np.where(taken, below, length).min(axis=(1, 2))
    end = np.where(taken, above + 1, 0).max(axis=(1, 2))
    end = np.maximum(end, np.minimum(first, length))
    first = np.minimum(first, end)
    width = max(1, int((end - first).max(initial=1)))
    base = (np.arange(len(spans))[:, None, None] * side + np.arange(side)[:, None]) * width - first[:, None, None]
    part = taken / np.maximum(counts, 1)[:, None, None]
    weights = np.bincount((base + below)[taken], (part * (1 - share))[taken], len(spans) * side * width)
    weights += np.bincount((base + above)[taken], (part * share)[taken], len(spans) * side * width)
    return weights.reshape(len(spans), side, width).astype(np.float32), first, end


def max_pool(feature: Floats32, boxes: Floats32, *, stride_px: int, out: Floats32) -> None:
    """RoI max pooling of one map: the largest value in each cell of a box that is rounded to whole pixels. Arguments as
    ``align``; a cell outside the map stays 0.
    """
    _, height, width, _ = feature.shape
    side = out.shape[1]
    corners = _rounded(boxes[:, 1:] * np.float32(1 / stride_px))
    columns = _intervals(corners[:, 0], corners[:, 2], side, width)
    rows = _intervals(corners[:, 1], corners[:, 3], side, height)
    for index, image in enumerate(boxes[:, 0].astype(int).tolist()):
        left, right = int(columns[index].min()), int(columns[index].max())
        part = feature[image, :, left:right]
        for cell_y, (y0, y1) in enumerate(rows[index].tolist()):
            if y0 < y1 and left < right:
                line = part[y0:y1].max(axis=0)
                for cell_x, (x0, x1) in enumerate((columns[index] - left).tolist()):
                    if x0 < x1:
                        out[index, cell_y, cell_x] = line[x0:x1].max(axis=0)


def _rounded(values: Floats32) -> Ints:
    # Half away from zero, as C's round; NumPy rounds half to even.
    rounded: Ints = (np.sign(values) * np.floor(np.abs(values) + np.float32(0.5))).astype(np.intp)
    return rounded


def _intervals(starts: Ints, ends: Ints, side: int, length: int) -> Ints:
    """(R,) first and last pixel -> (R, S, 2): first pixel and end of each cell, within the map."""
    cells = np.maximum(ends - starts + 1, 1).astype(np.float32) / np.float32(side)
    number = np.arange(side, dtype=np.float32)
    first = np.floor(number * cells[:, None]).astype(np.intp) + starts[:, None]
    end = np.ceil((number + 1) * cells[:, None]).astype(np.intp) + starts[:, None]
    limits: Ints = np.clip(np.stack([first, end], axis=-1), 0, length)
    return limits

"""Boxes that reach beyond their image, as nearly all do where corners are given in the place of sizes.

A list without masks whose boxes are x0, y0, x1, y1 is read as x, y, width, height without a complaint, and then hits
nothing. Not here: refusing or cutting boxes (``segtumor.annotations``).
"""

#: Boxes may be drawn or rounded a little over the edge.
_MARGIN_PX = 2
_LEAST, _PART = 3, 0.05


def outside_remark(results) -> str:
    """A sentence if many boxes of ImageResults' findings without masks reach beyond their image; else ""."""
    boxes = [(f.box_xyxy, result.truth.size_hw) for result in results for f in result.findings if f.rle is None]
    n_outside = sum(_is_outside(*pair) for pair in boxes)
    if n_outside < _LEAST or n_outside <= _PART * len(boxes):
        return ""
    return (
        f"{n_outside} of {len(boxes)} boxes of findings without masks reach more than {_MARGIN_PX} px beyond the "
        "image: are they x0, y0, x1, y1 instead of x, y, width, height?"
    )


def _is_outside(box_xyxy, size_hw):
    x0, y0, x1, y1 = box_xyxy
    height, width = size_hw
    return min(x0, y0) < -_MARGIN_PX or x1 > width + _MARGIN_PX or y1 > height + _MARGIN_PX

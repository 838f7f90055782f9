"""Names of the graphs and of what goes into them and comes out, the same in every format, and heads by name.

Input of ``dense``: images. Its outputs: feature_0 ..., objectness_0 ..., deltas_0 ... Input of the box and mask head:
regions; outputs: class_logits and box_deltas, mask_logits. Input of the image head: pooled; outputs:
image_logits and unlikeness.
"""

from collections.abc import Sequence

from segtumor.arrays import Floats32

BOXES_ALONE = ("dense", "box_head")
GRAPHS = (*BOXES_ALONE, "mask_head")
IMAGE_HEAD = "image_head"
#: The one graph of a model without proposals: its input is images and, of a classifier that takes one, a table; its
#: output the answer; a one-stage detector's outputs are rows and prototypes (``models.pixel_model.PixelModel``).
NETWORK, ANSWER = "network", "answer"
IMAGES, REGIONS, POOLED, TABLE = "images", "regions", "pooled", "table"
BOX_OUTPUTS = ("class_logits", "box_deltas")
MASK_OUTPUTS = ("mask_logits",)
IMAGE_OUTPUTS = ("image_logits", "unlikeness")
#: Graph -> {how names of its parameters begin: how they begin in Detectron2's model}.
PARAMETERS = {
    "dense": {"backbone.": "backbone.", "head.": "proposal_generator.rpn_head."},
    "box_head": {"head.": "roi_heads.box_head.", "predictor.": "roi_heads.box_predictor."},
    "mask_head": {"head.": "roi_heads.mask_head."},
    IMAGE_HEAD: {"head.": "image_head."},
    NETWORK: {"model.": ""},
}


def numbered(prefix: str, count: int) -> tuple[str, ...]:
    """("feature", 2) -> ("feature_0", "feature_1")."""
    return tuple(f"{prefix}_{index}" for index in range(count))


def input_of(graph: str) -> str:
    """Name of a graph's input."""
    return {"dense": IMAGES, NETWORK: IMAGES, IMAGE_HEAD: POOLED}.get(graph, REGIONS)


def outputs_of(graph: str, feature_count: int, level_count: int) -> tuple[str, ...]:
    """Names of a graph's outputs, in order; ``level_count`` levels of the proposal head."""
    dense = numbered("feature", feature_count) + numbered("objectness", level_count) + numbered("deltas", level_count)
    heads = {"box_head": BOX_OUTPUTS, "mask_head": MASK_OUTPUTS, IMAGE_HEAD: IMAGE_OUTPUTS}
    return {"dense": dense, **heads}[graph]


class NamedHeads:
    """The heads of a runtime whose graphs are asked for outputs by name, which ``_head`` does."""

    def box_head(self, features: Sequence[Floats32], boxes: Sequence[Floats32]) -> tuple[Floats32, Floats32]:
        """Features of ``dense`` and (R_i, 5) boxes per map -> (class logits, deltas), float32."""
        class_logits, deltas = self._head("box_head", features, boxes, BOX_OUTPUTS)
        return class_logits, deltas

    def mask_head(self, features: Sequence[Floats32], boxes: Sequence[Floats32]) -> Floats32:
        """Features of ``dense`` and (R_i, 5) boxes per map -> mask logits (R, 1 or K, M, M), float32."""
        return self._head("mask_head", features, boxes, MASK_OUTPUTS)[0]

    def _head(
        self, name: str, features: Sequence[Floats32], boxes: Sequence[Floats32], outputs: Sequence[str]
    ) -> Sequence[Floats32]:
        raise NotImplementedError

"""What an exported model says beside its graphs: every number that inference needs, in one place.

Plain frozen values, each annotated with the rule that a file must keep. ``Contract.from_dict`` refuses what it does not
understand, by the name of the field. Not here: the graphs, and the files they lie in.
"""

import contextlib
import dataclasses
import math
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from segtumor.errors import ConfigError, ModelError
from segtumor.imaging.steps import STEPS
from segtumor.runtime.fields import OrNone, Rule, Several, WrongFieldError, check_names, fields_of
from segtumor.structures.postprocessing import Postprocessing
from segtumor.tabular.encoder import TableEncoder


class _PostprocessingFields:
    """The fields of ``Postprocessing``, which checks itself; read as a dict."""

    def read(self, values: Any, path: str) -> dict[str, Any]:
        fields = dataclasses.fields(Postprocessing)
        check_names([field.name for field in fields], values, path)
        try:
            settings = Postprocessing(**values)
        except ConfigError as error:
            name = f"{path}.{error.where.split()[-1]}"
            raise WrongFieldError(name, "is not right", got=error.got, expected=error.expected) from error
        kinds = typing.get_type_hints(Postprocessing)
        # As the fields are typed, so that 0 and 0.0 are one value.
        return {field.name: kinds[field.name](getattr(settings, field.name)) for field in fields}


class _ColumnsField:
    """The columns of a ``TableEncoder``, which checks itself; read as plain values."""

    def read(self, values: Any, path: str) -> tuple[dict[str, Any], ...]:
        try:
            return tuple(TableEncoder.from_dicts(values, where=path).as_dicts())
        except ConfigError as error:
            raise WrongFieldError(path, "is not right", got=error.got, expected="columns as training wrote") from error


_NUMBER, _POSITIVE = Rule(float, "a number"), Rule(float, "a number above 0", 1e-6)
Whole = Annotated[int, Rule(int, "a whole number")]
NotNegative = Annotated[int, Rule(int, "0 or more", 0)]
Count = Annotated[int, Rule(int, "a whole number from 1 on", 1)]
Counts = Annotated[tuple[int, ...], Several(Rule(int, "a whole number from 1 on", 1))]
Positive = Annotated[float, _POSITIVE]
Fraction = Annotated[float, Rule(float, "0 to 1", 0, 1)]
YesNo = Annotated[bool, Rule(bool, "true or false")]
Levels = Annotated[tuple[tuple[float, ...], ...], Several(Several(_POSITIVE))]
Weights = Annotated[tuple[float, float, float, float], Several(_POSITIVE, 4)]


@dataclass(frozen=True)
class Preprocessing:
    """How a radiograph becomes the model's input.

    Attributes:
        short_edge_px: size the shorter edge is scaled to.
        max_long_edge_px: limit of the longer edge.
        window_percentiles: gray values made black and white, 0..100.
        max_pixels: larger files are refused.
        pixel_mean: subtracted from the three channels, 0..255.
        pixel_std: what they are then divided by.
        size_divisibility: height and width are padded with zeros to a multiple of it, px; 0 pads nothing.
        square: whether both edges are scaled to ``short_edge_px``; exports from before there was a choice lack it.
        steps: names of ``imaging.steps``, in order; likewise.
        spacing_mm: side of a pixel of what the model sees, of radiographs that say theirs, 0 for none; likewise.
        spacing_required: whether others are refused; likewise.
    """

    short_edge_px: Count
    max_long_edge_px: Count
    window_percentiles: Annotated[tuple[float, float], Several(Rule(float, "0 to 100", 0, 100), 2)]
    max_pixels: Count
    pixel_mean: Annotated[tuple[float, float, float], Several(_NUMBER, 3)]
    pixel_std: Annotated[tuple[float, float, float], Several(_POSITIVE, 3)]
    size_divisibility: NotNegative
    square: YesNo = False
    steps: Annotated[tuple[str, ...], Several(Rule(str, "the name of a step"), least=0)] = ()
    spacing_mm: Annotated[float, Rule(float, "0 or more", 0)] = 0.0
    spacing_required: YesNo = False


@dataclass(frozen=True)
class Anchors:
    """What proposals start from (``runtime.mask_rcnn.anchors``); one entry for each level of the proposal head.

    Attributes:
        sizes_px: tuples of square roots of areas.
        aspect_ratios: tuples of height / width.
        strides_px: strides of the maps.
        offset: where in its cell an anchor's centre lies, in strides, [0, 1).
    """

    sizes_px: Levels
    aspect_ratios: Levels
    strides_px: Counts
    offset: Annotated[float, Rule(float, "0 to below 1", 0, math.nextafter(1, 0))]


@dataclass(frozen=True)
class Proposals:
    """How proposals are chosen (``runtime.mask_rcnn.proposals``).

    Attributes:
        pre_nms_topk: anchors of a level that are looked at.
        post_nms_topk: proposals of all levels together.
        nms_iou: overlap above which the lower one of two goes, 0..1.
        min_box_size_px: proposals have longer sides than that.
        box_weights: of the offsets, as in ``runtime.mask_rcnn.box_coding``.
    """

    pre_nms_topk: Count
    post_nms_topk: Count
    nms_iou: Fraction
    min_box_size_px: Annotated[float, Rule(float, "0 or more", 0)]
    box_weights: Weights


@dataclass(frozen=True)
class Pooling:
    """How the features inside a box are resampled (``runtime.mask_rcnn.pooling``).

    Attributes:
        kind: "align" or "max".
        size: side of what is pooled.
        sampling_ratio: samples of a cell along each axis; 0 for one about each pixel of the map.
        aligned: whether pixel centres lie at halves.
    """

    kind: Annotated[str, Rule(str, "align or max")]
    size: Count
    sampling_ratio: NotNegative
    aligned: YesNo


@dataclass(frozen=True)
class Regions:
    """How proposals become detections (``runtime.mask_rcnn.levels``, ``runtime.mask_rcnn.detections``).

    Attributes:
        strides_px: of the maps that regions are pooled from, finest first, each twice the one before.
        canonical_box_px: square root of the area of a box that belongs to ``canonical_level``.
        canonical_level: base-2 logarithm of a stride.
        box_weights: of the offsets.
        score_threshold: detections score above it, 0..1.
        nms_iou: overlap above which the lower one of two of a class goes, 0..1.
        max_detections: of one image; below 0 for all.
        class_agnostic_boxes: one box for all classes of a region, or one for each.
        class_agnostic_masks: one mask for all classes, or one for each.
        box_pooling, mask_pooling: what the two heads are given; None for a model of boxes without masks.
    """

    strides_px: Counts
    canonical_box_px: Positive
    canonical_level: Whole
    box_weights: Weights
    score_threshold: Fraction
    nms_iou: Fraction
    max_detections: Whole
    class_agnostic_boxes: YesNo
    class_agnostic_masks: YesNo
    box_pooling: Pooling
    mask_pooling: Annotated[Pooling | None, OrNone(fields_of(Pooling))]


@dataclass(frozen=True, kw_only=True)
class NetworkContract:
    """The numbers of a model that is one graph, and what those of every kind have.

    Attributes:
        class_names: in the order of their class_id.
        confidence_threshold: findings below it are not shown unless asked for, 0..1.
        preprocessing: how a radiograph becomes its input.
        postprocessing: fields of ``segtumor.structures.postprocessing.Postprocessing``.
    """

    class_names: Annotated[tuple[str, ...], Several(Rule(str, "a name"))]
    confidence_threshold: Fraction
    preprocessing: Preprocessing
    postprocessing: Annotated[dict[str, Any], _PostprocessingFields()]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: dicts, lists, texts, numbers."""
        return {name: _plain(value) for name, value in dataclasses.asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Any, where: str | Path) -> Self:
        """What ``as_dict`` gave; ModelError names the first field that is missing, unknown or wrong."""
        with _in_words(where):
            contract: Self = fields_of(cls).read(values, "")
            contract.check_together()
        return contract

    def check_together(self) -> None:
        """What no single field shows; raises WrongFieldError."""
        low, high = self.preprocessing.window_percentiles
        names, steps = self.class_names, self.preprocessing.steps
        unknown = [name for name in steps if name not in STEPS]
        is_plain = not (self.preprocessing.square and self.preprocessing.spacing_mm)
        _check(is_plain, "preprocessing.spacing_mm", self.preprocessing.spacing_mm, "0 beside square")
        _check(low < high, "preprocessing.window_percentiles", [low, high], "two rising numbers")
        _check(not unknown, "preprocessing.steps", unknown, f"of {', '.join(STEPS)}")
        _check(len(set(names)) == len(names), "class_names", list(names), "names that differ")


@dataclass(frozen=True)
class Selection:
    """Which places of a one-stage detector become findings (``runtime.one_stage``).

    Attributes:
        score_threshold: findings score above it, 0..1.
        nms_iou: overlap above which the lower one of two of a class goes, 0..1.
        max_detections: of one image; below 0 for all.
        cut_first: whether boxes are cut to the window before they are compared, not only afterwards; exports from
            before there was a choice lack it.
    """

    score_threshold: Fraction
    nms_iou: Fraction
    max_detections: Whole
    cut_first: YesNo = True


@dataclass(frozen=True, kw_only=True)
class TableContract(NetworkContract):
    """The numbers of a classifier that takes a table.

    Attributes:
        columns: ``tabular.encoder.TableEncoder`` as plain values.
    """

    columns: Annotated[tuple[dict[str, Any], ...], _ColumnsField()]


@dataclass(frozen=True, kw_only=True)
class OneStageContract(NetworkContract):
    """The numbers of a one-stage detector.

    Attributes:
        selection: what follows its graph.
    """

    selection: Selection


@dataclass(frozen=True, kw_only=True)
class Contract(NetworkContract):
    """The numbers of a Mask R-CNN: those of every kind, and the stages between its graphs.

    Attributes:
        anchors, proposals, regions: these stages.
    """

    anchors: Anchors
    proposals: Proposals
    regions: Regions

    def check_together(self) -> None:
        """See ``NetworkContract.check_together``."""
        super().check_together()
        anchors, strides = self.anchors, self.regions.strides_px
        counts = [len(anchors.sizes_px), len(anchors.aspect_ratios), len(anchors.strides_px)]
        pyramid = [strides[0] << level for level in range(len(strides))]
        _check(len(set(counts)) == 1, "anchors", counts, "as many sizes_px as aspect_ratios and strides_px")
        _check(math.log2(strides[0]).is_integer(), "regions.strides_px", list(strides), "powers of two")
        _check(list(strides) == pyramid, "regions.strides_px", list(strides), "each twice the one before")
        for name in ("box_pooling", "mask_pooling"):
            pooling = getattr(self.regions, name)
            if pooling is not None:
                _check(pooling.kind in ("align", "max"), f"regions.{name}.kind", pooling.kind, "align or max")


@contextlib.contextmanager
def _in_words(where: str | Path) -> Iterator[None]:
    """A wrong field as ModelError."""
    try:
        yield
    except WrongFieldError as error:
        raise ModelError(
            f"wrong contract: {error.field} {error.what}",
            where=where,
            got=error.got,
            expected=error.expected,
            remedy="Export the model again with this version of segtumor",
        ) from error


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _check(is_right: bool, field: str, got: Any, expected: str) -> None:
    if not is_right:
        raise WrongFieldError(field, "is not right", got=got, expected=expected)

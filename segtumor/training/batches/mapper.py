"""One record to one training example: read, window, resize, augment, to tensors.

Letters: H, W size of the file; h, w size the model sees; L lesions that are left after augmentation.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from detectron2.config import CfgNode
from numpy.typing import NDArray

from segtumor.arrays import Spacing
from segtumor.errors import ConfigError
from segtumor.evaluation.facts.truth import UNKNOWN_CLASS, true_class
from segtumor.imaging import normalize_window, read_radiograph
from segtumor.imaging.resizing import resize, resized_hw, spacing_remark
from segtumor.imaging.steps import apply_steps, check_steps
from segtumor.models.detectron2_detector import image_tensor
from segtumor.models.kinds import Example, Truth, context_fields, instance_targets, kind_of
from segtumor.structures.lesions import AnnotatedImage, Lesion
from segtumor.structures.masks import draw_polygons, mask_from_rle, rle_from_segmentation
from segtumor.system.opencv import cv2
from segtumor.tabular.values import fold_of_row
from segtumor.taxonomy import NORMAL
from segtumor.training.batches.augmentation import Augmentation, Motion
from segtumor.training.batches.cache import ImageCache
from segtumor.training.batches.composed import SUFFIXES, ComposedAugmentation
from segtumor.training.batches.copy_paste import paste_lesion
from segtumor.training.batches.mixup import mixup
from segtumor.training.batches.mosaic import Tile, mosaic

#: Files whose remarks this process has logged: a training reads each hundreds of times, by several mappers.
_READ_BEFORE: set[str] = set()
#: One image of a data set and its lesions: Detectron2's standard dataset dict.
Record = Mapping[str, Any]
#: Draws the masks of an image's lesions, (L, h, w) bool, where a ``Motion`` takes them.
Draw = Callable[[Motion], NDArray[np.bool_]]


@dataclass(kw_only=True, eq=False)
class RadiographMapper:
    """Maps records to what models take.

    Attributes:
        short_edges_px: sizes of the image's shorter edge to choose from at random.
        max_long_edge_px: the longer edge is never made longer than this.
        augmentation: name of a policy, or a file of albumentations (``composed``).
        augmentation_by_class: pairs of a class, or "normal", and the policy of its images in place of that.
        square: whether both edges get the size of the shorter one.
        steps: names of ``imaging.steps``, applied before augmentation.
        spacing_mm: side of a pixel, of radiographs that say theirs (``runtime.predictor.Windowing``); 0 for none.
        spacing_required: whether others are refused.
        min_lesion_area_px: lesions with fewer pixels after augmentation are left out of this example.
        cache_folder: keeps windowed images at the largest size that is asked for (``cache``); "" for none. Of several
            sizes, the smaller ones are then made from the largest.
        class_names: names by ``class_id``, to know the class of an image by its label.
        targets: what becomes of the truth of an image (``models.kinds.ModelKind.targets``).
        context_fields: fields of the record that the model takes beside the image.
        fitted_on: whether what the model does with these was fitted on the records.

    Raises:
        ConfigError: no such policy or class, a file that cannot be used, a folder for the cache with other things, or
            settings that exclude each other.
    """

    short_edges_px: Sequence[int]
    max_long_edge_px: int
    window_percentiles: Sequence[float]
    max_pixels: int
    augmentation: str
    min_lesion_area_px: int
    square: bool = False
    steps: Sequence[str] = ()
    spacing_mm: float = 0.0
    spacing_required: bool = False
    cache_folder: str | Path = ""
    cache_max_gb: float = 0.0
    class_names: Sequence[str] = ()
    augmentation_by_class: Sequence[tuple[str, str]] = ()
    targets: Callable[[Truth], Mapping[str, Any]] = instance_targets
    context_fields: Sequence[str] = ()
    fitted_on: bool = False

    def __post_init__(self) -> None:
        check_steps(self.steps)
        if self.spacing_mm and (self.square or self.cache_folder):
            other = "INPUT.SQUARE" if self.square else "INPUT.CACHE_DIR"
            raise ConfigError(
                f"a fixed spacing and {other} exclude each other",
                where="INPUT.SPACING_MM",
                got=self.spacing_mm,
                remedy=f"Set it to 0, or {other} to {'False' if self.square else repr('')}",
            )
        self._augmentation: Augmentation | ComposedAugmentation
        if Path(self.augmentation).suffix in SUFFIXES:
            shortest = min(*self.short_edges_px, self.max_long_edge_px)
            self._augmentation = ComposedAugmentation(self.augmentation, trial_hw=(shortest, shortest))
        else:
            self._augmentation = Augmentation(self.augmentation)
        self._of_class = _augmentations(self.augmentation_by_class, self.class_names)
        settings = [max(self.short_edges_px), self.max_long_edge_px, self.window_percentiles, self.max_pixels]
        settings += ["square"] if self.square else []
        folder, max_gb = self.cache_folder, self.cache_max_gb
        self._cache = ImageCache(folder, max_gb=max_gb, settings=settings) if folder else None

    @classmethod
    def from_config(cls, cfg: CfgNode, *, is_train: bool) -> "RadiographMapper":
        """The mapper that ``INPUT`` describes; without augmentation and at the test size unless ``is_train``."""
        return cls(
            short_edges_px=cfg.INPUT.MIN_SIZE_TRAIN if is_train else [cfg.INPUT.MIN_SIZE_TEST],
            max_long_edge_px=cfg.INPUT.MAX_SIZE_TRAIN if is_train else cfg.INPUT.MAX_SIZE_TEST,
            window_percentiles=cfg.INPUT.WINDOW_PERCENTILES,
            max_pixels=cfg.INPUT.MAX_PIXELS,
            augmentation=cfg.INPUT.AUGMENTATION if is_train else "none",
            augmentation_by_class=cfg.INPUT.AUGMENTATION_BY_CLASS if is_train else (),
            min_lesion_area_px=cfg.INPUT.MIN_LESION_AREA_PX,
            square=cfg.INPUT.SQUARE,
            steps=cfg.INPUT.PREPROCESSING,
            spacing_mm=cfg.INPUT.SPACING_MM,
            spacing_required=cfg.INPUT.SPACING_UNKNOWN == "refuse",
            cache_folder=cfg.INPUT.CACHE_DIR,
            cache_max_gb=cfg.INPUT.CACHE_MAX_GB,
            class_names=cfg.MODEL.CLASS_NAMES,
            targets=kind_of(cfg).targets,
            context_fields=context_fields(cfg),
            fitted_on=is_train,
        )

    def __call__(self, record: Record, seed: int | None = None) -> Example:
        """Record -> {"image": (3, h, w) float32 in 0..255, "height": H, "width": W, ...}, and the targets of the kind.
        ``seed`` is that of the size and the augmentation; None takes one from NumPy's global generator.

        Raises:
            BadImageError: the file cannot be read.
        """
        rng = np.random.default_rng(np.random.randint(2**31) if seed is None else seed)
        pixels, draw = self._drawn(record, int(rng.choice(self.short_edges_px)))
        return self._example([record], pixels, draw, rng, image_class_of(record, self.class_names))

    def mosaic(self, records: Sequence[Record], seed: int) -> Example:
        """As a call, of four records put together (``mosaic``); height, width and name are those of the first.

        The image is of the four's class if they are of one, else of unknown class.
        """
        rng = np.random.default_rng(seed)
        tile = mosaic(self._tiles(records, rng), rng)
        classes = {image_class_of(record, self.class_names) for record in records}
        return self._of_tile(records, tile, rng, classes)

    def pasted(self, record: Record, donor: Record, seed: int) -> Example:
        """As a call, with a lesion of a donor on the record's image (``copy_paste``), if it has room there.

        A normal image becomes one of that lesion's class; one of another class is of unknown class.
        """
        rng = np.random.default_rng(seed)
        onto, lent = self._tiles([record, donor], rng)
        tile = paste_lesion(onto, lent, rng)
        own, lent_lesions = image_class_of(record, self.class_names), _lesions_of(donor)
        lent_masks = tile[1][len(tile[1]) - len(lent_lesions) :]
        lent_ids = [lesion["category_id"] for lesion, mask in zip(lent_lesions, lent_masks, strict=True) if mask.any()]
        classes = {class_id + 1 for class_id in lent_ids}
        sources = [record, donor] if classes else [record]
        return self._of_tile(sources, tile, rng, (classes | ({own} - {0})) or {0})

    def mixed(self, record: Record, other: Record, seed: int) -> Example:
        """As a call, with another record's image shining through (``mixup``).

        Of a normal image and one of a class it is of that class, of two classes of unknown class.
        """
        rng = np.random.default_rng(seed)
        onto, through = self._tiles([record, other], rng)
        classes = {image_class_of(r, self.class_names) for r in (record, other)}
        return self._of_tile([record, other], mixup(onto, through, rng), rng, (classes - {0}) or {0})

    def _tiles(self, records: Sequence[Record], rng: np.random.Generator) -> list[Tile]:
        """Images and lesions of records at one size for the model."""
        edge_px = int(rng.choice(self.short_edges_px))
        still = [self._drawn(record, edge_px) for record in records]
        return [(pixels, draw(Motion(pixels.shape, False, None))) for pixels, draw in still]

    def _of_tile(self, records: Sequence[Record], tile: Tile, rng: np.random.Generator, classes: set[int]) -> Example:
        pixels, masks = tile

        def draw_moved(motion: Motion) -> NDArray[np.bool_]:
            return np.stack([motion.mask(mask) for mask in masks]) if len(masks) else masks

        image_class = next(iter(classes)) if len(classes) == 1 else UNKNOWN_CLASS
        return self._example(records, pixels, draw_moved, rng, image_class)

    def _drawn(self, record: Record, edge_px: int) -> tuple[NDArray[np.float32], Draw]:
        """Pixels of a record's image at the model's size, and what draws its lesions where a ``Motion`` takes them."""
        pixels, size_hw = self._window(record["file_name"], edge_px)
        pixels = apply_steps(pixels, self.steps)
        lesions, size = _lesions_of(record), pixels.shape

        def draw(motion: Motion) -> NDArray[np.bool_]:
            masks = np.zeros((len(lesions), *size), dtype=bool)
            for mask, lesion in zip(masks, lesions, strict=True):
                draw_lesion(lesion["segmentation"], size_hw, motion, mask)
            return masks

        return pixels, draw

    def _example(
        self,
        records: Sequence[Record],
        pixels: NDArray[np.float32],
        draw: Draw,
        rng: np.random.Generator,
        image_class: int,
    ) -> Example:
        augmentation = self._of_class.get(image_class, self._augmentation)
        pixels, masks = augmentation.augment(pixels, draw, rng)
        class_ids = [lesion["category_id"] for record in records for lesion in _lesions_of(record)]
        return {
            "image": image_tensor(pixels),
            **self.targets(self._truth(image_class, masks, class_ids)),
            **self._context(records),
            **{key: records[0][key] for key in ("height", "width", "image_id", "file_name")},
        }

    def _context(self, records: Sequence[Record]) -> Example:
        """What is known of the first of the records, as far as the others say the same: the rest teaches nothing."""
        if not self.context_fields:
            return {}
        first, *others = records
        known = [name for name in self.context_fields if all(r.get(name) == first.get(name) for r in others)]
        context = {"context": {name: first.get(name) if name in known else None for name in self.context_fields}}
        return {**context, "fold": fold_of_row(first)} if self.fitted_on else context

    def _truth(self, image_class: int, masks: NDArray[np.bool_], class_ids: Sequence[int]) -> Truth:
        areas = np.array([cv2.countNonZero(mask.view(np.uint8)) for mask in masks])
        kept = np.flatnonzero(areas >= max(1, self.min_lesion_area_px))
        # What is in view of an image whose lesions all left it may look normal, and is not known to be.
        return Truth(
            masks=masks if len(kept) == len(masks) else masks[kept],
            class_ids=[class_ids[index] for index in kept.tolist()],
            image_class=image_class if areas.any() or not class_ids else UNKNOWN_CLASS,
        )

    def _window(self, path: str, short_edge_px: int) -> tuple[NDArray[np.float32], tuple[int, int]]:
        """Image file -> ((h, w) float32 in [0, 1] at the size for the model, (H, W) of the file)."""
        if self._cache is None:
            return self._read(path, short_edge_px)
        largest, size_hw = self._cache.get(path, lambda: self._read(path, max(self.short_edges_px)))
        return resize(largest, self._resized_hw(size_hw, short_edge_px)), size_hw

    def _read(self, path: str, short_edge_px: int) -> tuple[NDArray[np.float32], tuple[int, int]]:
        radiograph = read_radiograph(path, max_pixels=self.max_pixels, log=path not in _READ_BEFORE)
        _READ_BEFORE.add(path)
        spacing_remark(radiograph, self.spacing_mm, self.max_long_edge_px, required=self.spacing_required)
        window = normalize_window(radiograph.pixels, *self.window_percentiles)
        new_hw = self._resized_hw(window.shape, short_edge_px, radiograph.spacing_mm)
        return resize(window, new_hw), window.shape

    def _resized_hw(
        self, size_hw: tuple[int, int], short_edge_px: int, spacing_mm: Spacing | None = None
    ) -> tuple[int, int]:
        limit_px, target_mm = self.max_long_edge_px, self.spacing_mm
        return resized_hw(
            size_hw, short_edge_px, limit_px, square=self.square, spacing_mm=spacing_mm, target_mm=target_mm
        )


def _lesions_of(record: Record) -> list[Any]:
    return [a for a in record["annotations"] if not a.get("iscrowd", 0)]


def _augmentations(by_class: Sequence[tuple[str, str]], class_names: Sequence[str]) -> dict[int, Augmentation]:
    """{class of an image: its augmentation}; raises ConfigError for an unknown class or policy."""
    where, names = "INPUT.AUGMENTATION_BY_CLASS", (NORMAL, *class_names)
    unknown = [name for name, _ in by_class if name not in names]
    if unknown:
        raise ConfigError("unknown class", where=where, got=unknown[0], expected=", ".join(names))
    return {names.index(name): Augmentation(policy, where=where) for name, policy in by_class}


def image_class_of(record: Record, class_names: Sequence[str]) -> int:
    """Class of a record's image as evaluation counts it: 0 normal, ``class_id`` + 1, below 0 unknown."""
    nowhere = (0.0, 0.0, 0.0, 0.0)
    lesions = tuple(Lesion(i, a["category_id"], nowhere, None, 0.0) for i, a in enumerate(record["annotations"]))
    size_hw = (record["height"], record["width"])
    found: int = true_class(
        AnnotatedImage(record["image_id"], record["file_name"], size_hw, lesions, record), class_names
    )
    return found


def draw_lesion(segmentation: Any, size_hw: tuple[int, int], motion: Motion, canvas: NDArray[np.bool_]) -> None:
    """Draw a COCO segmentation of an image of ``size_hw`` where ``motion`` takes it, at the size of ``canvas``.

    Args:
        segmentation: polygons, which are scaled and moved as points and drawn once, or an RLE.
        size_hw: (H, W) that it refers to.
        motion: ``augmentation.Motion`` of an image of the canvas's size.
        canvas: (h, w) bool, false everywhere; changed.
    """
    height, width = canvas.shape
    if isinstance(segmentation, list):
        scale = width / size_hw[1], height / size_hw[0]
        polygons = [np.reshape(polygon, (-1, 2)) * scale for polygon in segmentation]
        draw_polygons([motion.polygon(polygon) for polygon in polygons], canvas)
        if motion.bend is not None:
            canvas[:] = motion.bent(canvas)
        return
    mask = np.ascontiguousarray(mask_from_rle(rle_from_segmentation(segmentation, size_hw))).view(np.uint8)
    canvas |= motion.mask(cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST).view(bool))

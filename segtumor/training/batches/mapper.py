"""One record to one training example: read, window, resize, augment, to tensors.

Letters: H, W size of the file; h, w size the model sees; L lesions that are left after augmentation.
"""

import numpy as np
import torch
from detectron2.structures import BitMasks, Boxes, Instances

from segtumor.imaging import normalize_window, read_radiograph
from segtumor.imaging.resizing import resize, resized_hw
from segtumor.models.detectron2_detector import image_tensor
from segtumor.structures.masks import box_from_mask, draw_polygons, mask_from_rle, rle_from_segmentation
from segtumor.system.opencv import cv2
from segtumor.training.batches.augmentation import Augmentation
from segtumor.training.batches.cache import ImageCache


class RadiographMapper:
    """Maps records (Detectron2 dataset dicts) to what Detectron2's models take.

    Args:
        short_edges_px: sizes of the image's shorter edge to choose from at random.
        max_long_edge_px: the longer edge is never made longer than this.
        window_percentiles: gray values made black and white.
        max_pixels: larger images are refused.
        augmentation: name of a policy.
        min_lesion_area_px: lesions with fewer pixels after augmentation are left out of this example.
        cache_folder: keeps windowed images at the largest size that is asked for (``cache``); "" for none. Of several
            sizes, the smaller ones are then made from the largest.
        cache_max_gb: limit of the cache.

    Raises:
        ConfigError: no such policy, or the folder for the cache holds other things.
    """

    def __init__(
        self,
        *,
        short_edges_px,
        max_long_edge_px,
        window_percentiles,
        max_pixels,
        augmentation,
        min_lesion_area_px,
        cache_folder: str = "",
        cache_max_gb: float = 0.0,
    ) -> None:
        self._short_edges_px, self._max_long_edge_px = tuple(short_edges_px), max_long_edge_px
        self._window_percentiles, self._max_pixels = tuple(window_percentiles), max_pixels
        self._augmentation = Augmentation(augmentation)
        self._min_lesion_area_px = min_lesion_area_px
        settings = [max(self._short_edges_px), max_long_edge_px, self._window_percentiles, max_pixels]
        self._cache = ImageCache(cache_folder, max_gb=cache_max_gb, settings=settings) if cache_folder else None

    @classmethod
    def from_config(cls, cfg, *, is_train):
        """The mapper that ``INPUT`` describes; without augmentation and at the test size unless ``is_train``."""
        return cls(
            short_edges_px=cfg.INPUT.MIN_SIZE_TRAIN if is_train else [cfg.INPUT.MIN_SIZE_TEST],
            max_long_edge_px=cfg.INPUT.MAX_SIZE_TRAIN if is_train else cfg.INPUT.MAX_SIZE_TEST,
            window_percentiles=cfg.INPUT.WINDOW_PERCENTILES,
            max_pixels=cfg.INPUT.MAX_PIXELS,
            augmentation=cfg.INPUT.AUGMENTATION if is_train else "none",
            min_lesion_area_px=cfg.INPUT.MIN_LESION_AREA_PX,
            cache_folder=cfg.INPUT.CACHE_DIR,
            cache_max_gb=cfg.INPUT.CACHE_MAX_GB,
        )

    def __call__(self, record, seed=None):
        """Record -> {"image": (3, h, w) float32 in 0..255, "instances", "height": H, "width": W, ...}.

        Args:
            record: Detectron2 dataset dict.
            seed: of the size and the augmentation; None takes one from NumPy's global generator.

        Raises:
            BadImageError: the file cannot be read.
        """
        rng = np.random.default_rng(np.random.randint(2**31) if seed is None else seed)
        pixels, size_hw = self._window(record["file_name"], int(rng.choice(self._short_edges_px)))
        motion = self._augmentation.draw_motion(pixels.shape, rng)
        lesions = [a for a in record["annotations"] if not a.get("iscrowd", 0)]
        masks = np.zeros((len(lesions), *pixels.shape), dtype=bool)
        for mask, lesion in zip(masks, lesions, strict=True):
            draw_lesion(lesion["segmentation"], size_hw, motion, mask)
        return {
            "image": image_tensor(self._augmentation.change_gray(motion.image(pixels), rng)),
            "instances": _instances(masks, [a["category_id"] for a in lesions], self._min_lesion_area_px),
            **{key: record[key] for key in ("height", "width", "image_id", "file_name")},
        }

    def _window(self, path, short_edge_px):
        """Image file -> ((h, w) float32 in [0, 1] at the size for the model, (H, W) of the file)."""
        if self._cache is None:
            return self._read(path, short_edge_px)
        largest, size_hw = self._cache.get(path, lambda: self._read(path, max(self._short_edges_px)))
        return resize(largest, resized_hw(size_hw, short_edge_px, self._max_long_edge_px)), size_hw

    def _read(self, path, short_edge_px):
        radiograph = read_radiograph(path, max_pixels=self._max_pixels)
        window = normalize_window(radiograph.pixels, *self._window_percentiles)
        return resize(window, resized_hw(window.shape, short_edge_px, self._max_long_edge_px)), window.shape


def draw_lesion(segmentation, size_hw, motion, canvas) -> None:
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
        return
    mask = np.ascontiguousarray(mask_from_rle(rle_from_segmentation(segmentation, size_hw))).view(np.uint8)
    canvas |= motion.mask(cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST).view(bool))


def _instances(masks, class_ids, min_area_px):
    """(L, h, w) bool and their classes -> Instances of the lesions that are left, with tight boxes."""
    areas = np.array([cv2.countNonZero(mask.view(np.uint8)) for mask in masks])
    kept = np.flatnonzero(areas >= max(1, min_area_px))
    masks = masks if len(kept) == len(masks) else masks[kept]
    boxes = np.array([box_from_mask(mask) for mask in masks], dtype=np.float32).reshape(-1, 4)
    instances = Instances(masks.shape[1:])
    instances.gt_boxes = Boxes(torch.from_numpy(boxes))
    instances.gt_classes = torch.tensor([class_ids[index] for index in kept], dtype=torch.int64)
    # A normal image needs the field too: Detectron2 fails on a batch in which only some images have it.
    instances.gt_masks = BitMasks(torch.from_numpy(masks))
    return instances

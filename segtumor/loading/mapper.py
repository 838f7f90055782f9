"""One record to one training example: read, window, resize, augment, to tensors.

Letters: H, W size of the file; h, w size the model sees; L lesions that are left after augmentation.
"""

import cv2
import numpy as np
import torch
from detectron2.structures import BitMasks, Boxes, Instances

from segtumor.imaging import normalize_window, read_radiograph
from segtumor.loading.augmentation import Augmentation
from segtumor.structures.masks import box_from_mask, mask_from_rle, rle_from_polygons, rle_from_segmentation


class RadiographMapper:
    """Maps records (Detectron2 dataset dicts) to what Detectron2's models take.

    Args:
        short_edges_px: sizes of the image's shorter edge to choose from at random.
        max_long_edge_px: the longer edge is never made longer than this.
        window_percentiles: gray values made black and white.
        max_pixels: larger images are refused.
        augmentation: name of a policy.
        min_lesion_area_px: lesions with fewer pixels after augmentation are left out of this example.
    """

    def __init__(
        self, *, short_edges_px, max_long_edge_px, window_percentiles, max_pixels, augmentation, min_lesion_area_px
    ):
        self._short_edges_px, self._max_long_edge_px = tuple(short_edges_px), max_long_edge_px
        self._window_percentiles, self._max_pixels = tuple(window_percentiles), max_pixels
        self._augmentation = Augmentation(augmentation)
        self._min_lesion_area_px = min_lesion_area_px

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
        )

    def __call__(self, record):
        """Record -> {"image": (3, h, w) float32 in 0..255, "instances", "height": H, "width": W, ...}.

        Randomness comes from NumPy's global generator, which Detectron2 seeds in every worker.

        Raises:
            BadImageError: the file cannot be read.
        """
        rng = np.random.default_rng(np.random.randint(2**31))
        radiograph = read_radiograph(record["file_name"], max_pixels=self._max_pixels)
        pixels = normalize_window(radiograph.pixels, *self._window_percentiles)
        pixels = resize(pixels, resized_hw(pixels.shape, rng.choice(self._short_edges_px), self._max_long_edge_px))
        lesions = [a for a in record["annotations"] if not a.get("iscrowd", 0)]
        masks = [mask_at_size(a["segmentation"], radiograph.pixels.shape, pixels.shape) for a in lesions]
        pixels, masks = self._augmentation(pixels, masks, rng)
        return {
            "image": image_tensor(pixels),
            "instances": _instances(masks, [a["category_id"] for a in lesions], pixels.shape, self._min_lesion_area_px),
            **{key: record[key] for key in ("height", "width", "image_id", "file_name")},
        }


def resized_hw(size_hw, short_edge_px, max_long_edge_px):
    """Height and width with the shorter edge at ``short_edge_px``, unless the longer one would pass its limit; px."""
    scale = min(short_edge_px / min(size_hw), max_long_edge_px / max(size_hw))
    return max(1, round(size_hw[0] * scale)), max(1, round(size_hw[1] * scale))


def resize(pixels, new_hw):
    """(H, W) float32 -> (h, w) float32; areas are averaged when shrinking, which keeps thin lines from aliasing."""
    if pixels.shape == tuple(new_hw):
        return pixels
    shrinking = new_hw[0] < pixels.shape[0]
    interpolation = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return cv2.resize(pixels, (new_hw[1], new_hw[0]), interpolation=interpolation)


def image_tensor(pixels):
    """(h, w) float32 in [0, 1] -> (3, h, w) float32 in 0..255, the gray channel three times."""
    return torch.from_numpy(np.ascontiguousarray(pixels * 255, dtype=np.float32)).expand(3, -1, -1).contiguous()


def mask_at_size(segmentation, size_hw, new_hw):
    """A COCO segmentation of an image of ``size_hw``, drawn at ``new_hw``: (h, w) bool."""
    if isinstance(segmentation, list):
        scale = np.array([new_hw[1] / size_hw[1], new_hw[0] / size_hw[0]])
        polygons = [(np.reshape(polygon, (-1, 2)) * scale).ravel() for polygon in segmentation]
        return mask_from_rle(rle_from_polygons(polygons, new_hw))
    mask = mask_from_rle(rle_from_segmentation(segmentation, size_hw)).astype(np.uint8)
    return cv2.resize(mask, (new_hw[1], new_hw[0]), interpolation=cv2.INTER_NEAREST).astype(bool)


def _instances(masks, class_ids, size_hw, min_area_px):
    kept = [
        (mask, class_id) for mask, class_id in zip(masks, class_ids, strict=True) if mask.sum() >= max(1, min_area_px)
    ]
    boxes = np.array([box_from_mask(mask) for mask, _ in kept], dtype=np.float32).reshape(-1, 4)
    instances = Instances(tuple(size_hw))
    instances.gt_boxes = Boxes(torch.from_numpy(boxes))
    instances.gt_classes = torch.tensor([class_id for _, class_id in kept], dtype=torch.int64)
    # A normal image needs the field too: Detectron2 fails on a batch in which only some images have it.
    stack = np.stack([mask for mask, _ in kept]) if kept else np.zeros((0, *size_hw), dtype=bool)
    instances.gt_masks = BitMasks(torch.from_numpy(stack))
    return instances

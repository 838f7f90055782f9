"""Phantoms as COCO: polygons, image and annotation entries, one document per part of the split."""

from typing import Any

from segtumor.structures.boxes import box_xyxy_to_xywh
from segtumor.structures.masks import box_from_mask
from segtumor.structures.outlines import polygons_from_mask
from segtumor.synthesis.phantoms.generator import PhantomCase, PhantomLesion, PhantomView
from segtumor.taxonomy import BINARY

SYNTHETIC_NOTICE = "Synthetic radiograph (phantom), segtumor"
FORMAT_VERSION = "1"


class CocoPart:
    """Collects the entries of one part; ids count from 1 in the order of arrival."""

    def __init__(self, part: str, *, seed: int, size_px: int) -> None:
        self.part, self.seed, self.size_px = part, seed, size_px
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []

    def add_view(self, case: PhantomCase, view: PhantomView, file_name: str) -> None:
        """Append one picture and its lesions."""
        height, width = view.pixels.shape
        self.images.append(
            {
                "id": len(self.images) + 1,
                "file_name": file_name,
                "width": width,
                "height": height,
                "case_id": case.case_id,
                "image_label": case.image_label,
                "subtype": view.lesions[0].subtype if view.lesions else None,
                "age": case.age,
                "sex": case.sex,
                "site": list(case.site),
                "view": [view.view],
                "center": "phantom",
                "spacing_mm": [round(value, 5) for value in view.spacing_mm],
                "spacing_source": "synthetic",
            }
        )
        for lesion in view.lesions:
            self.annotations.append(self._annotation(lesion))

    def document(self) -> dict[str, Any]:
        """The COCO json as a dict; no date, so that equal seeds give equal bytes."""
        info = {
            "description": f"{SYNTHETIC_NOTICE}. Drawn by a program; shows no patient.",
            "version": FORMAT_VERSION,
            "synthetic": True,
            "part": self.part,
            "seed": self.seed,
            "size_px": self.size_px,
        }
        return {
            "info": info,
            "images": self.images,
            "annotations": self.annotations,
            "categories": BINARY.coco_categories(),
        }

    def _annotation(self, lesion: PhantomLesion) -> dict[str, Any]:
        box = box_from_mask(lesion.mask)  # none has no pixel
        return {
            "id": len(self.annotations) + 1,
            "image_id": len(self.images),
            "category_id": BINARY.class_id(lesion.label) + 1,
            "bbox": None if box is None else box_xyxy_to_xywh(box).tolist(),
            "segmentation": polygons_from_mask(lesion.mask),
            "area": int(lesion.mask.sum()),
            "iscrowd": 0,
            "subtype": lesion.subtype,
        }

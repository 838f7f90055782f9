"""The classes of bone tumours: names, order and colours, one list in one place.

``class_id`` is the contiguous index into ``Taxonomy.names`` (0-based, what a model predicts); ``category_id`` is the
number in a COCO file (``class_id + 1`` in the files segtumor writes). Not here: what a data set calls its labels.
"""

from dataclasses import dataclass
from typing import Any

BENIGN, MALIGNANT, NORMAL = "benign", "malignant", "normal"

#: Subtypes of BTXRD (Yao et al., Scientific Data 2025, doi 10.1038/s41597-024-04311-y) and whether each is malignant.
SUBTYPE_ENTITY = {
    "osteochondroma": BENIGN,
    "multiple osteochondromas": BENIGN,
    "simple bone cyst": BENIGN,
    "giant cell tumor": BENIGN,
    "osteofibroma": BENIGN,
    "synovial osteochondroma": BENIGN,
    "other bt": BENIGN,
    "osteosarcoma": MALIGNANT,
    "other mt": MALIGNANT,
}

# Okabe & Ito 2008, distinguishable with every common colour-vision deficiency; sky blue and vermillion come first
# because they also keep their contrast on both dark and bright radiographs.
PALETTE_RGB = (
    (86, 180, 233),
    (213, 94, 0),
    (0, 158, 115),
    (240, 228, 66),
    (204, 121, 167),
    (230, 159, 0),
    (0, 114, 178),
    (170, 170, 170),
    (255, 255, 255),
)


@dataclass(frozen=True)
class Taxonomy:
    """An ordered set of class names."""

    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def class_id(self, name: str) -> int:
        """Position of ``name``; raises ValueError if it is not a class."""
        return self.names.index(name)

    def coco_categories(self) -> list[dict[str, Any]]:
        """The ``categories`` list of a COCO file, ids from 1 as COCO counts."""
        return [{"id": i + 1, "name": name, "supercategory": "bone tumor"} for i, name in enumerate(self.names)]


BINARY = Taxonomy((BENIGN, MALIGNANT))
SUBTYPES = Taxonomy(tuple(SUBTYPE_ENTITY))


def color_rgb(class_id: int) -> tuple[int, int, int]:
    """Display colour of a class, (red, green, blue) in 0..255; repeats after nine classes."""
    return PALETTE_RGB[class_id % len(PALETTE_RGB)]

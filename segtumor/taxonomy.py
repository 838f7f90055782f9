"""The classes of bone tumours: names, order and colours, one list in one place.

``class_id`` is the contiguous index into ``Taxonomy.names`` (0-based, what a model predicts); ``category_id`` is the
number in a COCO file (``class_id + 1`` in the files segtumor writes). Not here: what a data set calls its labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

BENIGN, INTERMEDIATE, MALIGNANT, NORMAL = "benign", "intermediate", "malignant", "normal"
#: What a tumour can be, from harmless to grave. An image that is called one of them has a tumour.
ENTITIES = (BENIGN, INTERMEDIATE, MALIGNANT)

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

#: The same with the entity between the two: locally aggressive, and rarely metastasising (WHO Classification of Soft
#: Tissue and Bone Tumours, 5th ed. 2020). Of the subtypes that BTXRD names that is giant cell tumour of bone.
GRADED_ENTITY = {**SUBTYPE_ENTITY, "giant cell tumor": INTERMEDIATE}

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
#: Colours that do not depend on the place in a list: what is malignant is vermillion everywhere.
_ENTITY_RGB = {BENIGN: PALETTE_RGB[0], INTERMEDIATE: PALETTE_RGB[3], MALIGNANT: PALETTE_RGB[1]}


@dataclass(frozen=True)
class Taxonomy:
    """An ordered set of class names."""

    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def class_id(self, name: str) -> int:
        """Position of ``name``; raises ValueError if it is not a class."""
        return self.names.index(name)

    def entity_of(self, subtype: str) -> str:
        """The entity of a subtype of BTXRD, among those that this taxonomy tells apart."""
        return (GRADED_ENTITY if INTERMEDIATE in self.names else SUBTYPE_ENTITY)[subtype]

    def coco_categories(self) -> list[dict[str, Any]]:
        """The ``categories`` list of a COCO file, ids from 1 as COCO counts."""
        return [{"id": i + 1, "name": name, "supercategory": "bone tumor"} for i, name in enumerate(self.names)]


BINARY = Taxonomy((BENIGN, MALIGNANT))
GRADED = Taxonomy(ENTITIES)
SUBTYPES = Taxonomy(tuple(SUBTYPE_ENTITY))


def color_rgb(class_id: int, class_names: Sequence[str] = ()) -> tuple[int, int, int]:
    """Display colour of a class, (red, green, blue) in 0..255; repeats after nine classes.

    Args:
        class_names: of all classes; where all are entities each has its own colour, whatever its place.
    """
    if class_names and set(class_names) <= _ENTITY_RGB.keys():
        return _ENTITY_RGB[class_names[class_id]]
    return PALETTE_RGB[class_id % len(PALETTE_RGB)]

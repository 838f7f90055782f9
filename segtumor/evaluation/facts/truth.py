"""What is true of an image: tumour or not, and of which class. The one definition; everything that counts asks here.

* Tumour: the image has a lesion, crowd regions included, or its ``image_label`` says benign, intermediate, malignant
  or a class.
* Class: ``image_label`` where it names a class, else the highest ``class_id`` among the lesions, else normal. Where a
  tumour has neither, the attribute ``subtype`` decides, or the only class; else the class is unknown.

An image whose label names a tumour is an image with a tumour even if nobody outlined it: to count it as normal would
blame a model for finding it. Not here: what a model says of an image (``image_level``), patients (``patient_level``).
"""

from collections.abc import Collection, Sequence

from segtumor.structures.lesions import AnnotatedImage
from segtumor.taxonomy import ENTITIES, NORMAL

UNKNOWN_CLASS = -1


def has_tumor(truth: AnnotatedImage, class_names: Sequence[str]) -> bool:
    """Whether an image has a tumour."""
    label = truth.attributes.get("image_label")
    return bool(truth.lesions) or (label != NORMAL and label in (*ENTITIES, *class_names))


def true_class(truth: AnnotatedImage, class_names: Sequence[str]) -> int:
    """Class of an image: 1 to K, 0 for normal, UNKNOWN_CLASS for a tumour that no class describes."""
    label, subtype = (truth.attributes.get(name) for name in ("image_label", "subtype"))
    if label in class_names:
        return class_names.index(label) + 1
    if truth.lesions:
        return max(lesion.class_id for lesion in truth.lesions) + 1
    if not has_tumor(truth, class_names):
        return 0
    if subtype in class_names:
        return class_names.index(subtype) + 1
    return 1 if len(class_names) == 1 else UNKNOWN_CLASS


def n_normal(truths: Sequence[AnnotatedImage], class_names: Sequence[str], ids: Collection[int]) -> int:
    """How many images of these ids are normal."""
    wanted = set(ids)
    return sum(truth.image_id in wanted and not has_tumor(truth, class_names) for truth in truths)

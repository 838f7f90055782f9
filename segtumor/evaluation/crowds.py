"""Crowd regions (COCO's ``iscrowd``): where a finding is neither right nor wrong, and no lesion to find.

Some tools export every brush stroke so. Not here: how findings in them are ignored (``matching``, ``froc_events``).
"""

from segtumor.errors import DataError

REMEDY = "Set iscrowd to 0 where a region is one lesion"


def refuse_crowds_only(truths, *, where=None):
    """Refuse a set in which nothing can be found or missed although lesions are drawn.

    Args:
        truths: AnnotatedImages.
        where: the annotation file, for the message.

    Raises:
        DataError: there are crowd regions, and no other lesion.
    """
    lesions = [lesion for truth in truths for lesion in truth.lesions]
    if lesions and all(lesion.iscrowd for lesion in lesions):
        images = sum(bool(truth.lesions) for truth in truths)
        raise DataError(
            f"all {len(lesions)} regions on {images} images are crowds (iscrowd 1), which are neither found nor missed",
            where=where,
            expected="a lesion to measure on",
            remedy=REMEDY,
        )

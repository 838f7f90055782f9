"""What annotators say of an image as a whole (CVAT's tags, Label Studio's choices): its label, or anything else."""

from segtumor.annotations.remarks import LeftOutError
from segtumor.taxonomy import BENIGN, MALIGNANT, NORMAL

IMAGE_LABELS = (NORMAL, BENIGN, MALIGNANT)


def image_label_and_rest(words, has_lesions):
    """Sort the words that were chosen for an image.

    Args:
        words: texts, in any case.
        has_lesions: whether a lesion is annotated.

    Returns:
        (normal, benign, malignant or None; list of the other words).

    Raises:
        LeftOutError: the words contradict each other or the lesions; the truth of the image is not known.
    """
    labels = {word.strip().casefold() for word in words} & set(IMAGE_LABELS)
    if len(labels) > 1:
        raise LeftOutError("several labels for one image", ", ".join(sorted(labels)))
    label = labels.pop() if labels else None
    if label == NORMAL and has_lesions:
        raise LeftOutError("called normal, but lesions are annotated")
    if label in (BENIGN, MALIGNANT) and not has_lesions:
        raise LeftOutError("called benign or malignant, but no lesion is annotated", label)
    return label, [word for word in words if word.strip().casefold() not in IMAGE_LABELS]

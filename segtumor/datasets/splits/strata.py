"""What an image is stratified by: its label first, then any of its attributes.

Not here: dividing the images (``deal``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from segtumor.ages import AGE_GROUP, age_group
from segtumor.annotations.attributes import label_of, texts_of
from segtumor.datasets.splits.deal import SEVERITY
from segtumor.errors import ConfigError
from segtumor.taxonomy import NORMAL, SUBTYPE_ENTITY

UNKNOWN = "unknown"
LABEL = "label"


def attribute_text(image: Mapping[str, Any], key: str) -> str:
    """A field, or ``age_group``, of a COCO image entry as text: a list sorted and joined by ``+``; ``unknown``."""
    if key == AGE_GROUP:
        return age_group(image.get("age")) or UNKNOWN
    return "+".join(sorted(texts_of(image.get(key)))) or UNKNOWN


def stratum_keys(images: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> list[tuple[str, ...]] | None:
    """Keys of each image beyond the label, None without any; raises ConfigError for one that no image has."""
    keys = [key for key in keys if key != LABEL]  # the label always comes first
    for key in keys:
        check_attribute(images, key, option="--stratify")
    columns = [[attribute_text(image, key) for image in images] for key in keys]
    return list(zip(*columns, strict=True)) if keys else None


def check_attribute(images: Sequence[Mapping[str, Any]], key: str, *, option: str) -> None:
    """Raises ConfigError if no image has the attribute; names those that there are."""
    field = "age" if key == AGE_GROUP else key
    if any(attribute_text(image, field) != UNKNOWN for image in images):
        return
    present = {name for image in images for name in image} - {"id", "file_name", "width", "height"}
    raise ConfigError(
        "no image has this attribute", where=option, got=key, expected=", ".join(sorted(present)) or "nothing is there"
    )


def image_labels(
    images: Sequence[Mapping[str, Any]], annotations_of_image: Mapping[int, Sequence[int]], class_names: Sequence[str]
) -> tuple[list[str], tuple[str, ...]]:
    """Label of each image, and all labels from harmless to grave.

    The label is ``image_label`` where given; else normal for an image without annotations; else the gravest class of
    its annotations, benign or malignant where every class is one of these or a known subtype. For other classes the
    last in the list counts as the gravest, and ``image_label`` is used where it names one of them.

    Args:
        annotations_of_image: {image id: [position of the class in ``class_names``]}.
        class_names: in the order of their category ids.

    Returns:
        (list of labels, tuple of all labels, the gravest last).
    """
    entity = {**SUBTYPE_ENTITY, **{name: name for name in SEVERITY}}
    known = all(name in entity for name in class_names)
    severity = SEVERITY if known else (NORMAL, *(name for name in class_names if name != NORMAL))
    rank = [severity.index(entity[name] if known else name) for name in class_names]
    labels = []
    for image in images:
        given = label_of(image, class_names)
        if given not in (severity if known else class_names):
            given = severity[max((rank[c] for c in annotations_of_image.get(image["id"], ())), default=0)]
        labels.append(given)
    return labels, severity

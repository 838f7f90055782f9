"""Labels as annotators wrote them: those of lesions to classes, and what they and the image's own words say of it.

Labels that differ only in case or blanks are one class. Benign, intermediate and malignant, and the
subtypes of ``segtumor.taxonomy``, are spelled as there; every other label stays as written.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from segtumor.annotations.remarks import LeftOutError, Remark
from segtumor.errors import ConfigError
from segtumor.formats.collection import SourceImage
from segtumor.taxonomy import BINARY, ENTITIES, GRADED, NORMAL, SUBTYPE_ENTITY, Taxonomy

#: What the whole image can be called, by a tag of CVAT or a choice in Label Studio.
IMAGE_LABELS = (NORMAL, *ENTITIES)


def label_key(label: str) -> str:
    """What two spellings of one label have in common."""
    return " ".join(label.split()).casefold()


def classes_of_labels(
    images: Iterable[SourceImage], labels: Collection[str], classes: Mapping[str, str], notes: list[Remark]
) -> dict[str, str]:
    """{label as written: class name}; labels that differ only in case or blanks are one class, which is reported."""
    wanted = {label_key(label): name for label, name in classes.items()}
    written = Counter(region.label for image in images for region in image.regions if region.label.strip())
    known = {label_key(label) for label in (*written, *labels)}
    missing = [label for label in classes if label_key(label) not in known]
    if missing:
        raise ConfigError(
            "no annotation has this label",
            where="--class",
            got=", ".join(missing),
            expected=f"one of {', '.join(sorted(set(written) | set(labels)))}",
        )
    first_spelling: dict[str, str] = {}
    for label in (*labels, *(label for label, _ in written.most_common())):
        spelling = first_spelling.setdefault(label_key(label), " ".join(label.split()))
        if label.strip() != spelling and label in written:
            notes.append(Remark("", "label spelled differently, joined", f"{label!r} with {spelling!r}"))
    canonical = {name.casefold(): name for name in (*ENTITIES, *SUBTYPE_ENTITY)}
    names = {key: wanted.get(key, canonical.get(key, spelling)) for key, spelling in first_spelling.items()}
    return {label: names[label_key(label)] for label in (*labels, *written)}


def taxonomy_of(labels: Iterable[str], class_of: Mapping[str, str]) -> Taxonomy:
    """Entities in our order where they are all there is; else the format's order; else the alphabet's."""
    used = set(class_of.values())
    if used <= set(ENTITIES):
        return BINARY if used <= set(BINARY.names) else GRADED
    ordered = dict.fromkeys(class_of[label] for label in labels)
    return Taxonomy(tuple(ordered) + tuple(sorted(used - set(ordered))))


def label_fields(annotations: Sequence[Mapping[str, Any]], taxonomy: Taxonomy) -> dict[str, str]:
    """The image_label and subtype of an image, where the classes of its annotations say them."""
    if not annotations:
        return {"image_label": NORMAL}
    labels = {label_key(a.get("label", taxonomy.names[a["category_id"] - 1])) for a in annotations}
    entities = {_entity(taxonomy.names[a["category_id"] - 1]) for a in annotations}
    found = {}
    if entities <= set(ENTITIES):
        found["image_label"] = next(entity for entity in reversed(ENTITIES) if entity in entities)
    if len(labels) == 1 and labels <= set(SUBTYPE_ENTITY):
        found["subtype"] = labels.pop()
    return found


def image_label_and_rest(words: Sequence[str], has_lesions: bool) -> tuple[str | None, list[str]]:
    """(normal, benign, intermediate, malignant or None, the other words) of the words chosen for an image, in any case.

    Raises LeftOutError if they contradict each other or the lesions: the truth of the image is not known.
    """
    labels = {word.strip().casefold() for word in words} & set(IMAGE_LABELS)
    if len(labels) > 1:
        raise LeftOutError("several labels for one image", ", ".join(sorted(labels)))
    label = labels.pop() if labels else None
    if label == NORMAL and has_lesions:
        raise LeftOutError("called normal, but lesions are annotated")
    if label in ENTITIES and not has_lesions:
        raise LeftOutError("called a tumour, but no lesion is annotated", label)
    return label, [word for word in words if word.strip().casefold() not in IMAGE_LABELS]


def _entity(name: str) -> str | None:
    return name if name in ENTITIES else SUBTYPE_ENTITY.get(name)

"""Labels as annotators wrote them to classes, and what the classes say about a whole image.

Labels that differ only in case or blanks are one class. Benign and malignant, and the subtypes of
``segtumor.taxonomy``, are spelled as there; every other label stays as written.
"""

from collections import Counter

from segtumor.annotations.remarks import Remark
from segtumor.errors import ConfigError
from segtumor.taxonomy import BENIGN, BINARY, MALIGNANT, NORMAL, SUBTYPE_ENTITY, Taxonomy


def label_key(label):
    """What two spellings of one label have in common."""
    return " ".join(label.split()).casefold()


def classes_of_labels(images, labels, classes, notes):
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
    first_spelling = {}
    for label in (*labels, *(label for label, _ in written.most_common())):
        spelling = first_spelling.setdefault(label_key(label), " ".join(label.split()))
        if label.strip() != spelling and label in written:
            notes.append(Remark("", "label spelled differently, joined", f"{label!r} with {spelling!r}"))
    canonical = {name.casefold(): name for name in (*BINARY.names, *SUBTYPE_ENTITY)}
    names = {key: wanted.get(key, canonical.get(key, spelling)) for key, spelling in first_spelling.items()}
    return {label: names[label_key(label)] for label in (*labels, *written)}


def taxonomy_of(labels, class_of):
    """Benign and malignant in our order where they are all there is; else the format's order; else the alphabet's."""
    used = set(class_of.values())
    if used <= set(BINARY.names):
        return BINARY
    ordered = dict.fromkeys(class_of[label] for label in labels)
    return Taxonomy(tuple(ordered) + tuple(sorted(used - set(ordered))))


def image_labels(annotations, taxonomy):
    """image_label and subtype, as far as the classes tell them."""
    if not annotations:
        return {"image_label": NORMAL}
    labels = {label_key(a.get("label", taxonomy.names[a["category_id"] - 1])) for a in annotations}
    entities = {_entity(taxonomy.names[a["category_id"] - 1]) for a in annotations}
    found = {}
    if entities <= {BENIGN, MALIGNANT}:
        found["image_label"] = MALIGNANT if MALIGNANT in entities else BENIGN
    if len(labels) == 1 and labels <= set(SUBTYPE_ENTITY):
        found["subtype"] = labels.pop()
    return found


def _entity(name):
    return name if name in BINARY.names else SUBTYPE_ENTITY.get(name)

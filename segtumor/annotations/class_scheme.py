"""Other classes than those of a file, without another file: classes joined, and normal images left out.

One file serves several models so: tumour or not (every class joined), which tumour (no normal images), benign or
malignant (subtypes joined). Applied when the file is read (``coco.load_coco``); the file stays as it is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from segtumor.annotations.attributes import label_of
from segtumor.errors import ConfigError, DataError
from segtumor.taxonomy import ENTITIES, NORMAL


@dataclass(frozen=True)
class ClassScheme:
    """What becomes of the classes of a file.

    Attributes:
        joined: {class of the file: class that it counts as}; others stay as they are.
        normal: whether normal images are kept: those without an annotation whose ``image_label`` names no tumour.
    """

    joined: Mapping[str, str] = field(default_factory=dict)
    normal: bool = True

    @classmethod
    def parse(cls, pairs: Iterable[str], *, normal: bool = True, where: str) -> "ClassScheme":
        """The scheme of texts ``LABEL=CLASS``; ``where`` is the option or key that they are of.

        Raises:
            ConfigError: a text is none, a label occurs twice, or a class is called normal.
        """
        joined: dict[str, str] = {}
        for pair in pairs:
            label, name = label_and_class(pair, where=where)
            if not name or name == NORMAL or label in joined:
                expected = "LABEL=CLASS, each label once, and a class that is not normal"
                raise ConfigError("not a class to join", where=where, got=pair, expected=expected)
            joined[label] = name
        return cls(joined, normal)

    def apply(self, coco: Mapping[str, Any], *, where: object) -> dict[str, Any]:
        """A sound COCO object with these classes; a joined class has the lowest of the ids that it is made of.

        Raises:
            ConfigError: a label is no class of the file.
            DataError: no image is left.
        """
        if not self.joined and self.normal:
            return dict(coco)
        categories = sorted(coco["categories"], key=lambda category: category["id"])
        names = [category["name"] for category in categories]
        missing = [label for label in self.joined if label not in names]
        if missing:
            raise ConfigError("no such class to join", where=where, got=", ".join(missing), expected=", ".join(names))
        first: dict[str, dict[str, Any]] = {}
        new_id = {}
        for category in categories:
            name = self.joined.get(category["name"], category["name"])
            new_id[category["id"]] = first.setdefault(name, {**category, "name": name})["id"]
        annotations = [{**a, "category_id": new_id[a["category_id"]]} for a in coco["annotations"]]
        gravest: dict[int, int] = {}
        for annotation in annotations:
            image_id, category_id = annotation["image_id"], annotation["category_id"]
            gravest[image_id] = max(category_id, gravest.get(image_id, category_id))
        name_of = {category["id"]: category["name"] for category in first.values()}
        images = [self._image(image, names, name_of, gravest.get(image["id"])) for image in coco["images"]]
        if not self.normal:
            tumors = (*ENTITIES, *first)
            images = [i for i in images if i["id"] in gravest or label_of(i, tumors) in tumors]
            if not images:
                raise DataError("every image is normal, and none of these is wanted", where=where)
        return {**coco, "categories": list(first.values()), "images": images, "annotations": annotations}

    def _image(
        self, image: Mapping[str, Any], names: list[str], name_of: Mapping[int, str], gravest: int | None
    ) -> dict[str, Any]:
        """The image with its label among the new classes. One that was no class of the file, and is one now, gives way
        to the gravest of the lesions: an image is called benign where subtypes say intermediate."""
        label = label_of(image, names)
        if label in self.joined:
            return {**image, "image_label": self.joined[label]}
        if gravest is not None and label not in names and label in name_of.values():
            return {**image, "image_label": name_of[gravest]}
        return dict(image)


def label_and_class(text: str, *, where: str) -> tuple[str, str]:
    """(label, class) of ``LABEL=CLASS``; the class may be empty. Raises ConfigError for any other text."""
    label, equals, name = text.partition("=")
    if not equals or not label.strip():
        raise ConfigError("not a label and its class", where=where, got=text, expected="LABEL=CLASS")
    return label.strip(), name.strip()

"""Which annotated image a predictions file means, by a file name or by an id.

A name in another folder is another file (``image_names``). An id that is a number is that of the annotations, as COCO
has it; a text is a file name, with or without its suffix, or a number written as text. Tools for YOLO write the number
in the file's name as id: it is taken for that where no id is one of the annotations. What could be two is refused.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from segtumor.annotations.image_names import NameIndex, stem_of, suffix_of
from segtumor.errors import DataError
from segtumor.structures.lesions import AnnotatedImage

logger = logging.getLogger(__name__)


def is_id(value: Any) -> bool:
    """Whether a JSON value can be the id of an image."""
    return isinstance(value, (int, str)) and not isinstance(value, bool) and value != ""


class ImageMatcher:
    """Finds annotated images."""

    def __init__(self, annotated_images: Iterable[AnnotatedImage]) -> None:
        self._images = list(annotated_images)
        self._names = NameIndex(image.file_name for image in self._images)
        self._by_text = {str(image.image_id): image.image_id for image in self._images}
        self._known = {image.image_id for image in self._images}

    def by_name(self, name: str) -> list[int]:
        """Ids of the images that a file name may mean, a list."""
        fit = self._names.fit(name)
        if fit.other_suffix and suffix_of(name.strip().replace("\\", "/").rpartition("/")[2].lower()):
            return []  # a picture of another kind is another file
        return [self._images[index].image_id for index in fit.indices]

    def by_id(self, given: Any) -> list[int]:
        """Ids of the images that an id may mean, a list."""
        if not is_id(given):
            return []
        if isinstance(given, int):
            return [given] if given in self._known else []
        numbered = [self._by_text[given]] if given in self._by_text else []
        return list(dict.fromkeys([*self.by_name(given), *numbered]))

    def by_entry(self, image: Mapping[str, Any]) -> list[int]:
        """The same for an entry of "images": by its name, or by its id where it has none."""
        name = image.get("file_name")
        return self.by_name(name) if isinstance(name, str) and name else self.by_id(own_id(image))

    def of_ids(self, path: Any, ids: Iterable[Any]) -> dict[int | str, int]:
        """{id: id of the annotated image} of those that are known; raises DataError for one of two images."""
        found = {given: self.by_id(given) for given in dict.fromkeys(filter(is_id, ids))}
        refuse_several(path, found)
        matched = {given: images[0] for given, images in found.items() if images}
        return matched or self._of_numbers_in_names(found) if found else {}

    def _of_numbers_in_names(self, found: Iterable[int | str]) -> dict[int | str, int]:
        numbers: dict[int | str, list[int]] = {}
        for image in self._images:
            stem = stem_of(image.file_name)
            if stem.isdecimal():
                numbers.setdefault(int(stem), []).append(image.image_id)
        matched = {given: numbers[given][0] for given in found if len(numbers.get(given, ())) == 1}
        if matched:
            logger.warning(
                "image ids of the predictions are the numbers in the file names, not those of the annotations"
            )
        return matched


def own_id(image: Mapping[str, Any]) -> Any:
    """The id of an entry of "images": segtumor calls it image_id, COCO id."""
    return image["image_id"] if "image_id" in image else image.get("id")


def refuse_several(path: Any, found: Mapping[Any, list[int]]) -> None:
    """Raise for the first of {what a file says: ids that it may mean} that could be several images."""
    for given, images in found.items():
        if len(images) > 1:
            remedy = "Keep the folders in the file names of both files"
            raise DataError(f"'{given}' could be {len(images)} annotated images", where=path, remedy=remedy)

"""What a model was trained on, and what a test part shares with it: counted by case, and said in a sentence.

Not here: whether numbers may then be compared (``comparability``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtumor.annotations.attributes import texts_of
from segtumor.annotations.coco import load_coco
from segtumor.cases import case_of
from segtumor.evaluation.facts.truth import has_tumor
from segtumor.literature.entry import UNKNOWN
from segtumor.reporting.provenance import split_of
from segtumor.structures.lesions import ImageResult
from segtumor.texts import counted

_BESIDE = ("train.json", "val.json")


@dataclass(frozen=True, kw_only=True)
class Training:
    """What the model was trained on: its training and validation parts.

    Attributes:
        name: of the files, in words.
        cases: case ids, as text.
        centers: sorted values of the images' attribute ``center``; UNKNOWN for those without.
        split_kinds: what the files say of their split, UNKNOWN for those that say nothing.
    """

    name: str
    cases: frozenset[str]
    n_without_case: int
    centers: tuple[str, ...]
    split_kinds: tuple[str, ...]


def training_files(annotations: str | Path, given: Sequence[str | Path] | None = None) -> list[Path]:
    """Paths of the training annotations.

    Args:
        given: paths the user gave; otherwise train.json and val.json beside the test part, if they exist.
    """
    if given:
        return [Path(path) for path in given]
    own = Path(annotations).resolve()
    found = [own.parent / name for name in _BESIDE]
    return [path for path in found if path.is_file() and path != own]


def read_training(paths: Sequence[Path]) -> Training | None:
    """The Training of annotation files, or None without any. Raises DataError for a file that cannot be read."""
    if not paths:
        return None
    parts = [load_coco(path, check_files=False, require_masks=False) for path in paths]
    images = [image for part in parts for image in part.images]
    cases = [case for case in map(case_of, images) if case is not None]
    return Training(
        name=", ".join(path.name for path in paths),
        cases=frozenset(cases),
        n_without_case=len(images) - len(cases),
        centers=centers_of(images),
        split_kinds=tuple(dict.fromkeys(split_kind(part.info, path) for part, path in zip(parts, paths, strict=True)))
        or (UNKNOWN,),
    )


def centers_of(images: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Sorted values of ``center`` of mappings, UNKNOWN for those that lack it."""
    return tuple(sorted({"+".join(texts_of(image.get("center"))) or UNKNOWN for image in images}))


def split_kind(info: Mapping[str, Any], path: str | Path) -> str:
    """Kind of the split that an annotation file is a part of; UNKNOWN if neither it nor ``split.json`` says."""
    return str(info.get("split_kind") or split_of(path).get("kind") or UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class Leak:
    """What a test part shares with what was trained on.

    Attributes:
        n_images, n_tumor_images, n_lesions: of the test part, of cases that are in the training part too.
        of_images, of_tumor_images, of_lesions: how many the test part has.
        n_cases: cases in both.
        n_without_case: images of the test part of which no case is known.
    """

    n_images: int
    of_images: int
    n_tumor_images: int
    of_tumor_images: int
    n_lesions: int
    of_lesions: int
    n_cases: int
    n_without_case: int
    training: Training

    @property
    def uncertain(self) -> bool:
        """Whether images without case, in either part, leave open what is shared."""
        return bool(self.n_without_case or self.training.n_without_case)

    @property
    def sentence(self) -> str:
        """The leak in words."""
        where = f"in the training part ({self.training.name})"
        if self.n_cases:
            text = (
                f"LEAK: {self.n_images} of {self.of_images} test images ({self.n_tumor_images} of "
                f"{self.of_tumor_images} with tumour, {self.n_lesions} of {self.of_lesions} lesions) are of "
                f"{counted(self.n_cases, 'cases')} that are {where} too."
            )
        elif self.n_without_case == self.of_images or not self.training.cases:
            text = f"Whether cases of the test part are {where} is not known."
        else:
            text = f"No case of the test part is {where}."
        for n, part in ((self.n_without_case, "test"), (self.training.n_without_case, "training")):
            text += f" {counted(n, f'{part} images')} without case_id: nothing is known of them." if n else ""
        return text


def find_leak(
    results: Sequence[ImageResult], training: Training, class_names: Sequence[str] = ()
) -> tuple[Leak, list[ImageResult]]:
    """What results share with a training part, and those that share nothing as far as is known.

    An image has a tumour as ``evaluation.facts.image_level`` has it.
    """
    leaking = [case_of_result(result) in training.cases for result in results]
    shared = [result for result, leaks in zip(results, leaking, strict=True) if leaks]
    leak = Leak(
        n_images=len(shared),
        of_images=len(results),
        n_tumor_images=_n_tumor(shared, class_names),
        of_tumor_images=_n_tumor(results, class_names),
        n_lesions=n_lesions(shared),
        of_lesions=n_lesions(results),
        n_cases=len({case_of_result(result) for result in shared}),
        n_without_case=sum(case_of_result(result) is None for result in results),
        training=training,
    )
    return leak, [result for result, leaks in zip(results, leaking, strict=True) if not leaks]


def case_of_result(result: ImageResult) -> str | None:
    """Case of a result's image, or None."""
    return case_of(result.truth.attributes)


def n_lesions(results: Iterable[ImageResult]) -> int:
    """Lesions on the images of results, without crowd regions."""
    return sum(not lesion.iscrowd for result in results for lesion in result.truth.lesions)


def _n_tumor(results: Iterable[ImageResult], class_names: Sequence[str]) -> int:
    return sum(has_tumor(result.truth, class_names) for result in results)

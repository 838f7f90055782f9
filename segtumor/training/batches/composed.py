"""Augmentation that a user brings: a serialised ``albumentations.Compose``, as ``A.save`` or ``A.to_dict`` gives it.

The file is data. Only transforms of albumentations itself are made from it, by their names; functions that a user wrote
(``A.Lambda``) and classes from elsewhere are refused, and nothing else is read or run.

One draw moves the image, its masks and its boxes. albumentations leaves out the box of a lesion that has left the image
or is too small (``bbox_params`` of the file decides), but not its mask; so each box carries a number, and the mask of a
lesion whose box is gone is emptied. Boxes of training examples are made from the masks afterwards, as for a policy.
Letters: L lesions; h, w size before, which a transform may change.
"""

import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtumor.errors import ConfigError
from segtumor.runtime.breakdown import is_sound
from segtumor.settings.files import read_settings
from segtumor.structures.masks import box_from_mask
from segtumor.system.imports import offline_imports
from segtumor.training.batches.augmentation import Motion

SUFFIXES = (".json", ".yaml", ".yml")
_WHERE = "INPUT.AUGMENTATION"
_MAX_BYTES, _MAX_DEPTH = 1_000_000, 20
_NAME, _LIBRARY = "__class_fullname__", "albumentations"
#: What becomes of boxes; the rest of ``bbox_params`` is the user's.
_BOXES = {"format": "pascal_voc", "label_fields": ["numbers"], "clip": True}
_SEEDS = 2**31
#: Cubic interpolation overshoots [0, 1] by less; what is farther outside is no gray value.
_LARGEST = 1.5


class ComposedAugmentation:
    """A serialised ``Compose``, ready to apply.

    Args:
        path: JSON or YAML file.
        trial_hw: size of an image that it is tried on, px: the smallest that training will bring.

    Raises:
        ConfigError: no such file, not a ``Compose``, a transform that albumentations does not have, or one that fails
            on gray images in [0, 1] or makes something else of them.
    """

    def __init__(self, path: str | Path, *, trial_hw: tuple[int, int]) -> None:
        self._path = Path(path)
        self._compose, self._moves = _composed(self._path)
        self._try(trial_hw)

    def augment(
        self,
        pixels: NDArray[np.float32],
        draw: Callable[[Motion], NDArray[np.bool_]],
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """As ``augmentation.Augmentation.augment``; the image may get another size."""
        masks = draw(Motion(pixels.shape, False, None))
        boxes = [box_from_mask(mask) for mask in masks]
        placed = [number for number, box in enumerate(boxes) if box is not None]
        given: dict[str, Any] = {"image": pixels[..., None]}
        if len(masks):  # some transforms fail on none
            given["masks"] = masks.view(np.uint8)
        if self._moves:
            given["bboxes"] = np.array([boxes[number] for number in placed], dtype=np.float32).reshape(-1, 4)
            given["numbers"] = np.array(placed, dtype=np.float32)
        self._compose.set_random_seed(int(rng.integers(_SEEDS)))
        changed = self._run(given)
        image = self._image(changed["image"])
        moved = np.zeros((len(masks), *image.shape), dtype=bool)
        for number in map(int, changed.get("numbers", placed)):  # labels come back as fractions
            moved[number] = np.asarray(changed["masks"][number]).reshape(image.shape) != 0
        return image, moved

    def _run(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            changed: Mapping[str, Any] = self._compose(**given)
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ConfigError(f"a transform fails: {reason:.200}", where=f"{_WHERE}, {self._path}") from error
        return changed

    def _image(self, image: Any) -> NDArray[np.float32]:
        array = np.asarray(image)
        if array.ndim == 3 and array.shape[2] == 1:
            array = array[..., 0]
        if array.ndim != 2 or array.dtype != np.float32 or not is_sound(array, _LARGEST):
            raise ConfigError(
                "what it makes is no gray image",
                where=f"{_WHERE}, {self._path}",
                got=f"{type(image).__name__} {array.shape} of {array.dtype}, {array.min():.3g} to {array.max():.3g}",
                expected="(h, w) or (h, w, 1) float32 from 0 to 1",
                remedy="Leave out Normalize, ToTensorV2 and what changes channels: segtumor does that itself",
            )
        return np.asarray(array.clip(0, 1), dtype=np.float32)

    def _try(self, size_hw: tuple[int, int]) -> None:
        height, width = size_hw
        gray = np.linspace(0, 1, height * width, dtype=np.float32).reshape(size_hw)
        mask = np.zeros((1, *size_hw), dtype=bool)
        mask[0, height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = True
        self.augment(gray, lambda _motion: mask, np.random.default_rng(0))
        self.augment(gray, lambda _motion: mask[:0], np.random.default_rng(0))


def _composed(path: Path) -> tuple[Any, bool]:
    """The ``Compose`` of a file, and whether it moves anything: then with boxes as ``augment`` gives them."""
    document = _read(path)
    with offline_imports():
        import albumentations as A  # takes seconds, and only such files need it
    transform = document.get("transform")
    known = {cls.__name__: cls for cls in _transforms()}
    names = _check(transform, path, known)
    if not isinstance(transform, dict) or transform[_NAME].rpartition(".")[2] != "Compose":
        got = transform.get(_NAME) if isinstance(transform, dict) else type(transform).__name__
        raise _wrong("not a serialised Compose", path, got=f"{got!s:.60}")
    moves = any(issubclass(known[name], A.DualTransform) for name in names)
    boxes = transform.get("bbox_params")
    boxes = {**(boxes if isinstance(boxes, dict) else {}), **_BOXES} if moves else None
    whole = {**document, "transform": {**transform, "bbox_params": boxes, "keypoint_params": None}}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of arguments that albumentations would ignore
            return A.from_dict(whole), moves
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise _wrong(f"albumentations refuses it: {reason:.200}", path) from error


def _transforms() -> list[type]:
    from albumentations.core.serialization import SERIALIZABLE_REGISTRY

    return [cls for cls in SERIALIZABLE_REGISTRY.values() if cls.__module__.partition(".")[0] == _LIBRARY]


def _check(document: Any, path: Path, known: Mapping[str, type]) -> list[str]:
    """Names of all transforms of a document, at any depth; refuses those that albumentations does not have."""
    names, waiting = [], [(document, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > _MAX_DEPTH:
            raise _wrong("nested too deep", path)
        if isinstance(node, dict) and _NAME in node:
            names.append(_checked_name(node[_NAME], path, known))
        inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        waiting += [(value, depth + 1) for value in inner]
    return names


def _checked_name(name: Any, path: Path, known: Mapping[str, type]) -> str:
    short = name.rpartition(".")[2] if isinstance(name, str) else ""
    own = isinstance(name, str) and (name == short or name.partition(".")[0] == _LIBRARY)
    if not own or short not in known:
        raise _wrong("not a transform of albumentations that a file can hold", path, got=f"{name!s:.80}")
    return short


def _read(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise _wrong("no such file", path, expected="a path from the configuration file or the current folder")
    if path.suffix != ".json":
        settings: Mapping[str, Any] = read_settings(path)[-1][1]
        return settings
    try:
        with open(path, "rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise _wrong("too large", path, expected=f"at most {_MAX_BYTES} bytes")
        document = json.loads(data)
    except OSError as error:
        raise _wrong(f"cannot be read: {error.strerror}", path) from error
    except (ValueError, RecursionError) as error:
        raise _wrong(f"not JSON: {error!s:.100}", path) from error
    if not isinstance(document, dict):
        raise _wrong("not a serialised Compose", path, got=type(document).__name__)
    return document


def _wrong(what: str, path: Path, *, got: str | None = None, expected: str | None = None) -> ConfigError:
    remedy = "Write the file with A.save(A.Compose([...]), path)"
    return ConfigError(what, where=f"{_WHERE}, {path}", got=got, expected=expected, remedy=remedy)

"""Whether an export answers as Detectron2's own model does: both run over samples, the differences are measured.

Compared is what the detectors return, before post-processing: there a rounding may decide which of two overlapping
findings stays. Not here: the measures (``runtime.differences``).
"""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from segtumor.errors import ConfigError, DataError, ModelError, NonFiniteOutputError
from segtumor.imaging import Radiograph, list_images, read_radiograph
from segtumor.models.detectron2_detector import ImageHeadModelDetector, ModelDetector
from segtumor.runtime.breakdown import all_sound
from segtumor.runtime.contract import Contract, NetworkContract, Regions, Selection
from segtumor.runtime.differences import ALLOWED_MASK_PX, differences, edges_of
from segtumor.runtime.mask_rcnn.detector import Detector, ImageHeadDetector
from segtumor.runtime.predictor import Windowing
from segtumor.runtime.protocols import Detector as AnyDetector
from segtumor.structures.lesions import Finding
from segtumor.synthesis.phantoms import make_phantoms

#: What rounding of 32-bit floats may change in an export.
MAX_BOX_PX, MAX_SCORE, MIN_MASK_IOU = 0.5, 1e-3, 0.99
Findings = Sequence[Finding]
#: A score limit to Detectron2's model and its export with that limit, within a block.
Detectors = Callable[[float], contextlib.AbstractContextManager[tuple[AnyDetector, AnyDetector]]]
_PHANTOM_CASES, _PHANTOM_PX, _PHANTOM_SEED = 3, 256, 7


def sample_radiographs(paths: Iterable[str | Path], *, max_pixels: int) -> list[Radiograph]:
    """Radiographs to compare on: of files and folders, or phantoms; then a blank one.

    Raises:
        DataError: nothing there, or a file that cannot be read.
    """
    radiographs = [read_radiograph(path, max_pixels=max_pixels) for path in image_files(paths)]
    return [*(radiographs or _phantoms()), _radiograph(np.zeros((96, 160)), "blank")]


def image_files(paths: Iterable[str | Path]) -> list[Path]:
    """Files and folders to a list of files, each once; DataError for what is not there or holds no image."""
    files: list[Path] = []
    for path in map(Path, paths):
        found = list_images(path) if path.is_dir() else [path]
        if not found:
            raise DataError("folder without images", where=path)
        if not found[0].exists():
            raise DataError("no such file or folder", where=path)
        files += found
    return list(dict.fromkeys(files))


def measure_parity(
    model: nn.Module, graphs: Any, contract: Contract, radiographs: Sequence[Radiograph]
) -> dict[str, Any]:
    """``compare_findings`` of a model with proposals and its export."""

    @contextlib.contextmanager
    def detectors(limit: float) -> Iterator[tuple[AnyDetector, AnyDetector]]:
        regions = dataclasses.replace(contract.regions, score_threshold=limit)
        with changed(model.roi_heads.box_predictor, "test_score_thresh", limit):  # type: ignore[union-attr]
            yield ModelDetector(model), Detector(graphs, dataclasses.replace(contract, regions=regions))

    return compare_findings(detectors, contract, contract.regions, radiographs, runtime=graphs.describe())


def measure_image_head_parity(
    model: nn.Module, graphs: Any, contract: Contract, radiographs: Sequence[Radiograph]
) -> dict[str, Any]:
    """``measure_parity`` of a model with an image head, and ``max_image_probability``, the largest change of one."""
    windowing = Windowing.from_contract(contract)
    seen = [(windowing.window(r.pixels, spacing_mm=r.spacing_mm), r.size_hw) for r in radiographs]
    said = [
        [reader.read([window], [size_hw])[0] for window, size_hw in seen]
        for reader in (ImageHeadModelDetector(model, contract.class_names), ImageHeadDetector(graphs, contract))
    ]
    names = [radiograph.name for radiograph in radiographs]
    first, second = (np.array([r.image_probabilities for r in all_sound(readings, names)]) for readings in said)
    measured = measure_parity(model, graphs, contract, radiographs)
    return {**measured, "max_image_probability": float(np.abs(first - second).max())}


def compare_findings(
    detectors: Detectors,
    contract: NetworkContract,
    limits: Regions | Selection,
    radiographs: Sequence[Radiograph],
    *,
    runtime: Mapping[str, Any],
) -> dict[str, Any]:
    """Differences of an export to Detectron2's model.

    The last radiograph is compared with a score limit of 1, so that nothing is found on it, whatever the model says of
    blank images: the way without findings is another way through the code. If neither side finds anything on the
    others, they are compared again without a limit, as nothing proves nothing.

    Args:
        detectors: a score limit to both, the model first.
        contract: how radiographs become what they see.
        limits: up to which scores they list findings, and how many.
        runtime: what runs the export.

    Returns:
        dict of plain values for the manifest: those of ``runtime.differences``, the findings per sample, which sample
        is the worst, and the score above which findings were compared.
    """

    def measured(limit: float) -> dict[str, Any]:
        *with_findings, blank = radiographs
        with detectors(limit) as (own, other):
            reference, found = (_detect(one, contract, with_findings) for one in (own, other))
        edges = edges_of(reference, found, dataclasses.replace(limits, score_threshold=limit), tolerance=MAX_SCORE)
        with detectors(1.0) as (own, other):
            on_blank, found_on_blank = (_detect(one, contract, [blank]) for one in (own, other))
        reference, found = reference + on_blank, found + found_on_blank
        return {
            **differences(reference, found, edges=[*edges, (-math.inf, -math.inf)]),
            "findings_per_sample": [len(findings) for findings in reference],
            "score_limit": limit,
        }

    values = measured(limits.score_threshold)
    unmatched = values["n_unmatched_reference"] + values["n_unmatched_other"]
    if limits.score_threshold and not unmatched and _is_empty(values):
        values = measured(0.0)
    return {**values, "samples": origin_of(radiographs), "runtime": dict(runtime)}


def _is_empty(measured: Mapping[str, Any]) -> bool:
    """Whether no finding of one side has its like on the other."""
    return math.isnan(measured["max_box_px"])


def check_parity(measured: Mapping[str, Any], where: str | Path) -> None:
    """Refuse a 32-bit export that does not answer as its model; the ModelError names what differs too much."""
    count = measured["n_findings_reference"] + measured["n_findings_other"]
    wrong = [
        text
        for is_wrong, text in (
            (measured["max_box_px"] > MAX_BOX_PX, f"boxes by {measured['max_box_px']:.3g} px"),
            (measured["max_score"] > MAX_SCORE, f"scores by {measured['max_score']:.3g}"),
            (
                measured["min_changed_mask_iou"] < MIN_MASK_IOU,
                f"masks to an IoU of {measured['min_changed_mask_iou']:.3f}",
            ),
            (
                measured["n_unmatched_reference"] + measured["n_unmatched_other"] > 0,
                f"{measured['n_unmatched_reference']} findings lost, {measured['n_unmatched_other']} new",
            ),
            (
                measured.get("max_image_probability", 0.0) > MAX_SCORE,
                f"image probabilities by {measured.get('max_image_probability', 0.0):.3g}",
            ),
            # Above a limit, rounding may excuse the few that there are; without one, some must be alike.
            (
                measured.get("score_limit") == 0 and count > 0 and _is_empty(measured),
                f"none of {count} findings is alike",
            ),
        )
        if is_wrong
    ]
    if wrong:
        raise ModelError(
            f"the export does not answer as its model: {', '.join(wrong)}",
            where=where,
            expected=f"up to {MAX_BOX_PX} px, {MAX_SCORE} and {MIN_MASK_IOU} (or {ALLOWED_MASK_PX} px)",
            remedy="Nothing was written; try another --format, and report this with the output of `segtumor doctor`",
        )


def check_samples(paths: Iterable[str | Path]) -> None:
    """Refuse samples that are not there before any time is spent; errors as ``image_files``, but ConfigError."""
    try:
        image_files(paths)
    except DataError as error:
        raise ConfigError(error.what, where=error.where, remedy="Check --samples and --calibration") from error


_DRAWN = "drawn"


def origin_of(radiographs: Sequence[Radiograph]) -> str:
    """What ``sample_radiographs`` gave, in a word: "phantoms" or "radiographs"."""
    return "phantoms" if radiographs[0].source_dtype == _DRAWN else "radiographs"


def _phantoms() -> list[Radiograph]:
    cases = make_phantoms(_PHANTOM_CASES, _PHANTOM_SEED, _PHANTOM_PX)
    pictures = [view.pixels / 255 for case in cases for view in case.views[:1]]
    # Not square: rows and columns must not be taken for each other.
    pictures[-1] = pictures[-1][: 2 * _PHANTOM_PX // 3]
    return [_radiograph(pixels, f"phantom {number}") for number, pixels in enumerate(pictures, start=1)]


def _radiograph(pixels: NDArray[Any], name: str) -> Radiograph:
    return Radiograph(np.ascontiguousarray(pixels, dtype=np.float32), None, None, name, _DRAWN)


def _detect(detector: AnyDetector, contract: NetworkContract, radiographs: Iterable[Radiograph]) -> list[Findings]:
    """Findings per radiograph; ModelError where the model or the export breaks down."""
    windowing, found = Windowing.from_contract(contract), []
    for radiograph in radiographs:
        window = windowing.window(radiograph.pixels, spacing_mm=radiograph.spacing_mm)
        of_one = detector.detect([window], [radiograph.pixels.shape])
        try:
            found += all_sound(of_one, [radiograph.name])
        except NonFiniteOutputError as error:
            remedy = "Nothing was written; use other weights, or another --format"
            raise ModelError(error.what, where=error.where, remedy=remedy) from error
    return found


@contextlib.contextmanager
def changed(owner: Any, name: str, value: float) -> Iterator[None]:
    """An attribute with another value; its own afterwards."""
    own = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, own)

"""How files are worked through, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segtumor.errors import ConfigError
from segtumor.inference.load import InferenceModel
from segtumor.reporting.dicom.objects import check_kinds
from segtumor.settings.kinds import percent_hint


@dataclass(frozen=True)
class Options:
    """How files are worked through.

    Attributes:
        confidence_threshold: findings below it are only in predictions.json, 0 to 1.
        window_percentiles: gray values made black and white on overlays.
        max_pixels: larger pictures fail, px.
        frame: which one of DICOM files with several, from 0; None lets these fail.
        batch_size: radiographs that the model sees at once, from 1.
        num_workers: threads that read, and as many that draw; 0 does both where the model computes.
        note: a sentence for the footer of every overlay and for every row of findings.csv, or None.
        review_threshold: images without a tumour called get a note to look again from this score on, 0 to
            ``confidence_threshold``; None for none.
        set_thresholds: of prediction sets, (K + 1,), normal first; None for none.
        panels: whether each overlay has the picture as it was read, and as the model sees it, beside it.
        dicom_output: kinds of DICOM objects to make of each DICOM input (``reporting.dicom.objects.KINDS``).
        continued: whether to go on with the run in the folder, if there is one.

    Raises:
        ConfigError: a value is out of its range.
        InstallationError: DICOM objects are asked for, and what makes them is missing.
    """

    confidence_threshold: float
    window_percentiles: tuple[float, float] = (0.5, 99.5)
    max_pixels: int = 64_000_000
    frame: int | None = None
    batch_size: int = 1
    num_workers: int = 1
    with_overlays: bool = True
    panels: bool = False
    dicom_output: tuple[str, ...] = ()
    note: str | None = None
    review_threshold: float | None = None
    set_thresholds: tuple[float, ...] | None = None
    continued: bool = False
    overwrite: bool = False

    @classmethod
    def of_model(cls, model: InferenceModel, **given: Any) -> "Options":
        """Threshold, gray values, size and note of a model, but for what is ``given``."""
        low, high = model.settings["window_percentiles"]
        own = {
            "confidence_threshold": model.settings["confidence_threshold"],
            "window_percentiles": (low, high),
            "max_pixels": model.max_pixels,
            "note": model.note.text if model.note else None,
            "set_thresholds": model.set_thresholds,
        }
        return cls(**{**own, **given})

    def __post_init__(self) -> None:
        if not 0 <= self.confidence_threshold <= 1:
            got, what = self.confidence_threshold, "confidence threshold out of range"
            raise ConfigError(what, got=got, expected="0 to 1", remedy=percent_hint(got))
        review = self.review_threshold
        if review is not None and not 0 <= review <= self.confidence_threshold:
            expected = f"0 to {self.confidence_threshold:g}, the confidence threshold"
            raise ConfigError("out of range", where="--review-threshold", got=review, expected=expected)
        for name, least in (("batch_size", 1), ("num_workers", 0), ("max_pixels", 1)):
            if getattr(self, name) < least:
                option = f"--{name.replace('_', '-')}"
                raise ConfigError("out of range", where=option, got=getattr(self, name), expected=f"{least} or more")
        if self.panels and not self.with_overlays:
            raise ConfigError("panels are beside overlays", where="--panels", remedy="Leave out --no-overlays")
        if self.dicom_output:
            check_kinds(self.dicom_output)
        if self.frame is not None and self.frame < 0:
            raise ConfigError("out of range", where="--frame", got=self.frame, expected="0 or more")


@dataclass(frozen=True)
class Result:
    """What came of it.

    Attributes:
        counts: "counts" of summary.json.
        first_failure: reason of the first failed input, or None.
        notes: number of inputs with a note.
        first_note: the first of them, with its file, or None.
        without_dicom: {why there are no DICOM objects of inputs, or not all, though nothing failed: number of inputs}.
        first_dicom_failure: why they failed of the first input where they did, or None.
    """

    counts: Mapping[str, int]
    first_failure: str | None
    notes: int
    first_note: str | None
    without_dicom: Mapping[str, int]
    first_dicom_failure: str | None

"""What became of one input of inference: its reading, or why there is none."""

from dataclasses import dataclass
from typing import Any

from segtumor.structures.lesions import Finding
from segtumor.structures.readings import Reading

STATUS_OK, STATUS_FAILED, STATUS_NOT_REACHED = "ok", "failed", "not reached"


@dataclass(frozen=True)
class DicomOutcome:
    """Which DICOM objects were made of one input (``segtumor.reporting.dicom``).

    Attributes:
        names: of their files.
        reason: why there are none, or not all that were asked for; None where there are.
        failed: whether that is a failure, rather than the nature of the input.
    """

    names: tuple[str, ...] = ()
    reason: str | None = None
    failed: bool = False


@dataclass(frozen=True)
class InferenceOutcome:
    """What became of one input.

    Attributes:
        file_name: name by which the user knows the file.
        reading: what the model says; None exactly where the status is not "ok". The position of a finding in it,
            from 1, is its number everywhere.
        status: "ok", "failed", or "not reached" if the run was stopped before it.
        reason: why it is not "ok"; None if it is.
        size_hw: (height, width) in px, the reading's; of a failed input that of the picture, None if it was not read.
        overlay: name of its overlay in ``overlays/``, or None.
        dicom: what became of its DICOM objects, in ``dicom/``; None where nobody asked for them.

    Raises:
        ValueError: status, reading and reason contradict each other.
    """

    file_name: str
    reading: Reading | None = None
    status: str = STATUS_OK
    reason: str | None = None
    size_hw: tuple[int, int] | None = None
    seconds: float | None = None
    overlay: str | None = None
    dicom: DicomOutcome | None = None

    def __post_init__(self) -> None:
        if self.status not in (STATUS_OK, STATUS_FAILED, STATUS_NOT_REACHED):
            raise ValueError(f"unknown status {self.status!r}")
        is_ok = self.status == STATUS_OK
        if is_ok != (self.reason is None) or is_ok != (self.reading is not None):
            raise ValueError(f"an input that is 'ok' has a reading, any other has a reason: {self.file_name}")
        if self.reading is not None:
            object.__setattr__(self, "size_hw", self.reading.size_hw)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The reading's, highest score first; none without a reading."""
        return () if self.reading is None else self.reading.findings

    @property
    def note(self) -> str | None:
        """The reading's notes as one text, or None."""
        return None if self.reading is None else self.reading.note


def failed(file_name: str, reason: str, **fields: Any) -> InferenceOutcome:
    """The outcome of an input that could not be read or predicted."""
    return InferenceOutcome(file_name, status=STATUS_FAILED, reason=reason, **fields)

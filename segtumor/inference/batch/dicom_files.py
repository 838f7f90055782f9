"""The DICOM objects of one input: which, under which names, or why none. Runs in threads, as ``drawing`` does.

A name is a digest of where the input lies: the name of a file may be a patient's, and doing an input again replaces its
objects instead of adding to them. Not here: what is in an object (``segtumor.reporting.dicom``).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from segtumor.errors import BadImageError
from segtumor.imaging.listing import is_dicom
from segtumor.inference.batch.preparing import Prepared
from segtumor.reporting.dicom.coding import Algorithm
from segtumor.reporting.dicom.objects import SC, make_objects, write_objects
from segtumor.reporting.pictures.overlay import draw_reading
from segtumor.structures.outcomes import DicomOutcome
from segtumor.structures.readings import Reading
from segtumor.system.resource_errors import is_out_of_memory

NOT_DICOM = "the input is no DICOM file"
_NO_MASKS = "no segmentation: no finding with a mask is shown"
_NO_MEMORY = "out of memory while DICOM objects were made"
_DIGITS = 16


@dataclass(frozen=True, eq=False, kw_only=True)
class DicomFiles:
    """Makes and saves DICOM objects.

    Attributes:
        folder: where they go.
        kinds: of ``reporting.dicom.objects.KINDS``.
        key_of: what the journal knows an input by.
        score_threshold: findings below it are left out.
        algorithm: what the objects call the model.
        note: a sentence that limits every reading, or None.
        frame: of files with several, from 0.
    """

    folder: Path
    kinds: tuple[str, ...]
    key_of: Callable[[Path], str]
    score_threshold: float
    algorithm: Algorithm
    note: str | None = None
    frame: int | None = None

    def __call__(self, prepared: Prepared, reading: Reading) -> DicomOutcome:
        """What was made of one reading; raises OutputError where it cannot be written."""
        if not is_dicom(prepared.path):
            return DicomOutcome(reason=NOT_DICOM)
        try:
            names = self._write(prepared, reading)
        except BadImageError as error:
            return DicomOutcome(reason=str(error), failed=True)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return DicomOutcome(reason=f"{prepared.path}: {_NO_MEMORY}", failed=True)
        return DicomOutcome(names, None if len(names) == len(self.kinds) else _NO_MASKS)

    def _write(self, prepared: Prepared, reading: Reading) -> tuple[str, ...]:
        picture = None
        if SC in self.kinds and prepared.base is not None:
            note = "; ".join(text for text in (self.note, reading.note) if text) or None
            picture = draw_reading(prepared.base, reading, score_threshold=self.score_threshold, note=note)
        objects = make_objects(
            prepared.path,
            reading,
            self.kinds,
            score_threshold=self.score_threshold,
            algorithm=self.algorithm,
            picture=picture,
            frame=self.frame,
            note=self.note,
        )
        digest = hashlib.sha256(self.key_of(prepared.path).encode("utf-8", "surrogateescape")).hexdigest()
        return write_objects(objects, self.folder, digest[:_DIGITS])

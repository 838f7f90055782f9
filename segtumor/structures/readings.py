"""A reading: all that a model says about one radiograph, whatever kind of model it is.

A detector gives findings, a segmenter findings with masks and maps, a classifier probabilities of the whole image.
Where a model says nothing about the whole image, its probabilities follow from the findings by the rule below, the only
one there is; evaluation, overlays and tables all ask here.

The image by its findings:

* score of a tumour: the highest score of any finding, 0 without findings;
* score of class k: the highest over the findings of its probability of k, or of its score if the finding has no
  probabilities and k is its class; of normal: 1 - score of a tumour;
* class: that of the highest-scoring finding that reaches the threshold, else normal.

The image by its own probabilities, from an image head or a classifier:

* score of a tumour: 1 - probability of normal;
* class: normal if that score is below the threshold, else the most probable of the others.

Not here: making one (``segtumor.runtime.predictor``), reading and writing them, drawing them.
Letters: H, W height and width of the radiograph in px; K classes, without normal.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from segtumor.statistics.conformal import prediction_sets
from segtumor.structures.lesions import AnnotatedImage, Finding, ImageResult
from segtumor.taxonomy import NORMAL

#: Codes of notes. What the picture or its file has to say of itself (``imaging.Radiograph.remarks``).
ABOUT_PICTURE = "picture"
#: What stands in for values of the patient's table that are missing or unlike the training set's.
ABOUT_TABLE = "table"
#: Computed at a smaller size, since memory ran out.
SIZE_REDUCED = "size_reduced"
#: The model was trained on other radiographs than this one, synthetic ones for example.
UNLIKE_TRAINING = "unlike_training"
#: No tumour is called, and its score is high enough for a second look.
LOOK_AGAIN = "look_again"
#: A tumour is called, and nothing is known of its class.
CLASS_UNKNOWN = "class_unknown"
#: Memory ran out while the overlay was drawn.
NOT_DRAWN = "not_drawn"
#: Of a note of which only the sentence is known, as in files of older versions.
OTHER_NOTE = "other"

#: Probabilities of the whole image, (K + 1,), normal first, each in [0, 1].
ImageProbabilities = tuple[float, ...]


@dataclass(frozen=True)
class Note:
    """What one must know to use a reading.

    Attributes:
        code: what it is about, one of the codes above; decisions go by it, never by the sentence.
        text: a sentence for people, without patient data.
    """

    code: str
    text: str


@dataclass(frozen=True)
class Similar:
    """An image of a data set that the model sees like the one read.

    Attributes:
        file_name: as the data set has it.
        case_id: its case (``segtumor.cases``).
        label: its true class, "normal" included.
        distance: 1 - cosine of the two embeddings, 0 (alike) to 2.
    """

    file_name: str
    case_id: str
    label: str
    distance: float


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a model says about one radiograph.

    Equal readings say the same; maps, embedding and timings are not compared.

    Attributes:
        class_names: K names of what can be found, by ``class_id``; normal is not among them.
        size_hw: (H, W) of the radiograph, px.
        findings: highest score first.
        image_probabilities: (K + 1,) in [0, 1], normal first, as an image head or a classifier gives them; None from
            a model that judges no whole image.
        marks_lesions: whether the model says where lesions are, so that a reading without findings says there is none.
            A classifier does not; None where nobody says, which matters only beside ``image_probabilities``.
        uncertainty: of the whole reading, 0 (certain) to 1; None if it was not measured.
        prediction_set: names of the classes, normal among them, that the image may be of, at the risk for which their
            thresholds were chosen (``statistics.conformal``); None if nobody asked.
        attributes: {task: (value, probability)}: what else the model reads in the picture, such as its view.
        maps: {name: (H, W) float32 in [0, 1]}, such as heat maps.
        embedding: (D,) float32, the features by which the model judges the image, pooled over it; None where it gives
            none.
        similar: images of a data set that it sees alike, nearest first, one of a case; empty where none were asked for.
        notes: what limits its meaning.
        timings_s: {"read", "model", ...: seconds}.
        spacing_mm: (row, column) distance of neighbouring pixels in mm, or None if unknown.
        spacing_source: where the spacing comes from (``imaging.Radiograph``); None exactly where ``spacing_mm`` is.
        name: file name of the radiograph without folders, "" if it has none.

    Raises:
        ValueError: a field is not as described.
    """

    class_names: tuple[str, ...]
    size_hw: tuple[int, int]
    findings: tuple[Finding, ...] = ()
    image_probabilities: ImageProbabilities | None = None
    marks_lesions: bool | None = None
    uncertainty: float | None = None
    prediction_set: tuple[str, ...] | None = None
    attributes: Mapping[str, tuple[str, float]] = field(default_factory=dict, hash=False)
    maps: Mapping[str, NDArray[np.float32]] = field(default_factory=dict, compare=False, repr=False)
    embedding: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)
    similar: tuple[Similar, ...] = ()
    notes: tuple[Note, ...] = ()
    timings_s: Mapping[str, float] = field(default_factory=dict, compare=False)
    spacing_mm: tuple[float, float] | None = None
    spacing_source: str | None = None
    name: str = ""

    def __post_init__(self) -> None:
        check_image_probabilities(self.image_probabilities, len(self.class_names))
        if self.uncertainty is not None and not 0 <= self.uncertainty <= 1:
            raise ValueError(f"uncertainty must lie in [0, 1], got {self.uncertainty!r}")
        if not set(self.prediction_set or ()) <= {NORMAL, *self.class_names}:
            raise ValueError(f"a prediction set of other classes: {self.prediction_set!r}")
        if (self.spacing_mm is None) != (self.spacing_source is None):
            raise ValueError("spacing_mm and spacing_source must both be given or both be None")
        if not all(0 <= finding.class_id < len(self.class_names) for finding in self.findings):
            raise ValueError(f"a finding of a class outside the {len(self.class_names)} class names")
        for name, values in self.maps.items():
            _check_map(name, values, self.size_hw)

    @property
    def tumor_score(self) -> float:
        """How likely there is a tumour at all, [0, 1]."""
        return tumor_score(self.findings, self.image_probabilities)

    @property
    def class_scores(self) -> NDArray[np.float64]:
        """Score of normal and of each class, (K + 1,) in [0, 1]; they sum to 1 only where the model's own do."""
        return class_scores(self.findings, len(self.class_names), self.image_probabilities)

    def image_class(self, threshold: float) -> int:
        """The class of the whole image at a score threshold in [0, 1]: 0 for normal, ``class_id`` + 1 else."""
        return image_class(self.findings, threshold, self.image_probabilities)

    def has_note(self, code: str) -> bool:
        """Whether a note has this code."""
        return any(note.code == code for note in self.notes)

    @property
    def note(self) -> str | None:
        """All notes as one text, or None without notes."""
        return "; ".join(note.text for note in self.notes) or None


def with_prediction_set(reading: Reading, thresholds: Sequence[float] | None) -> Reading:
    """The reading with the classes that reach their threshold, (K + 1,), normal first; None asks for none."""
    if thresholds is None:
        return reading
    (held,) = prediction_sets([reading.class_scores], thresholds)
    names = (NORMAL, *reading.class_names)
    return dataclasses.replace(reading, prediction_set=tuple(n for n, h in zip(names, held, strict=True) if h))


def with_second_look(reading: Reading, threshold: float, review_threshold: float | None) -> Reading:
    """The reading with a note where no tumour is called and yet somebody should look.

    Args:
        threshold: from which on a tumour is called, [0, 1].
        review_threshold: from which on, below ``threshold``, a second look is asked for; None asks for none.
    """
    score = reading.tumor_score
    if review_threshold is None or not review_threshold <= score < threshold:
        return reading
    text = f"No tumour is called, but its score is {score:.2f}, from {review_threshold:.2f} on: look again."
    return dataclasses.replace(reading, notes=(*reading.notes, Note(LOOK_AGAIN, text)))


def tumor_score(findings: Sequence[Finding], image_probabilities: ImageProbabilities | None = None) -> float:
    """How likely there is a tumour on an image, [0, 1]; the rule is above."""
    if image_probabilities is not None:
        return 1.0 - image_probabilities[0]
    return max((finding.score for finding in findings), default=0.0)


def class_scores(
    findings: Sequence[Finding], n_classes: int, image_probabilities: ImageProbabilities | None = None
) -> NDArray[np.float64]:
    """Score of normal and of each of K classes on an image, (K + 1,) in [0, 1]; the rule is above."""
    if image_probabilities is not None:
        return np.array(image_probabilities, dtype=np.float64)
    scores = np.zeros(n_classes + 1)
    scores[0] = 1 - tumor_score(findings)
    for finding in findings:
        if finding.probabilities:
            np.fmax(scores[1:], finding.probabilities, out=scores[1:])  # NaN is of a class not judged there
        else:
            scores[finding.class_id + 1] = max(scores[finding.class_id + 1], finding.score)
    return scores


def image_class(
    findings: Sequence[Finding], threshold: float, image_probabilities: ImageProbabilities | None = None
) -> int:
    """Class of an image at a score threshold: 0 for normal, ``class_id`` + 1 else; the rule is above."""
    if tumor_score(findings, image_probabilities) < threshold:
        return 0
    if image_probabilities is not None:
        return 1 + int(np.argmax(image_probabilities[1:]))
    best = max(findings, key=lambda finding: finding.score, default=None)
    return 0 if best is None else best.class_id + 1


def check_image_probabilities(probabilities: ImageProbabilities | None, n_classes: int) -> None:
    """Raise ValueError unless they are None or ``n_classes`` + 1 numbers in [0, 1]."""
    if probabilities is None:
        return
    if len(probabilities) != n_classes + 1:
        raise ValueError(f"{len(probabilities)} image probabilities for normal and {n_classes} classes")
    if not all(0 <= probability <= 1 for probability in probabilities):  # NaN fails, too
        raise ValueError(f"image probabilities must lie in [0, 1], got {probabilities!r}")


def _check_map(name: str, values: NDArray[np.float32], size_hw: tuple[int, int]) -> None:
    if not isinstance(values, np.ndarray) or values.dtype != np.float32 or values.shape != tuple(size_hw):
        raise ValueError(f"map {name!r} must be a float32 array of the radiograph's size {tuple(size_hw)}")
    if not (values.min() >= 0 and values.max() <= 1):
        raise ValueError(f"map {name!r} must lie in [0, 1]")


def image_result(truth: AnnotatedImage, reading: Reading) -> ImageResult:
    """A reading beside the truth, as evaluation takes them.

    Findings without a place are no lesions: they are left out, after the image was judged with them.
    """
    placed = tuple(finding for finding in reading.findings if finding.is_placed)
    probabilities = reading.image_probabilities
    if probabilities is None and len(placed) < len(reading.findings):
        probabilities = tuple(reading.class_scores.tolist())
    return ImageResult(truth, placed, probabilities, reading.marks_lesions, reading.uncertainty)

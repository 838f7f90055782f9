"""How a published study counted, by name: which findings, which images, which thresholds, which numbers.

A protocol says how to measure; what was published by it is in the entries (``sources/*.yaml``), and whether the two may
be compared is decided in ``comparison.comparability``. Not here: the measuring (``comparison.measuring``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from segtumor.errors import ConfigError

#: What becomes of findings and lesions before they are measured.
AS_THEY_ARE, BOXES, TIGHT_BOXES = "as they are", "boxes", "tight boxes of the masks"
BTXRD = "BTXRD"
#: Measures that are no shares, and may be above 1.
_NO_SHARES = ("hausdorff", "average_surface", "false_positives_")
#: Kinds of splits, of ours and of published ones -> what they mean.
SPLIT_KINDS = {
    "official": "the authors' own lists",
    "grouped": "by case or patient",
    "kfold": "k folds by case or patient",
    "image": "by image: a case may be in several parts",
    "centre": "by centre: tested on other centres than trained on",
    "internal": "held out, of the centres trained on (private data)",
    "external": "of other centres than trained on (private data)",
    "unknown": "not said",
}


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One measurement of a protocol.

    Attributes:
        measures: names of ``segtumor.evaluation`` and ``comparison.measuring.MALIGNANCY``, in the order of the table;
            those of one class follow, as in ``box_ap50[benign]``.
        shapes: AS_THEY_ARE, BOXES (IoU between the boxes as they are) or TIGHT_BOXES (between those around the masks).
        suffix: put behind the names, so that two passes with the same measure stay apart.
    """

    measures: tuple[str, ...]
    shapes: str = AS_THEY_ARE
    suffix: str = ""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How one study, or one split of a data set, is measured.

    Attributes:
        name: what ``--protocol`` takes.
        dataset: the data set its published rows are of.
        split: what the test part must be for a row to be comparable, in words.
        split_kinds: what test and training parts must say of their split (``split_kind``); empty if not asked for.
        test_centers, training_centers: exactly the ``center`` of the images there; empty if not asked for.
        same_list: whether everyone with this split has the same test images, so that a leak is the same for all.
        only_tumor_images: whether normal images are left out.
        only_highest: whether only the highest-scoring finding of an image counts.
        settings: keyword arguments of StudySettings that differ from the user's.
        spread_of: columns of the rows of lesions ("dice", "iou") whose standard deviation is reported too.
        notes: what a reader must know, in sentences.
        also_shows: protocols whose published rows are shown too, as not comparable.
    """

    name: str
    title: str
    dataset: str
    split: str
    passes: tuple[Pass, ...]
    split_kinds: tuple[str, ...] = ()
    test_centers: tuple[str, ...] = ()
    training_centers: tuple[str, ...] = ()
    same_list: bool = False
    only_tumor_images: bool = False
    only_highest: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    spread_of: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    also_shows: tuple[str, ...] = ()

    @property
    def published_split_kinds(self) -> tuple[str, ...]:
        """What the split of its published rows must be; empty if not asked for."""
        return self.split_kinds or (("centre",) if self.test_centers else ())

    @property
    def shapes_of_metrics(self) -> dict[str, str]:
        """{name in its table: shapes that are measured}."""
        return {measure + one.suffix: one.shapes for one in self.passes for measure in one.measures}

    @property
    def shows(self) -> tuple[str, ...]:
        """Names of the protocols whose published rows are in its table."""
        return (self.name, *self.also_shows)


_DETECTION = ("mask_ap50", "mask_ap", "box_ap50", "box_ap")
_LESIONS = ("dice", "dice_matched", "lesion_recall", "lesion_precision", "lesion_f1", "located_above_0", "froc_mean")
SURFACE_MEASURES = ("hausdorff_95_px", "normalized_surface_dice")
_IMAGES = (
    *("image_sensitivity", "image_specificity", "image_ppv", "image_npv", "image_accuracy", "image_f1"),
    *("image_auc", "image_kappa"),
)
_CLASSES = ("image_class_accuracy", "image_class_macro_f1", "image_class_kappa", "image_class_macro_auc")
_PATIENTS = ("patient_sensitivity", "patient_specificity", "patient_accuracy", "patient_auc", "patient_kappa")
_MALIGNANCY = ("malignancy_accuracy", "malignancy_sensitivity", "malignancy_specificity")
_FALSE_POSITIVES = ("false_positives_per_image", "false_positives_per_normal_image")
_BTXRD_PASS = Pass(
    measures=(
        *(*_DETECTION, *_LESIONS, *SURFACE_MEASURES, *_FALSE_POSITIVES),
        *(*_IMAGES, *_CLASSES, *_MALIGNANCY, *_PATIENTS),
    )
)

PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            name="btxrd-official",
            title="BTXRD, the authors' validation list",
            dataset=BTXRD,
            split="the authors' validation list (750 or 751 images)",
            split_kinds=("official",),
            same_list=True,
            passes=(_BTXRD_PASS,),
            notes=("The authors' split shares cases between its parts: what it measures is partly memory.",),
        ),
        Protocol(
            name="btxrd-grouped",
            title="BTXRD, split by case and stratified",
            dataset=BTXRD,
            split="a test part by case, stratified",
            split_kinds=("grouped", "kfold"),
            passes=(_BTXRD_PASS,),
            also_shows=("btxrd-official", "btxrd-centre", "alrabai-2026"),
        ),
        Protocol(
            name="btxrd-centre",
            title="BTXRD, trained on centre 1, tested on centres 2 and 3",
            dataset=BTXRD,
            split="all images of centres 2 and 3, after training on centre 1",
            test_centers=("2", "3"),
            training_centers=("1",),
            passes=(_BTXRD_PASS,),
            also_shows=("btxrd-official", "btxrd-grouped", "alrabai-2026"),
        ),
        Protocol(
            name="vonschacky-2021",
            title="von Schacky 2021: tumour images, the highest-scoring finding, no threshold",
            dataset="private, Munich and Freiburg",
            split="its external test set (111 patients)",
            only_tumor_images=True,
            only_highest=True,
            settings={"score_threshold": 0.0, "iou_threshold": 0.5},
            passes=(
                Pass(measures=("dice", *_MALIGNANCY)),
                Pass(measures=("iou", "located_above_0.5", "located_above_0"), shapes=TIGHT_BOXES, suffix="_of_boxes"),
            ),
            spread_of=("dice", "iou"),
            notes=(
                "Box IoU is between the boxes around the two masks; lesions without finding count 0.",
                "With one finding per image, further lesions of the image count as missed.",
                "The source prints mean and standard deviation: box IoU .52 +- .34, Dice .60 +- .37.",
            ),
        ),
        Protocol(
            name="xu-2024",
            title="Xu 2024 (knee): lesions at box IoU above 0.2, a patient positive if any view is",
            dataset="private, four centres in China, knee",
            split="its internal (277 patients) or external (201 patients) test set",
            settings={"iou_threshold": 0.2, "rule": "any"},
            passes=(
                Pass(
                    measures=(
                        "located_above_0.2",
                        "located_above_0",
                        "lesion_precision",
                        *_FALSE_POSITIVES,
                        *_PATIENTS,
                    ),
                    shapes=BOXES,
                ),
            ),
            notes=("Its readers had to locate the lesion for a patient to count as found: --require-located.",),
        ),
        Protocol(
            name="li-2023",
            title="Li 2023: lesions located at box IoU above 0.5",
            dataset="private, China",
            split="its internal (132) or external (224) test set",
            settings={"iou_threshold": 0.5},
            only_tumor_images=True,
            passes=(Pass(measures=("located_above_0.5", *_MALIGNANCY), shapes=BOXES),),
        ),
        Protocol(
            name="alrabai-2026",
            title="Alrabai 2026: tumour or normal, by image",
            dataset=BTXRD,
            split="a random tenth of the images (375), at random by image as far as it says",
            split_kinds=("image",),
            passes=(Pass(measures=(*_IMAGES, "image_mcc")),),
        ),
    )
}


def metric_names() -> list[str]:
    """Names in the table of some protocol, sorted."""
    return sorted({name for protocol in PROTOCOLS.values() for name in protocol.shapes_of_metrics})


def is_share(metric: str) -> bool:
    """Whether a measure of ours lies in 0 to 1, or 0 to 100 %."""
    return not metric.startswith(_NO_SHARES)


def find_protocol(name: str) -> Protocol:
    """The Protocol of a name; ConfigError naming all of them if there is none."""
    if name not in PROTOCOLS:
        raise ConfigError("no protocol of this name", got=name, expected=", ".join(PROTOCOLS))
    return PROTOCOLS[name]

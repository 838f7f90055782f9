"""Counting right and wrong: lesions found, images called, benign against malignant.

All of it at one score threshold and one IoU threshold, from MatchedImages (``segtumor.evaluation.facts.matching``).
Not here: curves over the threshold (AP is in ``detection``).
"""

from dataclasses import dataclass

import numpy as np

from segtumor.evaluation.facts.image_level import has_tumor
from segtumor.evaluation.summary.ratios import ratio

MISSED, BACKGROUND = "missed", "background"


@dataclass(frozen=True)
class Confusion:
    """Hits by true and predicted class, with what has no partner.

    Attributes:
        counts: (C + 1, C + 1) int for C classes. Row i < C: true class i, by predicted class; the last column counts
            missed lesions. The last row, background, counts false positives by predicted class; its last cell is
            meaningless and 0.
        class_names: C names.
    """

    counts: np.ndarray
    class_names: tuple[str, ...]

    @property
    def rows(self):
        """Names of the rows."""
        return (*self.class_names, BACKGROUND)

    @property
    def columns(self):
        """Names of the columns."""
        return (*self.class_names, MISSED)

    def metrics(self):
        """Plain values for ``metrics.json``; ``class_accuracy`` is the part of the hits with the right class."""
        hits = self.counts[:-1, :-1]
        return {
            "rows_true": list(self.rows),
            "columns_predicted": list(self.columns),
            "counts": self.counts.tolist(),
            "class_accuracy": ratio(np.trace(hits), hits.sum()),
            "n_hits": int(hits.sum()),
        }


def confusion(images, class_names):
    """The Confusion of MatchedImages."""
    last = len(class_names)
    counts = np.zeros((last + 1, last + 1), dtype=np.int64)
    for image in images:
        for lesion, match in zip(image.lesions, image.matches, strict=True):
            counts[lesion.class_id, match.finding.class_id if match and match.hit else last] += 1
        for finding in image.false_positives:
            counts[last, finding.class_id] += 1
    return Confusion(counts, tuple(class_names))


def lesion_metrics(table):
    """Precision, recall and F1 of lesions, from a Confusion.

    Over all classes the class does not matter; ``per_class`` counts a hit only if its class is right.
    """
    hits = table.counts[:-1, :-1]
    n_lesions, n_findings = table.counts[:-1].sum(), hits.sum() + table.counts[-1].sum()
    per_class = {
        name: _precision_recall_f1(table.counts[i, i], table.counts[:, i].sum(), table.counts[i].sum())
        for i, name in enumerate(table.class_names)
    }
    return {**_precision_recall_f1(hits.sum(), n_findings, n_lesions), "per_class": per_class}


def _precision_recall_f1(true_positives, n_findings, n_lesions):
    return {
        "precision": ratio(true_positives, n_findings),
        "recall": ratio(true_positives, n_lesions),
        "f1": ratio(2 * true_positives, n_findings + n_lesions),
        "true_positives": int(true_positives),
        "false_positives": int(n_findings - true_positives),
        "missed": int(n_lesions - true_positives),
        "n_lesions": int(n_lesions),
        "n_findings": int(n_findings),
    }


def image_metrics(images, class_names=()):
    """Tumor or not per image, and false positives per image, as a dict of plain values.

    Args:
        images: MatchedImages.
        class_names: names by ``class_id``; a label that is one of them says tumor, as benign and malignant do.
    """
    true = np.array([has_tumor(image.truth, class_names) for image in images], dtype=bool)
    predicted = np.array([bool(image.findings) for image in images], dtype=bool)
    false_positives = np.array([len(image.false_positives) for image in images], dtype=np.int64)
    n_tumor, n_normal = int(true.sum()), int((~true).sum())
    hit, rejected = int((true & predicted).sum()), int((~true & ~predicted).sum())
    return {
        "sensitivity": ratio(hit, n_tumor),
        "specificity": ratio(rejected, n_normal),
        "accuracy": ratio(hit + rejected, len(images)),
        "false_positives_per_normal_image": ratio(false_positives[~true].sum(), n_normal),
        "false_positives_per_image": ratio(false_positives.sum(), len(images)),
        "true_positives": hit,
        "false_negatives": n_tumor - hit,
        "true_negatives": rejected,
        "false_positives": n_normal - rejected,
        "n_images": len(images),
        "n_tumor_images": n_tumor,
        "n_normal_images": n_normal,
    }

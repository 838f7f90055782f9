"""Truth and findings side by side, which their rooms read separately: for every command that measures."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pairing:
    """A data set and what was found on it.

    Attributes:
        truth: CocoDataset.
        results: an ImageResult for each of its images.
        n_absent: images that the predictions do not mention, or None if they list no images.
        n_failed: images that could not be predicted.
        n_left_out: predicted images that are not annotated.
    """

    truth: object
    results: list
    n_absent: int | None
    n_failed: int
    n_left_out: int

    @property
    def unseen(self):
        """Keyword arguments of ``evaluate`` and ``study``."""
        return {"n_images_absent": self.n_absent, "n_images_failed": self.n_failed}

    @property
    def sentences(self):
        """What a user must know of images that were not predicted or not annotated."""
        said = (
            (self.n_left_out, "predicted images are not annotated and were left out."),
            (self.n_absent, "images are absent from the predictions and counted as without findings."),
            (self.n_failed, "images failed when predicting and are counted as without findings."),
        )
        return [f"{count} {text}" for count, text in said if count]


def pair(annotations, predictions, *, truth=None, only_annotated=False):
    """Read both files; ``truth`` is the CocoDataset of ``annotations`` if it was read before. Raises DataError."""
    from segtumor.data.predictions import read_predictions
    from segtumor.data.records import load_coco
    from segtumor.structures.lesions import ImageResult

    truth = truth or load_coco(annotations, check_files=False, require_masks=False)
    found = read_predictions(
        predictions,
        truth.annotated_images,
        class_names=truth.taxonomy.names,
        category_id_of_class=truth.category_id_of_class,
        only_annotated=only_annotated,
    )
    return Pairing(
        truth,
        [ImageResult(image, found.findings[image.image_id]) for image in truth.annotated_images],
        None if found.absent_ids is None else len(found.absent_ids),
        len(found.failed_ids),
        found.n_left_out,
    )
